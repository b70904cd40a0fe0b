"""The manifest goes to disk and comes back; nothing else comes in."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from furrow.features.digest import seal
from furrow.features.json_reader import NAME
from furrow.features.manifest import ManifestError, load, parse, repository_root
from furrow.features.schema import (
    Column,
    Input,
    Manifest,
    OnDemandView,
    OnlineStore,
    Projection,
    Service,
    Table,
    View,
)
from furrow.files import FileError, write_json

SAMPLE = seal(
    Manifest(
        project="small",
        digest="",
        online_store=OnlineStore(
            "lmdb", {"path": "../build/online", "limit": 1 << 30, "password": "${SECRET}"}
        ),
        tables={
            "traffic": Table("traffic", "a" * 64, ("flights",), "../build/tables/traffic.parquet")
        },
        views={
            "traffic": View(
                name="traffic",
                digest="",
                table="traffic",
                source="../build/tables/traffic.parquet",
                join_keys=(Column("origin", "String"),),
                features=(Column("departures", "Int64"), Column("delays", "Array(Float64)")),
                timestamp_field="event_timestamp",
                ttl_seconds=3600,
                owner="ops@example.com",
                tags={"domain": "traffic"},
            ),
            "remote": View(
                name="remote",
                digest="",
                table=None,
                source="s3://bucket/rows/",
                join_keys=(),
                features=(Column("rate", "Float64"),),
                timestamp_field="at",
                created_timestamp_column="created",
                field_mapping={"r": "rate"},
            ),
        },
        on_demand={
            "double": OnDemandView(
                name="double",
                digest="",
                inputs=(Input("traffic", "departures", "Int64"), Input("request", "hour", "Int64")),
                features=(Column("twice", "Int64"),),
                code="def double(inputs):\n    return {'twice': [2 * v for v in inputs['departures']]}\n",
                function="double",
            )
        },
        services={
            "full": Service(
                name="full",
                digest="",
                views=(
                    Projection("traffic", "near", ("departures",), {"origin": "airport"}),
                    Projection("double", "double", ("twice",)),
                ),
            )
        },
    )
)


def plain() -> dict[str, Any]:
    return json.loads(json.dumps(SAMPLE.to_json()))


def test_a_manifest_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    """Write and load are inverses, from the file and from its folder."""
    path = tmp_path / "features" / "manifest.json"
    write_json(path, SAMPLE.to_json())
    assert load(path) == SAMPLE
    assert load(path.parent) == SAMPLE
    assert parse(path.read_bytes(), origin="https://example.com/manifest.json") == SAMPLE


def test_a_manifest_of_format_1_is_read() -> None:
    """The sample of the first format that is kept here stays readable."""
    sample = Path(__file__).parent / "samples" / "manifest_1.json"
    manifest = parse(sample.read_bytes(), origin=str(sample))
    assert manifest == SAMPLE


def test_what_is_optional_may_be_left_out() -> None:
    """A manifest written by hand needs no empty texts."""
    value = plain()
    for view in value["views"].values():
        for key in ("owner", "description", "tags"):
            del view[key]
    manifest = parse(json.dumps(value), origin="m.json")
    assert manifest.views["traffic"].owner == ""


def put(value: Any, place: str, new: Any) -> None:
    *path, last = place.split("/")
    for key in path:
        value = value[int(key) if isinstance(value, list) else key]
    if isinstance(value, list):
        value[int(last)] = new
    else:
        value[last] = new


HOSTILE: list[tuple[str, Any, str]] = [
    ("format", 2, "format: 2 is a format this version can't read"),
    ("format", True, "format: True is a format"),
    ("surprise", 1, "surprise: 1 is a field this version does not know"),
    ("project", "../evil", "project: '../evil' is not a name"),
    ("project", "größe\u202e", "is not a name"),
    ("project", "價 格", "is not a name"),
    ("project", 7, "project: 7 should be a text"),
    ("digest", "abc", "digest: 'abc' is not a sha256"),
    ("digest", "A" * 64, "is not a sha256"),
    ("tables", [], "tables: [] should be a mapping"),
    ("tables/traffic/source", "/etc/passwd", "tables.traffic.source: '/etc/passwd' should be a path relative"),
    ("tables/traffic/source", "../../x.parquet", "leads out of the repository"),
    ("tables/traffic/source", "../build/../../x.parquet", "leads out of the repository"),
    ("tables/traffic/source", "s3://[bucket/x", "tables.traffic.source: 's3://[bucket/x' is not an address"),
    ("tables/traffic/source", "..\\..\\x", "should be a path relative"),
    ("tables/traffic/source", "C:/x.parquet", "should be a path relative"),
    ("tables/traffic/source", "~/x.parquet", "should be a path relative"),
    ("tables/traffic/source", "", "should be a path relative"),
    ("tables/traffic/source", "a\0b", "none of them NUL"),
    ("tables/traffic/source", "file:///etc/passwd", "has the scheme 'file'"),
    ("tables/traffic/sql_digest", None, "tables.traffic.sql_digest: None should be a text"),
    ("tables/traffic/reads", "flights", "should be a list"),
    ("online_store/path", "../../elsewhere", "online_store.path: '../../elsewhere' leads out"),
    ("online_store/limit", 10**400, "too large a number"),
    ("online_store/limit", 1e308, "too large a number"),
    ("online_store/type", None, "online_store.type: None should be a text"),
    ("online_store/deep", {"a": {"b": 1}}, "should be a text, a number"),
    ("views/traffic/ttl_seconds", -1, "views.traffic.ttl_seconds: -1 should lie between 0"),
    ("views/traffic/ttl_seconds", 10**30, "should lie between 0"),
    ("views/traffic/ttl_seconds", 1.5, "should be a whole number"),
    ("views/traffic/ttl_seconds", True, "should be a whole number"),
    ("views/traffic/table", "gone", "views.traffic.table: 'gone' is not a feature table"),
    ("views/traffic/source", "../../../etc/shadow", "leads out of the repository"),
    ("views/traffic/join_keys/0/dtype", "__import__('os')", "is not a type of Feast's"),
    ("views/traffic/join_keys/0/dtype", "Array(Int64", "is not a type of Feast's"),
    ("views/traffic/features/1/name", "departures", "stands there twice"),
    ("views/traffic/features/1/name", "origin", "stands there twice"),
    ("views/traffic/features/0/name", "x" * 300, "should be at most 200 characters"),
    ("views/traffic/features/0/name", 'a"; drop table x', "is not a name"),
    ("views/traffic/features", [{"name": f"f{i}", "dtype": "Int64"} for i in range(10_001)], "more than 10000"),
    ("views/traffic/features/0", {"name": "departures"}, "lacks the field 'dtype'"),
    ("views/traffic/timestamp_field", "a b", "is not a name"),
    ("views/traffic/tags", {"a": 1}, "views.traffic.tags.a: 1 should be a text"),
    ("views/traffic/description", "x" * 100_001, "should be at most 100000 characters"),
    ("views/a b", {}, "is not a name"),
    ("on_demand/double/function", "os.system", "is not the name of a function"),
    ("on_demand/double/mode", "shell", "should be 'python' or 'pandas'"),
    ("on_demand/double/singleton", 1, "should be true or false"),
    ("on_demand/double/code", "x" * 1_000_001, "should be at most"),
    ("on_demand/double/inputs/0/name", "gone", "'traffic:gone' is not a feature"),
    ("on_demand/traffic", plain()["on_demand"]["double"], "names a feature view too"),
    ("services/full/views/0/view", "gone", "'gone' is not a view"),
    ("services/full/views/0/features/0", "gone", "is not a feature of traffic"),
    ("services/full/views/0/features", ["departures", "departures"], "stands there twice"),
    ("services/full/views/0/join_key_map", {"origin": 3}, "should be a text"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "new", "said"), HOSTILE, ids=[f"{p}={str(v)[:20]}" for p, v, _ in HOSTILE]
)
def test_a_hostile_manifest_is_refused(place: str, new: Any, said: str) -> None:
    """The message names the file, the field and the value, and what to do next."""
    value = plain()
    put(value, place, new)
    with pytest.raises(ManifestError) as caught:
        parse(json.dumps(value), origin="features/manifest.json")
    assert said in caught.value.message
    assert caught.value.message.startswith("features/manifest.json: ")
    assert len(caught.value.message) < 400
    assert "furrow compile" in caught.value.hint


@pytest.mark.parametrize(
    ("place", "new", "field"),
    [
        ("views/traffic/ttl_seconds", 7200, "views.traffic.digest"),
        ("views/traffic/features/0/dtype", "Int32", "views.traffic.digest"),
        ("views/remote/source", "s3://other/rows/", "views.remote.digest"),
        ("tables/traffic/sql_digest", "b" * 64, "views.traffic.digest"),
        (
            "on_demand/double/code",
            "def double(inputs):\n    raise SystemExit\n",
            "on_demand.double.digest",
        ),
        ("services/full/views/0/features", [], "services.full.digest"),
        ("services/full/views/0/join_key_map", {}, "services.full.digest"),
        ("services/full/digest", "b" * 64, "services.full.digest"),
        ("digest", "b" * 64, "digest"),
    ],
)
def test_an_edit_by_hand_does_not_go_unseen(place: str, new: Any, field: str) -> None:
    """A digest that is not that of its content is an error: a model must not be served other features."""
    value = plain()
    put(value, place, new)
    with pytest.raises(ManifestError) as caught:
        parse(json.dumps(value), origin="m.json")
    assert caught.value.field == field


def test_owner_and_store_may_be_edited() -> None:
    """What no digest covers may change without another digest."""
    value = plain()
    value["views"]["traffic"]["owner"] = "new@example.com"
    value["online_store"] = {"type": "lmdb", "path": "../build/other"}
    assert parse(json.dumps(value), origin="m.json").views["traffic"].owner == "new@example.com"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not valid JSON"),
        ("[]", "should be a mapping"),
        ("{" * 100_000, "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"format": 1, "format": 1}', "stands twice"),
        ('{"format": NaN}', "NaN is not a JSON number"),
        ('{"format": ' + "9" * 5000 + "}", "is not valid JSON"),
        (b"\xff\xfe\x00", "is not valid JSON"),
        ("{} ", "format: None is a format"),
        (" " * 16_000_001, "more than the 16000000"),
    ],
)
def test_what_is_not_json_is_refused(text: Any, said: str) -> None:
    """Broken, endless or ambiguous JSON gives one clear error."""
    with pytest.raises(ManifestError) as caught:
        parse(text, origin="m.json")
    assert said in caught.value.message


def test_a_missing_manifest_says_how_to_make_it(tmp_path: Path) -> None:
    """The next step is in the hint."""
    with pytest.raises(ManifestError) as caught:
        load(tmp_path)
    assert "manifest.json" in caught.value.message
    assert "furrow compile" in caught.value.hint


def test_a_symbolic_link_does_not_lead_out(repo: Path, tmp_path: Path) -> None:
    """A path that stays inside by its letters but not in truth is refused."""
    write_json(repo / "features" / "manifest.json", SAMPLE.to_json())
    assert load(repo / "features") == SAMPLE
    (tmp_path / "outside").mkdir()
    (repo / "build").symlink_to(tmp_path / "outside")
    with pytest.raises(FileError, match="leads out of"):
        load(repo / "features")


def test_paths_are_held_in_the_repository_not_above_it(repo: Path) -> None:
    """A features folder at the root of a repository may not reach above it; one deeper down may reach the root."""
    write_json(repo / "manifest.json", SAMPLE.to_json())
    with pytest.raises(ManifestError, match="leads out of the repository"):
        load(repo)
    deep = repo / "teams" / "air" / "features"
    manifest = seal(
        replace(SAMPLE, online_store=OnlineStore("lmdb", {"path": "../../../build/online"}))
    )
    write_json(deep / "manifest.json", manifest.to_json())
    assert load(deep) == manifest
    assert repository_root(deep) == repo.resolve()


def test_the_digest_of_the_whole_covers_every_part() -> None:
    """A change of any definition changes the manifest's digest."""
    table, view = SAMPLE.tables["traffic"], SAMPLE.views["remote"]
    code, service = SAMPLE.on_demand["double"], SAMPLE.services["full"]
    changed = [
        replace(SAMPLE, tables={"traffic": replace(table, sql_digest="b" * 64)}),
        replace(SAMPLE, views={**SAMPLE.views, "remote": replace(view, ttl_seconds=60)}),
        replace(
            SAMPLE, on_demand={"double": replace(code, code="def double(inputs):\n    return {}\n")}
        ),
        replace(SAMPLE, services={"full": replace(service, views=service.views[:1])}),
        replace(SAMPLE, services={"full": service, "more": replace(service, name="more")}),
    ]
    assert len({SAMPLE.digest, *(seal(each).digest for each in changed)}) == 6


@pytest.mark.parametrize("name", ["größe", "価格", "顾客编号", "_x", "a.b-c"])
def test_names_are_of_any_script(name: str) -> None:
    """Columns are called as the company's people speak."""
    assert NAME.match(name)
