"""What additions are made of: types of SQL, profiles of what landed, names of definitions, texts of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.data.contract import load_contract
from furrow.errors import FurrowError
from furrow.ground.dvc_setup import DvcSetupError, init_dvc, track
from furrow.ground.feast.named_objects import named_objects
from furrow.scaffold.metric_texts import metric_text
from furrow.scaffold.raw_profiles import raw_profiles
from furrow.scaffold.sql_columns import SqlColumnsError, sql_columns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTRACT = """\
format: 1
clock: {timezone: Europe/Vienna}
tables:
  people: {files: people.parquet, columns: {id: {type: int64}, at: {type: timestamp}}, unique: [id]}
  sales:
    files: sales/{month}.parquet
    columns: {people_id: {type: int64}, price: {type: float64, nullable: true}, note: {type: string}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "conf/data").mkdir(parents=True)
    (tmp_path / "conf/data/contract.yaml").write_text(CONTRACT)
    return tmp_path


def test_types_of_sql(root: Path) -> None:
    """Keys before the moment, features behind it, in Feast's words, without a row of data."""
    contract = load_contract(root / "conf/data/contract.yaml")
    moment = "timestamptz '2020-01-01' as event_timestamp"
    found = sql_columns(
        f"select people_id, {moment}, sum(price) as total, count(*) as n, max(note) as note, true as yes,"
        " 1::integer as small, 1::float as short from sales group by people_id",
        contract,
        where="x.sql",
    )
    assert found.keys == {"people_id": "Int64"}
    assert found.features == {
        "total": "Float64", "n": "Int64", "note": "String", "yes": "Bool", "small": "Int32", "short": "Float32",
    }  # fmt: skip
    for sql, said in (
        ("select 1 as a", "gives no keys and event_timestamp"),
        (f"select {moment}, 1 as a", "gives no keys"),
        (f"select 1 as id, {moment}, [1] as listed", "listed is of type INTEGER[]"),
        ("select nothing from sales", "x.sql: Binder Error"),
    ):
        with pytest.raises(SqlColumnsError) as caught:
            sql_columns(sql, contract, where="x.sql")
        assert said in str(caught.value)
        assert caught.value.hint


def test_profiles_of_what_landed(root: Path) -> None:
    """A table of several files is one; a date is a midnight on the project's clock; what lacks is told."""
    with pytest.raises(FurrowError, match="the data of people are not in data/"):
        raw_profiles(root)
    with pytest.raises(FurrowError, match="no raw table 'sale'") as caught:
        raw_profiles(root, ["sale"])
    assert "did you mean 'sales'?" in caught.value.hint
    (root / "data/sales").mkdir(parents=True)
    moments = pa.array([1_672_527_600_000_000, 1_672_614_000_000_000], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"id": [1, 2], "at": moments}), root / "data/people.parquet")
    for month, price in (("2023-01", 1.0), ("2023-02", None)):
        rows = {"people_id": [1, 2], "price": pa.array([price, 2.0]), "note": ["a", "b"]}
        pq.write_table(pa.table(rows), root / f"data/sales/{month}.parquet")
    tables, references = raw_profiles(root)
    assert (tables["sales"].rows, tables["sales"].columns["price"].nulls) == (4, 1)
    assert tables["people"].keys == ("id",)
    assert tables["people"].columns["at"].midnight
    assert [(one.column, one.to) for one in references] == [("people_id", "people")]


def test_names_of_definitions(tmp_path: Path) -> None:
    """MODULE.VARIABLE of each, by join key or by name."""
    (tmp_path / "feature_store.yaml").write_text("project: p\n")
    (tmp_path / "things.py").write_text(
        "from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType\n"
        "from feast.types import Int64\n"
        'who = Entity(name="person", join_keys=["person_id"], value_type=ValueType.STRING)\n'
        'source = FileSource(name="s", path="s.parquet", timestamp_field="t")\n'
        'facts = FeatureView(name="facts_view", entities=[who], schema=[Field(name="n", dtype=Int64)], source=source)\n'
        'every = FeatureService(name="all", features=[facts])\n'
    )
    found = named_objects(tmp_path)
    assert found.entities == {"person_id": "things.who"}
    assert found.views == {"facts_view": "things.facts"}
    assert found.services == {"all": "things.every"}
    assert found.names == {"person"}


def test_texts_of_metrics() -> None:
    """A function behind those that are there; numpy is imported once."""
    one = metric_text("cost", "binary", "")
    two = metric_text("other", "regression", one)
    assert two.startswith(one)
    assert two.count("import numpy as np") == 1
    compile(two, "metrics.py", "exec")
    assert metric_text("cost", "forecast", "x = 1\n").startswith("import numpy as np\n\n\nx = 1\n")
    with pytest.raises(FurrowError, match="no task 'ranking'"):
        metric_text("cost", "ranking", "")


def test_dvc_in_this_process(
    tmp_path: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `dvc init` and `dvc add` do; over what a killed one left; what DVC refuses is a known error."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    with pytest.raises(DvcSetupError, match="dvc init"):
        init_dvc(tmp_path)
    git(tmp_path, "init", "-q")
    init_dvc(tmp_path)
    (tmp_path / ".dvc/config").unlink()
    init_dvc(tmp_path, again=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").write_text("a\n")
    track(tmp_path, "data")
    assert "md5: " in (tmp_path / "data.dvc").read_text()
    assert "/data" in (tmp_path / ".gitignore").read_text().split()
    with pytest.raises(DvcSetupError, match="dvc add gone"):
        track(tmp_path, "gone")
