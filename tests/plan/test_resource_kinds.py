"""The registry of kinds: each stage makes one resource, and what speaks of kinds speaks of those that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from furrow.plan.plan_spec import KINDS
from furrow.plan.resource_kinds import RESOURCE_KINDS, kind_named, resource_of
from furrow.plan.resources import experiment_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("stage", "made"),
    [
        ("compile", ("declarations", "declarations")),
        ("validate", ("contract", "contract")),
        ("select", ("champion", "champion")),
        ("tables_carrier_day", ("tables", "carrier_day")),
        ("tables@b", ("tables", "b")),
        ("training_set_late_full", ("training_sets", "late_full")),
        ("train@gbm", ("experiments", "gbm")),
        ("evaluate@gbm", ("experiments", "gbm")),
        ("selected", ("stages", "selected")),
        ("prep/dvc.yaml:train@gbm", ("stages", "prep/dvc.yaml:train@gbm")),
        ("copy", ("stages", "copy")),
    ],
)
def test_what_a_stage_makes(stage: str, made: tuple[str, str]) -> None:
    """The kind and the name; a stage of a person's own is a resource of its own."""
    assert resource_of(stage) == made
    assert experiment_of(stage) == (made[1] if made[0] == "experiments" else None)


def test_kinds_are_said_once() -> None:
    """Names are unique, patterns claim different stages, and the schema of plans knows no others."""
    assert len(set(KINDS)) == len(KINDS) == len(RESOURCE_KINDS)
    for stage in ("compile", "tables_a", "training_set_a_b", "train@a", "select", "validate"):
        assert (
            sum(bool(re.fullmatch(kind.stages, stage)) for kind in RESOURCE_KINDS if kind.stages)
            == 1
        )
    assert {kind_named(kind).told for kind in KINDS} == {"", "data", "features"}
    text = json.dumps(json.loads((ROOT / "furrow/plan/plan.schema.json").read_text()))
    listed = re.search(r'"enum": (\["data"[^\]]*\])', text)
    assert listed is not None
    assert json.loads(listed[1]) == list(KINDS)


def test_no_other_module_lists_kinds() -> None:
    """No tuple, set or mapping of them elsewhere."""
    pair = re.compile(r'"(\w+)", "(\w+)"')
    said = [
        f"{path.name}: {match[0]}"
        for path in (ROOT / "furrow").rglob("*.py")
        if path.name != "resource_kinds.py" and path.parts[-2] in ("plan", "ci")
        for match in pair.finditer(path.read_text())
        if match[1] != match[2]
        and {match[1], match[2]}
        <= {"models", "deployments", "views", "registry", "training_sets", "online_store"}
    ]
    assert said == [], said
