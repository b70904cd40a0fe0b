"""Runs of a DVC repository that knew no Furrow.

Each stage with metrics, at each commit that changed what it gave.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import yaml

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
    for line in os.fsdecode(lines).split("\n"):
        commit, _, rest = line.partition(" ")
        when, _, subject = rest.partition(" ")
        stages = yaml_at(root, commit, DVC_LOCK).get("stages") if commit else None
        for stage, entry in stages.items() if isinstance(stages, dict) else ():
            if not isinstance(entry, dict):
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
    paths = _metric_paths(root, commit, stage, entry)
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
        before = f"{os.path.splitext(path)[0]}/" if len(paths) > 1 else ""  # noqa: PTH122 - of Git's
        metrics |= {f"{before}{name}": value for name, value in found.values.items()}
    if not metrics:
        return {}
    config = {"name": stage, "params": _merged(entry.get("params"))}
    about = {
        "stage": stage, "commit": commit, "cmd": str(entry.get("cmd", "")), "metrics": sorted(paths),
        "deps": {str(one.get("path")): str(one.get("md5", "")) for one in entry.get("deps") or []},
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
    if len(params) == 1:
        return dict(next(iter(params.values())) or {})
    return {path: values for path, values in params.items() if values}


def _metric_paths(root: Path, commit: str, stage: str, entry: dict[str, Any]) -> dict[str, str]:
    """The outputs of a stage that dvc.yaml calls metrics, with their md5.

    A template is a pattern here.
    """
    declared = yaml_at(root, commit, DVC_YAML)
    stages = declared.get("stages") or {}
    body = stages.get(stage) or stages.get(stage.partition("@")[0]) or {}
    body = body.get("do") or body if isinstance(body, dict) else {}
    wanted = [*(body.get("metrics") or []), *(declared.get("metrics") or [])]
    names = [str(next(iter(one)) if isinstance(one, dict) else one) for one in wanted]
    patterns = [
        re.compile("".join(".+" if part.startswith("${") else re.escape(part) for part in parts))
        for parts in (re.split(r"(\$\{[^}]*\})", name) for name in names)
    ]
    outs = {str(one.get("path")): str(one.get("md5") or "") for one in entry.get("outs") or []}
    return {path: md5 for path, md5 in outs.items() if any(one.fullmatch(path) for one in patterns)}


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
