"""Schemas of conf/ take what Furrow takes, and refuse what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from furrow.ci.ci_settings import CiSettings
from furrow.cli.schema import command
from furrow.scaffold.conf_schemas import conf_schemas, header, write_schemas
from furrow.scaffold.dataclass_schema import dataclass_schema, described
from furrow.training.problem import Problem, Split

if TYPE_CHECKING:
    from tests.scaffold.conftest import Made

REPOSITORY = Path(__file__).parents[2]
PLACES = [REPOSITORY, *sorted((REPOSITORY / "tests/projects").glob("*/"))]


@pytest.mark.parametrize("name", sorted(conf_schemas()))
def test_every_declaration_that_is_there_fits(name: str, project: Made) -> None:
    """Each file of the example, of the other projects, and of a new one."""
    kind = conf_schemas()[name]
    jsonschema.Draft7Validator.check_schema(kind.schema)
    known = jsonschema.Draft7Validator(kind.schema)
    for root in (*PLACES, project.root):
        for path in root.glob(kind.files):
            value = json.dumps(yaml.safe_load(path.read_text()), default=str)  # moments are text
            errors = list(known.iter_errors(json.loads(value)))
            assert errors == [], f"{path}: {errors[:1]}"


WRONG = [
    ("problem", {"task": "binary", "entity": ["id"], "spine": "s.sql", "label": "y", "splt": {}}),
    ("problem", {"task": "binary", "entity": ["id"], "spine": "s.sql"}),
    (
        "problem",
        {"task": "binary", "entity": "id", "spine": "s", "label": "y", "split": {"by": "day"}},
    ),
    ("experiments", {"experiments": {"gbm": {"problem": "late", "modell": "gbm"}}}),
    ("gate", {"minimum": {"roc_auc": "high"}}),
    ("metrics", {"metrics": {"cost": {"function": "a:b", "direction": "minimize", "task": []}}}),
    ("contract", {"tables": {"t": {"files": "t.parquet", "columns": {"a": {"typ": "int64"}}}}}),
    ("experiment", {"model": {}, "featurs": {}}),
    ("search", {"trials": "many"}),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_misspelt_does_not_fit(name: str, value: Any) -> None:
    """An unknown key, one that lacks, a value of another type."""
    assert not jsonschema.Draft7Validator(conf_schemas()[name].schema).is_valid(value)


def test_descriptions_come_from_the_code() -> None:
    """What an editor shows is what the dataclass says."""
    assert described(Split)["timezone"] == "On whose clocks a period is a period."
    found = dataclass_schema(Problem)
    assert found["properties"]["label"]["description"] == "The column that holds what came of it."
    assert found["required"] == ["task", "entity", "spine", "label"]
    assert "required" not in dataclass_schema(Problem, partial=True)
    assert dataclass_schema(CiSettings)["properties"]["sample"]["type"] == "integer"


def test_generated_files_name_their_schema(project: Made, tmp_path: Path) -> None:
    """The first line of each leads to a schema that init wrote, which Git does not see."""
    for path in ("conf/problem/churned.yaml", "conf/experiments.yaml", "conf/data/contract.yaml"):
        first = (project.root / path).read_text().splitlines()[0]
        place = (project.root / path).parent / first.rpartition("$schema=")[2]
        assert "properties" in json.loads(place.read_text())
    assert write_schemas(tmp_path) == [
        *(f".furrow/schema/{name}.json" for name in conf_schemas()),
        ".furrow/schema/.gitignore",
    ]
    assert write_schemas(tmp_path) == []
    assert header("ci", "conf/ci.yaml").endswith("$schema=../.furrow/schema/ci.json\n")


def test_one_schema_is_printed() -> None:
    """As JSON; a name that is none suggests the right one."""
    said = CliRunner().invoke(command, ["ci"])
    assert json.loads(said.output)["properties"]["worse"]["type"]
    assert "did you mean 'problem'?" in CliRunner().invoke(command, ["problm"]).exception.hint
