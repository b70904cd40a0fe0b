"""One view twice, two views with one feature name, and on-demand views in each mode: trained, served and verified."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.errors import FurrowError
from furrow.features.build import compile_manifest
from furrow.features.client import FeatureClient
from furrow.features.definition_check import check_definitions
from furrow.features.materialize import materialize
from furrow.features.point_in_time import service_at
from furrow.features.store_verify import verify
from furrow.files import write_json
from furrow.ground.feast.retrieve import historical_features

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
from feast import Entity, FeatureService, FeatureView, Field, FileSource, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import *

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
shop = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.INT64)
u = FeatureView(
    name="u-stats", entities=[user], source=FileSource(path="../data/u.parquet", timestamp_field="event_timestamp"),
    schema=[
        Field(name="score", dtype=Int64), Field(name="age", dtype=Int64), Field(name="vec", dtype=Array(Float64)),
        Field(name="seen", dtype=UnixTimestamp),
    ],
)
h = FeatureView(
    name="h", entities=[shop], source=FileSource(path="../data/h.parquet", timestamp_field="event_timestamp"),
    schema=[Field(name="score", dtype=Int64)],
)
renamed = lambda name: u.with_name(name).with_join_key_map({"user_id": f"{name}_id"})[["score", "age"]]
asked = RequestSource(name="asked", schema=[Field(name="amount", dtype=Float64), Field(name="words", dtype=Array(String))])
"""
NOW = datetime.now(UTC)
pytestmark = pytest.mark.filterwarnings(
    "ignore:On demand feature view is an experimental feature:RuntimeWarning"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A features folder with data and settings, without definitions."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "data").mkdir()
    made = tmp_path / "features"
    made.mkdir()
    (made / "feature_store.yaml").write_text(
        "project: names\nprovider: local\nregistry: ../registry.db\nentity_key_serialization_version: 3\n"
        "offline_store:\n  type: furrow.ground.feast.offline.FurrowOfflineStore\n"
        "online_store:\n  type: furrow.ground.feast.online.FurrowOnlineStore\n  path: ../online\n"
    )
    event = pa.array([NOW - timedelta(hours=1)] * 2, pa.timestamp("us", "UTC"))
    seen = pa.array([NOW - timedelta(days=1), None], pa.timestamp("us", "UTC"))
    columns = {
        "user_id": [1, 2],
        "score": [10, None],
        "age": [30, 40],
        "vec": [[1.0, 2.0], None],
        "seen": seen,
    }
    pq.write_table(pa.table({**columns, "event_timestamp": event}), tmp_path / "data" / "u.parquet")
    pq.write_table(
        pa.table({"shop_id": [7, 8], "score": [77, 88], "event_timestamp": event}),
        tmp_path / "data" / "h.parquet",
    )
    return made


def compiled(folder: Path, body: str) -> Any:
    """The manifest of the definitions, written and materialized."""
    (folder / "definitions.py").write_text(HEAD + textwrap.dedent(body))
    manifest = compile_manifest(folder)
    write_json(folder / "manifest.json", manifest.to_json())
    return manifest


def answers(folder: Path, body: str, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """What training, client and verify agree on for a service `s`."""
    manifest = compiled(folder, body)
    assert not [each for each in check_definitions(manifest) if "give the feature" in each.what]
    materialize(folder)
    with FeatureClient.open(folder) as client:
        served = client.get("s", rows).to_dict()
    spine = pa.Table.from_pylist([{**row, "event_timestamp": NOW} for row in rows])
    trained = historical_features(folder, "s", spine)
    assert trained.select(list(served)).to_pydict() == served
    assert trained.column_names[len(spine.column_names) :] == list(served)
    joined, status = service_at(manifest, folder, "s", rows, NOW)
    assert joined == served
    assert all((value is not None) == (state == "present") for name in joined
               for value, state in zip(joined[name], status[name], strict=True))  # fmt: skip
    report = verify(folder, "s", rows=60)
    assert report, report.differences[:2]
    return dict(served)


def test_one_view_twice(folder: Path) -> None:
    """Buyer and seller go by their full names everywhere."""
    found = answers(
        folder,
        's = FeatureService(name="s", features=[renamed("buyer"), renamed("seller")])',
        [{"buyer_id": 1, "seller_id": 2}],
    )
    assert found == {
        "buyer__score": [10],
        "buyer__age": [30],
        "seller__score": [None],
        "seller__age": [40],
    }


def test_a_view_as_itself_and_renamed(folder: Path) -> None:
    """The view itself stands beside its alias, and an on-demand view of it is computed from the view itself."""
    body = """
    @on_demand_feature_view(sources=[u[["age"]]], schema=[Field(name="twice", dtype=Int64)], mode="python")
    def twice(inputs):
        return {"twice": [None if a is None else 2 * a for a in inputs["age"]]}


    s = FeatureService(name="s", features=[renamed("buyer"), u[["age"]], twice])
    """
    found = answers(folder, body, [{"buyer_id": 1, "user_id": 2}])
    assert found == {
        "buyer__score": [10],
        "buyer__age": [30],
        "u-stats__age": [40],
        "twice__twice": [80],
    }


def test_two_views_with_one_feature_name(folder: Path) -> None:
    """Both are trained, served and verified; features of a service without such a pair keep their short names."""
    both = answers(
        folder,
        's = FeatureService(name="s", features=[u[["score"]], h])',
        [{"user_id": 1, "shop_id": 8}],
    )
    assert both == {"u-stats__score": [10], "h__score": [88]}
    assert answers(
        folder, 's = FeatureService(name="s", features=[renamed("buyer")])', [{"buyer_id": 1}]
    ) == {
        "score": [10],
        "age": [30],
    }


MODES = {
    "python": """
    @on_demand_feature_view(sources=[u, asked], schema=SCHEMA, mode="python")
    def made(inputs):
        rows = list(zip(inputs["vec"], inputs["age"], inputs["amount"], inputs["words"], inputs["seen"]))
        return {
            "twice": [None if v is None else [2 * x for x in v] for v, _, _, _, _ in rows],
            "old": [None if a is None else a > 35 for _, a, _, _, _ in rows],
            "third": [None if a is None else a / 3 for _, a, _, _, _ in rows],
            "said": [None if w is None else [f"{x}!" for x in w] for _, _, _, w, _ in rows],
            "day": [None if t is None or t != t else t.replace(hour=0, minute=0, second=0, microsecond=0) for _, _, _, _, t in rows],
        }
    """,
    "singleton": """
    @on_demand_feature_view(sources=[u, asked], schema=SCHEMA, mode="python", singleton=True)
    def made(inputs):
        v, a, w, t = (inputs[name] for name in ("vec", "age", "words", "seen"))
        return {
            "twice": None if v is None else [2 * x for x in v], "old": None if a is None else a > 35,
            "third": None if a is None else a / 3, "said": None if w is None else [f"{x}!" for x in w],
            "day": None if t is None or t != t else t.replace(hour=0, minute=0, second=0, microsecond=0),
        }
    """,
    "pandas": """
    @on_demand_feature_view(sources=[u, asked], schema=SCHEMA, mode="pandas")
    def made(frame):
        import pandas as pd

        out = pd.DataFrame()
        out["twice"] = frame["vec"].apply(lambda v: None if v is None else [2 * x for x in v])
        out["old"] = (frame["age"] > 35).astype("boolean").where(frame["age"].notna())
        out["third"] = frame["age"] / 3
        out["said"] = frame["words"].apply(lambda w: None if w is None else [f"{x}!" for x in w])
        out["day"] = frame["seen"].dt.floor("D")
        return out
    """,
}


@pytest.mark.parametrize("mode", MODES)
def test_on_demand_in_each_mode(folder: Path, mode: str) -> None:
    """Lists, nulls, booleans, times and single floats come out as declared, the same in training and serving."""
    schema = (
        'SCHEMA = [Field(name="twice", dtype=Array(Float64)), Field(name="old", dtype=Bool), '
        'Field(name="third", dtype=Float32), Field(name="said", dtype=Array(String)), Field(name="day", dtype=UnixTimestamp)]\n'
    )
    body = (
        schema
        + textwrap.dedent(MODES[mode])
        + 's = FeatureService(name="s", features=[u[["age"]], made])\n'
    )
    rows = [
        {"user_id": 1, "amount": 2.0, "words": ["a", "b"]},
        {"user_id": 2, "amount": 3.0, "words": []},
    ]
    found = answers(folder, body, rows)
    assert found["twice"] == [[2.0, 4.0], None]
    assert (found["old"], found["said"]) == ([False, True], [["a!", "b!"], []])
    assert found["third"] == [10.0, pytest.approx(40 / 3, rel=1e-7)]
    assert found["third"][1] != 40 / 3
    day = (NOW - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert found["day"] == [day, None]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            '@on_demand_feature_view(sources=[renamed("buyer")], schema=[Field(name="x", dtype=Int64)], mode="python")',
            "with_name",
        ),
        (
            '@on_demand_feature_view(sources=[u.with_join_key_map({"user_id": "b"})], schema=[Field(name="x", dtype=Int64)])',
            "with_join_key_map",
        ),
        (
            '@on_demand_feature_view(sources=[u[["score"]], h], schema=[Field(name="x", dtype=Int64)], mode="python")',
            "both u-stats and h give 'score'",
        ),
        (
            '@on_demand_feature_view(sources=[u[["age"]]], schema=[Field(name="x", dtype=Array(PdfBytes))], mode="python")',
            "",
        ),
    ],
)
def test_inputs_that_feast_would_mix_up(folder: Path, body: str, said: str) -> None:
    """Renamed inputs and inputs of one name are refused by name, before anything is trained on them."""
    body = f"{body}\ndef made(inputs):\n    return {{'x': [1 for _ in inputs]}}\n"
    with pytest.raises(Exception, match=said or "PDF_BYTES_LIST|PdfBytes"):
        compiled(folder, body)


@pytest.mark.parametrize(
    "taken",
    [
        'renamed("buyer")',
        'renamed("buyer"), renamed("seller")',
        'u.with_join_key_map({"user_id": "buyer_id"})[["age"]]',
    ],
)
def test_an_on_demand_view_beside_a_renamed_input(folder: Path, taken: str) -> None:
    """Feast would compute it from the renamed view or not at all: refused, with the way out."""
    body = f"""
    @on_demand_feature_view(sources=[u[["age"]]], schema=[Field(name="x", dtype=Int64)], mode="python")
    def made(inputs):
        return {{"x": inputs["age"]}}


    s = FeatureService(name="s", features=[{taken}, made])
    """
    with pytest.raises(
        FurrowError, match="made is computed from u-stats, which is taken as"
    ) as caught:
        compiled(folder, body)
    assert "take u-stats itself as well" in caught.value.hint


def furrow(where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run furrow in a folder."""
    command = [sys.executable, "-m", "furrow", *arguments]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_compile_in_a_plain_feast_repository(tmp_path: Path, folder: Path) -> None:
    """Without dvc.yaml the manifest is written beside feature_store.yaml, from definitions in any file."""
    plain = tmp_path / "plain"
    folder.rename(plain)
    (plain / "shared").mkdir()
    (plain / "shared" / "__init__.py").write_text("KEY = 'user_id'\n")
    (plain / "deep" / "er").mkdir(parents=True)
    head, tail = HEAD.split("u = FeatureView(", 1)
    names = "from feast import FeatureService, FeatureView, Field, FileSource, RequestSource\nfrom feast.types import *\n"
    (plain / "feature_repo.py").write_text(head.replace('["user_id"]', "[KEY]").replace(
        "\nuser", "\nfrom shared import KEY\n\nuser", 1
    ))  # fmt: skip
    (plain / "deep" / "er" / "views.py").write_text(
        f"{names}from feature_repo import shop, user\n\nu = FeatureView({tail}s = FeatureService(name='s', features=[u])\n"
    )
    (plain / "ignored").mkdir()
    (plain / "ignored" / "broken.py").write_text("raise ValueError\n")
    (plain / ".feastignore").write_text("ignored/\n")
    for where in (plain, plain / "deep", tmp_path):
        done = furrow(where, "compile")
        assert done.returncode == 0, done.stderr
        assert "2 feature views, 0 on-demand views, 1 services" in done.stdout
    assert "is what the definitions say" in done.stdout
    assert furrow(plain, "compile", "--check").returncode == 0
    assert furrow(plain, "features", "materialize").returncode == 0
    assert '"s"' in furrow(tmp_path, "features", "list", "--json").stdout
    (plain / "deep" / "er" / "views.py").write_text(
        (plain / "deep" / "er" / "views.py").read_text().replace("'s'", "'t'")
    )
    late = furrow(plain, "compile", "--check")
    assert (late.returncode, "manifest.json is not what the definitions say" in late.stderr) == (
        1,
        True,
    )


def test_keys_without_a_declared_type_take_that_of_the_rows(folder: Path) -> None:
    """As Feast does at apply; without the rows it is told what to declare."""
    path = folder / "definitions.py"
    path.write_text(HEAD.replace(", value_type=ValueType.INT64", ""))
    assert [key.dtype for key in compile_manifest(folder).views["u-stats"].join_keys] == ["Int64"]
    (folder.parent / "data" / "u.parquet").unlink()
    with pytest.raises(FurrowError, match="the type of its key is unknown"):
        compile_manifest(folder)
