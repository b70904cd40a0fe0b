"""The catalog finds, lists and describes; and it knows when it need not run Feast."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.errors import FurrowError
from furrow.features.build import compile_manifest
from furrow.features.catalog import Catalog, UnknownNameError, open_catalog
from furrow.features.describe import describe
from furrow.features.manifest_cache import is_current, remember
from furrow.features.materialize import materialize
from furrow.files import write_json

Edit = Callable[[Path, str, str], None]


@pytest.fixture
def catalog(small: Path) -> Catalog:
    """The small repository's catalog, with its manifest written."""
    manifest = compile_manifest(small / "features")
    write_json(small / "features" / "manifest.json", manifest.to_json())
    return Catalog(small / "features", small, manifest)


def test_entries_name_everything_and_who_uses_it(catalog: Catalog) -> None:
    """Views, on-demand views and services; a view that feeds an on-demand view is used by its services."""
    entries = {entry.name: entry for entry in catalog.entries()}
    assert list(entries) == ["carrier_day", "traffic", "airport_pressure", "basic", "full"]
    assert entries["carrier_day"].services == ("basic", "full")
    assert entries["traffic"].services == ("full",)
    assert entries["full"].features == ("carrier_late", "mean_delay", "pressure")
    assert catalog.services_of("traffic", "departures") == ()
    assert catalog.services_of("traffic", "mean_delay") == ("full",)


def test_a_view_that_only_an_on_demand_view_reads_is_used(small: Path, edit: Edit) -> None:
    """The service takes no feature of it by itself."""
    edit(small / "features" / "services.py", 'traffic[["mean_delay"]], ', "")
    catalog = Catalog(small / "features", small, compile_manifest(small / "features"))
    assert catalog.services_of("traffic") == ("full",)
    assert catalog.services_of("traffic", "departures") == ()


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (("traffic",), "traffic"),
        (("pressure",), "airport_pressure"),
        (("MEAN",), "traffic:mean_delay"),
        (("departures", "airport"), "traffic"),
        (("domain",), "traffic"),
        (("lateness",), "carrier_day"),
        (("ops@example.com", "everything"), "full"),
        (("departure_delay",), "traffic:mean_delay"),
        (("flights.arrival_delay",), "carrier_day:carrier_late"),
        (("request.hour",), "airport_pressure:pressure"),
    ],
)
def test_search_finds_names_tags_descriptions_owners_and_raw_columns(
    catalog: Catalog, words: tuple[str, ...], first: str
) -> None:
    """The best fit is first; every word counts."""
    assert catalog.search(words)[0].entry.name == first


def test_search_finds_nothing_rather_than_anything(catalog: Catalog) -> None:
    """One word that fits nowhere leaves nothing."""
    assert catalog.search(("traffic", "zebra")) == []
    assert catalog.search(("",)) == []


def test_a_view_is_described(catalog: Catalog) -> None:
    """Owner, types, ttl, freshness, lineage, statistics, services, experiments and models."""
    times = [datetime(2013, 1, day, tzinfo=UTC) for day in (1, 2)]
    table = pa.table(
        {
            "origin": ["JFK", "LGA"],
            "event_timestamp": pa.array(times, pa.timestamp("us", tz="UTC")),
            "departures": pa.array([1, 3], pa.int64()),
            "mean_delay": pa.array([None, 4.0], pa.float64()),
        }
    )
    path = catalog.root / "build" / "tables" / "traffic.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table, path)
    digest = catalog.manifest.services["full"].digest
    write_json(
        catalog.root / "runs" / "gbm" / "record.json",
        {"service": "full", "features_digest": digest},
    )
    write_json(
        catalog.root / "runs" / "old" / "record.json",
        {"service": "full", "features_digest": "0" * 64},
    )
    (catalog.root / "runs" / "broken").mkdir()
    (catalog.root / "runs" / "broken" / "record.json").write_text("{")
    materialize(catalog.repo_dir, ["traffic"])

    shown = describe(catalog, "traffic")
    assert (shown["kind"], shown["owner"], shown["ttl_seconds"]) == (
        "view",
        "ops@example.com",
        21_600,
    )
    assert shown["offline"] == {
        "rows": 2,
        "oldest": "2013-01-01T00:00:00+00:00",
        "newest": "2013-01-02T00:00:00+00:00",
    }
    assert shown["online"] == {"records": 2, "newest": "2013-01-02T00:00:00+00:00", "current": True}
    assert (shown["table"], shown["reads"]) == ("traffic", ["flights"])
    assert (shown["services"], shown["experiments"]) == (["full"], ["gbm"])
    assert shown["models"] == [
        {"experiment": "gbm", "current": True},
        {"experiment": "old", "current": False},
    ]
    departures, delay = shown["features"]
    assert departures["statistics"] == {
        "null_share": 0.0,
        "low": 1,
        "median": 2.0,
        "high": 3,
        "top": [],
    }
    assert delay["statistics"]["null_share"] == 0.5
    assert delay["lineage"] == ["flights.departure", "flights.departure_delay", "flights.origin"]
    assert delay["services"] == ["full"]

    for name in ("traffic:mean_delay", "traffic__mean_delay", "mean_delay"):
        one = describe(catalog, name)
        assert (one["kind"], one["name"], len(one["features"])) == (
            "feature",
            "traffic:mean_delay",
            1,
        )
        assert one["features"][0] == delay


def test_a_view_without_rows_is_described_all_the_same(catalog: Catalog) -> None:
    """What can't be read is told, with the next step."""
    shown = describe(catalog, "traffic")
    assert "../build/tables/traffic.parquet" in shown["offline"]["problem"]
    assert "dvc repro" in shown["offline"]["hint"]
    assert "materialize" in shown["online"]["hint"]
    assert shown["features"][0]["statistics"] is None
    assert describe(catalog, "traffic", statistics=False)["offline"] is None


def test_services_on_demand_views_and_tables_are_described(catalog: Catalog) -> None:
    """Each kind has its own facts."""
    service = describe(catalog, "full")
    assert [key["name"] for key in service["join_keys"]] == ["carrier", "origin"]
    assert service["request"] == [{"name": "hour", "dtype": "Int64"}]
    assert [feature["dtype"] for feature in service["features"]] == [
        "Float64",
        "Float64",
        "Float64",
    ]
    assert service["experiments"] == ["gbm"]
    computed = describe(catalog, "airport_pressure")
    assert "def pressure(inputs):" in computed["code"]
    assert computed["features"][0]["lineage"][-1] == "request.hour"
    assert describe(catalog, "pressure")["kind"] == "feature"


def test_a_table_by_a_name_of_its_own(small: Path) -> None:
    """A feature table that no view reads can be shown."""
    (small / "features" / "tables" / "spare.sql").write_text("SELECT origin FROM flights\n")
    catalog = Catalog(small / "features", small, compile_manifest(small / "features"))
    shown = describe(catalog, "spare")
    assert (shown["kind"], shown["reads"], shown["views"]) == ("table", ["flights"], [])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("trafic", "traffic"),
        ("mean_dely", "mean_delay"),
        ("ful", "full"),
        ("zzz", "furrow features list"),
    ],
)
def test_an_unknown_name_gets_a_suggestion(catalog: Catalog, name: str, hint: str) -> None:
    """Of views, features and services alike."""
    with pytest.raises(UnknownNameError) as caught:
        describe(catalog, name)
    assert hint in caught.value.hint


def test_a_feature_of_two_views_must_be_named_in_full(small: Path, edit: Edit) -> None:
    """The hint names both."""
    edit(small / "features" / "views.py", 'name="carrier_late"', 'name="mean_delay"')
    catalog = Catalog(small / "features", small, compile_manifest(small / "features"))
    with pytest.raises(FurrowError, match="carrier_day:mean_delay, traffic:mean_delay"):
        describe(catalog, "mean_delay")


def test_feast_is_run_only_if_something_changed(catalog: Catalog, edit: Edit) -> None:
    """The first look runs the definitions, the next ones read the manifest, until a file changes."""
    said: list[str] = []
    repo_dir, root = catalog.repo_dir, catalog.root

    def looks() -> int:
        said.clear()
        opened = open_catalog(repo_dir, notify=said.append)
        assert opened.manifest == compile_manifest(repo_dir)
        return len(said)

    assert looks() == 1
    assert looks() == 0
    edit(repo_dir / "views.py", "traffic = FeatureView(", "# a comment\ntraffic = FeatureView(")
    assert looks() == 1
    assert looks() == 0
    edit(repo_dir / "tables" / "traffic.sql", "INTERVAL 3 HOURS", "INTERVAL 4 HOURS")
    assert looks() == 2
    assert "furrow compile" in said[1]
    assert looks() == 1
    assert "furrow compile" in said[0]
    write_json(repo_dir / "manifest.json", compile_manifest(repo_dir).to_json())
    assert not is_current(repo_dir)
    remember(repo_dir)
    assert looks() == 0
    for broken in ("broken", "[]", '{"features": 3}', '{"features": {"files": 3}}'):
        (root / ".furrow" / "features.json").write_text(broken)
        assert looks() == 1


def test_what_is_remembered_is_checked(catalog: Catalog, edit: Edit) -> None:
    """A remembered manifest that was tampered with is not believed."""
    edit(catalog.repo_dir / "views.py", "hours=6", "hours=3")
    assert open_catalog(catalog.repo_dir).stale
    known = catalog.root / ".furrow" / "features.json"
    known.write_text(known.read_text().replace("10800", "99999"))
    assert open_catalog(catalog.repo_dir).manifest.views["traffic"].ttl_seconds == 10_800


def test_a_manifest_edited_by_hand_is_not_trusted(catalog: Catalog) -> None:
    """The definitions win over a manifest that can't be read, and over one that says something else."""
    path = catalog.repo_dir / "manifest.json"
    remember(catalog.repo_dir)
    path.write_text(path.read_text().replace("21600", "99999"))
    opened = open_catalog(catalog.repo_dir)
    assert opened.stale
    assert opened.manifest == catalog.manifest


def test_a_folder_without_definitions_is_named(tmp_path: Path) -> None:
    """The hint says how to name the right one."""
    with pytest.raises(FurrowError) as caught:
        open_catalog(tmp_path)
    assert "no Feast repository" in caught.value.message
    assert "-C" in caught.value.hint


@pytest.mark.parametrize("text", ["- a\n", "experiments: 3\n", "experiments: [a\n"])
def test_a_wrong_table_of_experiments_is_named(catalog: Catalog, text: str) -> None:
    """The file's path is in the message."""
    (catalog.root / "conf" / "experiments.yaml").write_text(text)
    with pytest.raises(FurrowError, match=r"experiments\.yaml"):
        describe(catalog, "full")
