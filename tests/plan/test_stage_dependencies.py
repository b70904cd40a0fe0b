"""Compile holds the stages of dvc.yaml against what SQL and Feast say they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from furrow.features.schema import Column, Input, Manifest, OnDemandView, OnlineStore, Projection, Service, Table, View
from furrow.plan.compile import StageError, check_stages

if TYPE_CHECKING:
    from pathlib import Path


def manifest() -> Manifest:
    """A service of an on-demand view alone, whose inputs are stored views."""
    tables = {name: Table(name, "", (), f"../build/tables/{name}.parquet") for name in ("near", "far")}
    key = (Column("k", "Int64"),)
    views = {
        name: View(name, "", name, table.source, key, (Column(f"{name}_x", "Float64"),), "event_timestamp")
        for name, table in tables.items()
    }
    inputs = (Input("near", "near_x", "Float64"), Input("far", "far_x", "Float64"), Input("request", "r", "Int64"))
    made = OnDemandView("ratio", "", inputs, (Column("ratio", "Float64"),), "", "ratio")
    service = Service("s", "", (Projection("ratio", "ratio", ("ratio",)),))
    return Manifest(
        "p", "", OnlineStore("lmdb"), tables=tables, views=views, on_demand={"ratio": made}, services={"s": service}
    )


def stages(tmp_path: Path, *training: str) -> Path:
    """A dvc.yaml whose training set depends on some tables."""
    deps = ["runs/.compiled", "data/flights", *(f"build/tables/{name}.parquet" for name in training)]
    declared = {
        f"tables_{name}": {"deps": [f"features/tables/{name}.sql", "runs/.validated"]} for name in ("near", "far")
    }
    path = tmp_path / "dvc.yaml"
    path.write_text(yaml.safe_dump({"stages": {**declared, "training_set_s": {"deps": deps}}}))
    return path


def test_the_inputs_of_on_demand_views_count(tmp_path: Path) -> None:
    """A training set depends on the tables behind an on-demand view's inputs."""
    check_stages(stages(tmp_path, "near", "far"), manifest())


@pytest.mark.parametrize("missing", ["near", "far"])
def test_a_table_that_an_on_demand_view_needs(tmp_path: Path, missing: str) -> None:
    """Without one of them the training set would be stale after a change of data: compile says the line to add."""
    kept = "far" if missing == "near" else "near"
    with pytest.raises(StageError, match=f"training_set_s reads build/tables/{missing}.parquet") as caught:
        check_stages(stages(tmp_path, kept), manifest())
    assert caught.value.hint == f"add to its deps: - build/tables/{missing}.parquet"
