"""JSON schemas of what conf/ holds, for editors, and the line by which a YAML file names its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.data.contract import Contract
from furrow.files import machine_file, write_text
from furrow.layout import (
    CONF,
    CONTRACT,
    EXPERIMENT_YAMLS,
    EXPERIMENTS_YAML,
    GATES,
    METRICS_YAML,
    PROBLEMS,
    REPLAY_YAML,
    SCHEMAS,
)
from furrow.replay.replay_settings import Settings
from furrow.scaffold.dataclass_schema import dataclass_schema
from furrow.training.config import Calibration, Engine, Experiment, Search
from furrow.training.gate import Gate
from furrow.training.own_metrics import OwnMetric
from furrow.training.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Kind", "conf_schemas", "header", "schema_text", "write_schemas"]

_DRAFT = "http://json-schema.org/draft-07/schema#"
_OPTIONS = ("model", "calibration", "search", "engine")


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        files: A pattern of its paths in a project.
        schema: What it may hold.
    """

    files: str
    schema: Mapping[str, Any]


def conf_schemas() -> dict[str, Kind]:
    """The schema of each kind of file in conf/, by name."""
    experiment = _with_defaults(dataclass_schema(Experiment, partial=True))
    found = {
        "problem": Kind(f"{PROBLEMS}/*.yaml", dataclass_schema(Problem)),
        "experiments": Kind(EXPERIMENTS_YAML, _experiments()),
        "experiment": Kind(f"{EXPERIMENT_YAMLS}/*.yaml", experiment),
        "model": Kind(f"{CONF}/model/*.yaml", experiment),
        "gate": Kind(f"{GATES}/*.yaml", dataclass_schema(Gate)),
        "metrics": Kind(METRICS_YAML, _map("metrics", dataclass_schema(OwnMetric))),
        "contract": Kind(CONTRACT, Contract.model_json_schema()),
        "replay": Kind(REPLAY_YAML, dataclass_schema(Settings)),
    }
    for name, kind in (("calibration", Calibration), ("search", Search), ("engine", Engine)):
        own = _with_defaults(dataclass_schema(kind, partial=True))
        found[name] = Kind(f"{CONF}/{name}/*.yaml", {"anyOf": [own, experiment]})
    return found


def header(name: str, path: str) -> str:
    """The line that tells an editor the schema of a YAML file.

    Args:
        name: Of the kind.
        path: The file, from the project's root.
    """
    return f"# yaml-language-server: $schema={'../' * path.count('/')}{SCHEMAS}/{name}.json\n"


def write_schemas(root: Path, more: Mapping[str, Kind] | None = None) -> list[str]:
    """Write every schema into a project, where Git does not see them.

    They are the installed Furrow's.

    Args:
        root: The project.
        more: Kinds of other parts of Furrow.

    Returns:
        The paths that changed.
    """
    texts = {
        f"{SCHEMAS}/{name}.json": schema_text(kind)
        for name, kind in {**conf_schemas(), **(more or {})}.items()
    }
    texts[f"{SCHEMAS}/.gitignore"] = "*\n"
    changed = []
    for path, text in texts.items():
        place = machine_file(root, path)
        if not place.is_file() or place.read_text(encoding="utf-8") != text:
            write_text(place, text)
            changed.append(path)
    return changed


def schema_text(kind: Kind) -> str:
    """A schema as a file."""
    whole = {"$schema": _DRAFT, **kind.schema}
    return json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _with_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """A part of a config: it may choose options of other groups."""
    return {**schema, "properties": {**schema["properties"], "defaults": {"type": "array"}}}


def _map(key: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    entries = {"type": "object", "additionalProperties": entry}
    return {"type": "object", "additionalProperties": False, "properties": {key: entries}}


def _experiments() -> dict[str, Any]:
    words = {name: {"type": "string"} for name in ("problem", "service", *_OPTIONS)}
    entry = {"type": "object", "additionalProperties": False, "properties": words}
    return _map("experiments", {**entry, "required": ["service"]})
