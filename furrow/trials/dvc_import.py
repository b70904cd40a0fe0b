"""Runs of a DVC repository that knew no Furrow.

Each stage with metrics, at each commit that changed what it gave.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import yaml

from furrow.errors import FurrowError
from furrow.files import canonical_json, sha256_bytes
from furrow.ground.git import git, show
from furrow.ground.project_place import project_prefix
from furrow.history.artifacts import cached, yaml_at
from furrow.history.metrics_file import MetricsFileError, read_metrics
from furrow.layout import DVC_LOCK, DVC_YAML, METRICS_JSON, RECORD_JSON, RUN_CONFIG
from furrow.parse import parse_json
from furrow.trials.foreign_runs import ForeignRun, Imported, record_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["import_dvc"]


def import_dvc(root: Path) -> Imported:
    """Record the runs that the history of a DVC repository holds.

    A stage is a name of runs; a run is what the stage gave once: its metrics, the parameters that
    dvc.lock says it read, its command. Nothing of the repository itself is changed.

    Args:
        root: The folder with dvc.yaml.

    Raises:
        ExperimentError: The repository can't be written; what is recorded stays so.
    """
    notes: list[str] = []
    found = record_runs(root, _runs(root, notes), tool="Dvc")
    found.notes += notes
    return found


def _runs(root: Path, notes: list[str]) -> Iterator[ForeignRun]:
    """What each commit's dvc.lock says for the first time, oldest first."""
    path = f":(top,literal){project_prefix(root)}{DVC_LOCK}"
    lines = git(
        root, "log", "--branches", "--tags", "--remotes", "--reverse", "--topo-order",
        "--format=%H %ct %s", "--", path,
    )  # fmt: skip
    seen: set[str] = set()
    if not lines.strip():
        notes.append(
            f"no commit holds {DVC_LOCK}, which says what ran: `dvc repro`, then commit it"
        )
    for line in os.fsdecode(lines).split("\n"):
        commit, _, rest = line.partition(" ")
        when, _, subject = rest.partition(" ")
        stages = _read(root, commit, DVC_LOCK, notes).get("stages") if commit else None
        if commit and not isinstance(stages, dict):
            notes.append(f"{DVC_LOCK} at {commit[:10]} holds no stages: left out")
        for stage, entry in _mapping(stages).items():
            if not isinstance(entry, dict):
                notes.append(f"{stage} in {DVC_LOCK} at {commit[:10]} is no stage: left out")
                continue
            key = sha256_bytes(
                canonical_json([stage, parse_json(json.dumps(entry, default=str))]).encode()
            )
            if key in seen:
                continue
            seen.add(key)
            files = _files(root, commit, str(stage), entry, notes)
            if files:
                title = f"{stage}: {subject}"
                yield ForeignRun(f"{commit[:12]}-{stage}", str(stage), title, files, int(when))


def _files(
    root: Path, commit: str, stage: str, entry: dict[str, Any], notes: list[str]
) -> dict[str, bytes]:
    """The files of a run; none for a stage without metrics."""
    metrics: dict[str, Any] = {}
    paths = _metric_paths(root, commit, stage, entry, notes)
    for path, md5 in paths.items():
        content = show(root, commit, path)
        if content is None and md5 and (place := cached(root, md5)):
            content = place.read_bytes()
        if content is None:
            notes.append(f"{path} of {stage} at {commit[:10]} is not on this machine: `dvc fetch`")
            continue
        try:
            found = read_metrics(path, content)
        except MetricsFileError as exc:
            notes.append(f"{path} of {stage} at {commit[:10]}: {exc}")
            continue
        # of Git's
        before = f"{os.path.splitext(path)[0]}/" if len(paths) > 1 else ""  # noqa: PTH122
        metrics |= {f"{before}{name}": value for name, value in found.values.items()}
    if not metrics:
        return {}
    config = {"name": stage, "params": _merged(entry.get("params"))}
    about = {
        "stage": stage, "commit": commit, "cmd": str(entry.get("cmd", "")), "metrics": sorted(paths),
        "deps": {str(one.get("path")): str(one.get("md5", "")) for one in _mappings(entry.get("deps"))},
    }  # fmt: skip
    texts = {
        RUN_CONFIG: yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=10**6),
        METRICS_JSON: _json(metrics),
        RECORD_JSON: _json({"format": 1, "dvc": about}),
    }
    return {path: text.encode("utf-8", "backslashreplace") for path, text in texts.items()}


def _merged(params: Any) -> dict[str, Any]:
    """Parameters of one file as they are; of several, under each file's name."""
    if not isinstance(params, dict):
        return {}
    held = {str(path): values for path, values in params.items() if isinstance(values, dict)}
    if len(held) == 1:
        return dict(next(iter(held.values())))
    return {path: values for path, values in held.items() if values}


def _mapping(value: Any) -> dict[str, Any]:
    """A mapping; an empty one where something else stands, as in a file that was merged badly."""
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _read(root: Path, commit: str, path: str, notes: list[str]) -> dict[str, Any]:
    """A file of a commit; one that was committed with the marks of a merge hides no other commit."""
    try:
        return yaml_at(root, commit, path)
    except FurrowError as exc:
        if (said := exc.message) not in notes:
            notes.append(said)
        return {}


def _metric_paths(
    root: Path, commit: str, stage: str, entry: dict[str, Any], notes: list[str]
) -> dict[str, str]:
    """The outputs of a stage that dvc.yaml calls metrics, with their md5.

    A template is a pattern here.
    """
    declared = _read(root, commit, DVC_YAML, notes)
    stages = _mapping(declared.get("stages"))
    body = _mapping(stages.get(stage) or stages.get(stage.partition("@")[0]))
    body = _mapping(body.get("do")) or body
    held = [one.get("metrics") for one in (body, declared)]
    wanted = [name for one in held if isinstance(one, list) for name in one if name]
    names = [str(next(iter(one)) if isinstance(one, dict) else one) for one in wanted]
    patterns = [
        re.compile("".join(".+" if part.startswith("${") else re.escape(part) for part in parts))
        for parts in (re.split(r"(\$\{[^}]*\})", name) for name in names)
    ]
    outs = {str(one.get("path")): str(one.get("md5") or "") for one in _mappings(entry.get("outs"))}
    return {path: md5 for path, md5 in outs.items() if any(one.fullmatch(path) for one in patterns)}


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
