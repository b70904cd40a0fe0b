"""Who uses a service, whether the store is behind, and a Feast repository that is no Furrow project."""

import json
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.features.freshness import behind
from furrow.features.manifest import parse
from furrow.features.plain_compile import compile_plain, feast_folder
from furrow.features.raw_columns import declared_columns, read_contract
from furrow.features.uses import TrainedModel, experiments_of, models_of
from furrow.files import write_text

STORE = """project: plain
provider: local
registry: registry.db
entity_key_serialization_version: 3
offline_store: {type: furrow.ground.feast.offline.FurrowOfflineStore}
online_store: {type: furrow.ground.feast.online.FurrowOnlineStore, path: online}
"""
DEFINITIONS = """from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64

shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
source = FileSource(name="s", path="s.parquet", timestamp_field="t")
day = FeatureView(name="day", entities=[shop], schema=[Field(name="x", dtype=Float64)], source=source)
full = FeatureService(name="full", features=[day])
"""


def test_experiments_and_models_of_services(tmp_path: Path) -> None:
    assert experiments_of(tmp_path) == {}
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/experiments.yaml").write_text(
        "experiments: {a: {service: full}, b: {}, c: odd}\n"
    )
    assert experiments_of(tmp_path) == {"a": "full", "b": "", "c": ""}
    (tmp_path / "conf/experiments.yaml").write_text("experiments: [a]\n")
    with pytest.raises(FurrowError, match="should be a mapping"):
        experiments_of(tmp_path)
    for name, text in (
        ("a", json.dumps({"service": "full", "features_digest": "d"})),
        ("b", "{"),
        ("c", "[]"),
    ):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "record.json").write_text(text)
    assert models_of(tmp_path) == [TrainedModel("a", "full", "d")]


def test_the_feast_repository_that_is_meant(tmp_path: Path) -> None:
    """The one that a folder is in, or the only one below it; several are told of."""
    assert feast_folder(tmp_path) is None
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "feature_store.yaml").write_text(STORE)
        assert feast_folder(tmp_path / name / "inner") == tmp_path / name
    with pytest.raises(FurrowError, match="several Feast repositories: one, two"):
        feast_folder(tmp_path)


def test_a_plain_repository_is_compiled(tmp_path: Path) -> None:
    """Its manifest stands beside its settings; again it changes nothing; the store is behind until it is filled."""
    (tmp_path / "feature_store.yaml").write_text(STORE)
    (tmp_path / "anything.py").write_text(DEFINITIONS)
    made = compile_plain(tmp_path)
    assert made.changed
    assert set(made.manifest.views) == {"day"}
    assert not compile_plain(tmp_path).changed
    manifest = parse((tmp_path / "manifest.json").read_bytes(), origin="manifest.json", depth=0)
    (said,) = behind(manifest, tmp_path)
    assert said


def test_a_contract_of_types_declares_what_one_of_columns_does(tmp_path: Path) -> None:
    """Digests, lineage and cards read columns that are named by their type, and those that stand alone."""
    table = {"types": {"int64": ["a", "b"], "string_or_null": ["c"], "bool": "odd"}, "columns": {"d": {"type": "bool"}}}  # fmt: skip
    write_text(tmp_path / "conf/data/contract.yaml", json.dumps({"tables": {"t": table}}))
    assert read_contract(tmp_path) == {"t": {"a": "int64", "b": "int64", "c": "string", "d": "bool"}}  # fmt: skip
    assert declared_columns(table)["c"] == {"type": "string", "nullable": True}
