"""A diff tells what changed in words, and whom it concerns."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.features.build import compile_manifest
from furrow.features.catalog import Catalog
from furrow.features.manifest_diff import diff, duration
from furrow.features.revision_compare import since
from furrow.features.schema import Manifest
from furrow.files import write_json

Edit = Callable[[Path, str, str], None]

CASES = {
    "ttl": [("views.py", "hours=6", "hours=3", ["traffic.ttl 6h -> 3h"])],
    "no ttl": [("views.py", "hours=6", "hours=0", ["traffic.ttl 6h -> never expires"])],
    "sql": [("tables/traffic.sql", "INTERVAL 3 HOURS", "INTERVAL 4 HOURS", ["traffic SQL changed"])],
    "sql and a feature": [
        ("tables/traffic.sql", "AS departures,", "AS departures, max(departure_delay) OVER recent AS worst,", None),
        (
            "views.py",
            'Field(name="departures", dtype=Int64)',
            'Field(name="departures", dtype=Int64), Field(name="worst", dtype=Int64)',
            ["traffic SQL changed: +1 feature", "traffic + feature worst (Int64)"],
        ),
    ],
    "other raw tables": [
        ("tables/carrier_day.sql", "JOIN airlines AS a", "JOIN planes AS a", ["carrier_day SQL changed: +reads planes, -reads airlines"])
    ],
    "type": [("views.py", 'departures", dtype=Int64', 'departures", dtype=Float64', ["traffic.departures Int64 -> Float64"])],
    "feature renamed": [
        ("views.py", '"departures"', '"left"', ["traffic + feature left (Int64)", "traffic - feature departures"])
    ],
    "key": [
        (
            "entities.py",
            'join_keys=["carrier"]',
            'join_keys=["airline"]',
            ["carrier_day.join_keys carrier String -> airline String"],
        )
    ],
    "source": [
        (
            "views.py",
            "tables/carrier_day.parquet",
            "tables/other.parquet",
            ["carrier_day.source ../build/tables/carrier_day.parquet -> ../build/tables/other.parquet"],
        )
    ],
    "timestamp": [
        (
            "views.py",
            'carrier_day.parquet", timestamp_field="event_timestamp"',
            'carrier_day.parquet", timestamp_field="at", created_timestamp_column="made"',
            [
                "carrier_day.timestamp_field event_timestamp -> at",
                "carrier_day.created_timestamp_column none -> made",
            ],
        )
    ],
    "owner": [("views.py", 'owner="ops@example.com",\n    description="Dep', 'owner="air@example.com",\n    description="Dep', [
        "traffic.owner 'ops@example.com' -> 'air@example.com'"
    ])],
    "tags": [("views.py", '"domain": "traffic"', '"domain": "air"', ["traffic.tags +domain=air, -domain=traffic"])],
    "constant": [("on_demand.py", "LATE = 15", "LATE = 20", ["airport_pressure code changed: LATE 15 -> 20"])],
    "function": [("on_demand.py", "min(value, top)", "max(value, top)", ["airport_pressure code changed: clip()"])],
    "output": [
        (
            "computed.py",
            'pressure", dtype=Float64',
            'pressure", dtype=Int64',
            ["airport_pressure.pressure Float64 -> Int64"],
        )
    ],
    "input": [
        (
            "computed.py",
            'name="hour", dtype=Int64',
            'name="hour", dtype=Float64',
            ["airport_pressure.inputs +request:hour (Float64), -request:hour (Int64)"],
        )
    ],
    "projection": [("services.py", 'traffic[["mean_delay"]]', "traffic", ["full.traffic +feature departures"])],
    "new view in a service": [
        ("services.py", "features=[carrier_day],", "features=[carrier_day, traffic],", ["basic + view traffic"])
    ],
    "order": [
        (
            "services.py",
            'carrier_day, traffic[["mean_delay"]]',
            'traffic[["mean_delay"]], carrier_day',
            ["full takes its views in another order: traffic, carrier_day, airport_pressure"],
        )
    ],
    "alias": [
        (
            "services.py",
            "[carrier_day, traffic",
            '[carrier_day.with_name("day"), traffic',
            ["full + view day", "full - view carrier_day"],
        )
    ],
    "service renamed": [("services.py", 'name="basic"', 'name="plain"', ["plain added", "basic removed"])],
    "store": [
        ("feature_store.yaml", "path: ../build/online", "path: ../build/other", ["online_store options changed: path"])
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_told_in_words(small: Path, edit: Edit, name: str) -> None:
    """One line a change, that says from what to what; and the reverse change is seen too."""
    before = compile_manifest(small / "features")
    for file, old, new, _ in CASES[name]:
        edit(small / "features" / file, old, new)
    after = compile_manifest(small / "features")
    found = diff(before, after)
    assert [str(change) for change in found.changes] == CASES[name][-1][3]
    assert bool(found.services) == (before.digest != after.digest)
    assert any(change.meaning for change in found.changes) == (before.digest != after.digest)
    assert diff(after, before)


def test_nothing_changed(small: Path) -> None:
    """A diff of equals is false and empty."""
    manifest = compile_manifest(small / "features")
    found = diff(manifest, manifest)
    assert not found
    assert found.to_json() == {"changes": [], "services": [], "experiments": [], "models": []}


def test_added_and_removed_definitions(small: Path) -> None:
    """Everything is new compared with an empty repository, and gone the other way."""
    manifest = compile_manifest(small / "features")
    empty = Manifest(project="small", digest="", online_store=manifest.online_store)
    said = [str(change) for change in diff(empty, manifest).changes]
    assert said == [
        "carrier_day added", "traffic added", "carrier_day added", "traffic added", "airport_pressure added",
        "basic added", "full added",
    ]  # fmt: skip
    assert {str(change).split()[1] for change in diff(manifest, empty).changes} == {"removed"}


@pytest.mark.parametrize(
    ("seconds", "word"),
    [
        (None, "never expires"),
        (0, "never expires"),
        (30, "30s"),
        (5400, "90m"),
        (21_600, "6h"),
        (1_209_600, "14d"),
    ],
)
def test_durations_in_words(seconds: int | None, word: str) -> None:
    """In the largest unit that fits."""
    assert duration(seconds) == word


def committed(root: Path, git: Callable[..., str]) -> Manifest:
    manifest = compile_manifest(root / "features")
    write_json(root / "features" / "manifest.json", manifest.to_json())
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "features")
    return manifest


def test_since_a_commit_tells_services_experiments_and_models(
    small: Path, edit: Edit, git: Callable[..., str]
) -> None:
    """Only what stands on the change is concerned: its services, their experiments, the models trained before."""
    manifest = committed(small, git)
    for name, service in (("gbm", "full"), ("logistic", "basic")):
        record = {"service": service, "features_digest": manifest.services[service].digest}
        write_json(small / "runs" / name / "record.json", record)
    edit(small / "features" / "views.py", "hours=6", "hours=3")
    now = compile_manifest(small / "features")
    found = since(Catalog(small / "features", small, now), "HEAD")
    assert [str(change) for change in found.changes] == ["traffic.ttl 6h -> 3h"]
    assert (found.services, found.experiments, found.models) == (("full",), ("gbm",), ("gbm",))
    record = {"service": "full", "features_digest": now.services["full"].digest}
    write_json(small / "runs" / "gbm" / "record.json", record)
    assert since(Catalog(small / "features", small, now), "HEAD").models == ()


def test_since_refuses_what_it_can_t_compare_with(small: Path, git: Callable[..., str]) -> None:
    """An unknown revision, one without a manifest, one with a manifest that can't be trusted."""
    first = git(small, "rev-parse", "HEAD")
    manifest = committed(small, git)
    catalog = Catalog(small / "features", small, manifest)
    with pytest.raises(FurrowError, match="nowhere"):
        since(catalog, "nowhere")
    with pytest.raises(FurrowError, match=r"has no features/manifest\.json"):
        since(catalog, first)
    value = manifest.to_json()
    value["views"]["traffic"]["ttl_seconds"] = 1
    (small / "features" / "manifest.json").write_text(json.dumps(value))
    git(small, "commit", "-qam", "by hand")
    with pytest.raises(FurrowError, match=r"HEAD:features/manifest\.json: views\.traffic\.digest"):
        since(catalog, "HEAD")
