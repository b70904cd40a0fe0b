"""MLflow's runs as DVC experiments, its registered versions as tags.

Searched and shown like any other.
"""

from __future__ import annotations

import json
import math
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from furrow.ground.git import git
from furrow.ground.project_place import project_prefix
from furrow.intake.mlflow_store import last
from furrow.layout import METRICS_JSON, RECORD_JSON, RUN_CONFIG
from furrow.trials.foreign_runs import ForeignRun, Imported, record_runs, slug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from furrow.intake.mlflow_store import MlflowRun, MlflowStore, MlflowVersion, Point

__all__ = ["import_store", "run_files"]

_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9]\d{0,17})(\.\d+)?([eE][-+]?\d+)?")


def import_store(
    root: Path, store: MlflowStore, *, watch: Callable[[str], None] = lambda _: None
) -> Imported:
    """Record what a store holds that is not recorded yet.

    An experiment of MLflow becomes a name of runs, each run a commit beside HEAD: parameters in
    config.yaml, metrics in metrics.json, every point of their curves in plots/, tags in
    record.json.

    Args:
        root: The repository, with a commit.
        store: As read.
        watch: Told the name of each run.

    Raises:
        ExperimentError: The repository can't be written; what is recorded stays so, and the next
            import goes on from there.
    """
    found = record_runs(root, _foreign(store, watch), tool="Mlflow")
    found.notes += store.notes
    _tags(root, store.versions, found)
    return found


def _foreign(store: MlflowStore, watch: Callable[[str], None]) -> Iterator[ForeignRun]:
    for run in store.runs:
        watch(run.name)
        when = (run.ended or run.started) // 1000
        yield ForeignRun(run.id, run.experiment, run.name, run_files(run), when)


def run_files(run: MlflowRun) -> dict[str, bytes]:
    """The files of a run, by path in runs/NAME/.

    Args:
        run: As read.
    """
    config = {
        "name": run.name,
        "description": run.tags.get("mlflow.note.content", ""),
        "params": {name: _value(text) for name, text in sorted(run.params.items())},
    }
    tags = {name: text for name, text in sorted(run.tags.items()) if not name.startswith("mlflow.")}
    about = {
        "run": run.id, "experiment": run.experiment, "status": run.status, "user": run.user,
        "started": run.started, "ended": run.ended, "artifacts": run.artifacts,
        "source": run.tags.get("mlflow.source.name", ""),
        "commit": run.tags.get("mlflow.source.git.commit", ""),
    }  # fmt: skip
    metrics = {name: _number(last(points)) for name, points in sorted(run.metrics.items())}
    files = {
        RUN_CONFIG: yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=10**6),
        METRICS_JSON: _json(metrics),
        RECORD_JSON: _json({"format": 1, "mlflow": about, "tags": tags}),
    }
    for name, points in run.metrics.items():
        if len(points) > 1:
            files[f"plots/{quote(name, safe=' +=@')}.tsv"] = _curve(name, points)
    return {path: text.encode("utf-8", "backslashreplace") for path, text in files.items()}


def _value(text: str) -> Any:
    """A parameter: numbers as numbers, so that they can be compared; all else as its text."""
    if _PLAIN_NUMBER.fullmatch(text):
        whole = not re.search(r"[.eE]", text)
        return int(text) if whole else float(text)
    return {"True": True, "False": False}.get(text, text)


def _number(value: float) -> float | str:
    """A metric as JSON has it; what is no number there, as text."""
    return value if math.isfinite(value) else str(value)


def _curve(name: str, points: Sequence[Point]) -> str:
    """Every point in order: step, moment in ms, value."""
    heading = re.sub(r"\s", " ", name)
    rows = [f"{step}\t{moment}\t{value!r}" for step, moment, value in sorted(points, key=_place)]
    return "\n".join([f"step\tmoment\t{heading}", *rows]) + "\n"


def _place(point: Point) -> tuple[int, int]:
    return point[0], point[1]


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _tags(root: Path, versions: Sequence[MlflowVersion], found: Imported) -> None:
    """A tag MODEL@vN.0.0 for each registered version, as GTO has it."""
    lines = os.fsdecode(git(root, "for-each-ref", "--format=%(refname:short)", "refs/tags"))
    there, prefix = set(lines.split("\n")), project_prefix(root).rstrip("/")
    for one in versions:
        tag = f"{f'{prefix}=' if prefix else ''}{slug(one.model, '-') or 'model'}@v{one.number}.0.0"
        if one.run not in found.commits:
            found.notes.append(f"version {one.number} of {one.model}: its run is not in the store")
        elif tag not in there:
            facts = {"mlflow": {"run": one.run, "stage": one.stage, "aliases": list(one.aliases)}}
            said = f"{one.model}, version {one.number} of MLflow\n\n{_json(facts)}"
            git(root, "tag", "-a", "-m", said, tag, found.commits[one.run])
            there.add(tag)
            found.versions.append(tag)
