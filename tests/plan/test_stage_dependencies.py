"""Compile holds the stages of dvc.yaml against what SQL and Feast say they read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import yaml

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
from furrow.plan.stage_file import check_stages
from furrow.plan.stage_graph import StageError, WrittenStage, expected_stages

if TYPE_CHECKING:
    from pathlib import Path


def manifest() -> Manifest:
    """A service of an on-demand view alone, whose inputs are stored views."""
    tables = {
        name: Table(name, "", (), f"../build/tables/{name}.parquet") for name in ("near", "far")
    }
    key = (Column("k", "Int64"),)
    views = {
        name: View(
            name, "", name, table.source, key, (Column(f"{name}_x", "Float64"),), "event_timestamp"
        )
        for name, table in tables.items()
    }
    inputs = (
        Input("near", "near_x", "Float64"),
        Input("far", "far_x", "Float64"),
        Input("request", "r", "Int64"),
    )
    made = OnDemandView("ratio", "", inputs, (Column("ratio", "Float64"),), "", "ratio")
    service = Service("s", "", (Projection("ratio", "ratio", ("ratio",)),))
    return Manifest(
        "p",
        "",
        OnlineStore("lmdb"),
        tables=tables,
        views=views,
        on_demand={"ratio": made},
        services={"s": service},
    )


def stages(tmp_path: Path, *training: str) -> dict[str, WrittenStage]:
    """A project whose training set's stage depends on some tables; what compile expects of its dvc.yaml."""
    spine = "features/spines/p.sql"
    (tmp_path / "features" / "spines").mkdir(parents=True)
    (tmp_path / spine).write_text("SELECT 1 AS k, now() AS event_timestamp, TRUE AS label")
    problem, contract = SimpleNamespace(name="p", spine=spine), SimpleNamespace(tables={})
    expected = expected_stages(tmp_path, manifest(), contract, [(problem, "s")])  # type: ignore[arg-type,list-item]
    declared = {
        name: {"cmd": stage.cmd, "deps": list(stage.deps)} for name, stage in expected.items()
    }
    needless = {f"build/tables/{name}.parquet" for name in ("near", "far")} - {
        f"build/tables/{t}.parquet" for t in training
    }
    declared["training_set_p_s"]["deps"] = [
        dep for dep in expected["training_set_p_s"].deps if dep not in needless
    ]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": declared}))
    return expected


def test_the_inputs_of_on_demand_views_count(tmp_path: Path) -> None:
    """A training set depends on the tables behind an on-demand view's inputs."""
    expected = stages(tmp_path, "near", "far")
    assert {"build/tables/near.parquet", "build/tables/far.parquet"} <= set(
        expected["training_set_p_s"].deps
    )
    check_stages(tmp_path, expected)


@pytest.mark.parametrize("missing", ["near", "far"])
def test_a_table_that_an_on_demand_view_needs(tmp_path: Path, missing: str) -> None:
    """Without one of them the training set would be stale after a change of data: compile names it."""
    expected = stages(tmp_path, "far" if missing == "near" else "near")
    with pytest.raises(StageError) as caught:
        check_stages(tmp_path, expected)
    assert f"build/tables/{missing}.parquet" in f"{caught.value.message} {caught.value.hint}"
