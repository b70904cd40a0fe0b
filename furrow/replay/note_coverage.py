"""Whether a note that says "all is well" speaks of all: every stage that the commit declares and dvc.lock records.

An empty verdict is identical in every part that it has, and so is one that leaves the awkward stage out.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import inside, write_bytes
from furrow.ground.git import show
from furrow.ground.pipeline import read_pipeline
from furrow.history.artifacts import yaml_at
from furrow.layout import DVC_LOCK, DVC_YAML
from furrow.replay.replay_verdict import IDENTICAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.replay.replay_verdict import Verdict

__all__ = ["uncovered"]

_EMPTY_FOLDER = "d751713988987e9331980363e24189ce.dir"


def uncovered(repo: Path, commit: str, verdict: Verdict) -> list[str]:
    """What a good verdict leaves out of the commit that it is of, in words.

    Args:
        repo: A folder inside the repository; it may be bare.
        commit: The full id of the commit.
        verdict: What a note says. One that is not good claims nothing, and needs no proof.
    """
    if not verdict:
        return []
    if verdict.scope.keys() - {"experiment", "stage"}:
        return [f"its scope is {', '.join(verdict.scope)}, which no replay has"]
    try:
        wanted = [name for name in _declared(repo, commit) if _in_scope(name, verdict.scope)]
    except FurrowError as exc:
        return [f"the commit's stages can't be told: {exc.message}"]
    there = {stage.stage for stage in verdict.stages}
    problems = [f"{name}: the note leaves it out" for name in wanted if name not in there]
    if not verdict.stages:
        problems.append("it speaks of no stage at all")
    problems += [
        f"{output.path}: said to be identical, without a file of it"
        for stage in verdict.stages
        for output in stage.outputs
        if output.status == IDENTICAL and not output.sha256 and output.recorded_md5 != _EMPTY_FOLDER
    ]
    return problems


def _in_scope(name: str, scope: dict[str, str]) -> bool:
    if "stage" in scope:
        return name == scope["stage"] or name.startswith(f"{scope['stage']}@")
    return "experiment" not in scope or name.endswith(f"@{scope['experiment']}")


def _declared(repo: Path, commit: str) -> list[str]:
    """The stages that dvc.yaml declares, and that dvc.lock has; those that are frozen are never run."""
    files = {DVC_YAML, DVC_LOCK, "params.yaml", *_files(yaml_at(repo, commit, DVC_YAML))}
    with tempfile.TemporaryDirectory(prefix="furrow-note-") as scratch:
        root = Path(scratch)
        (root / ".dvc").mkdir()
        for path in files:
            content = show(repo, commit, path)
            if content is not None:
                write_bytes(inside(root, path), content)
        found = read_pipeline(root)
    return [name for name, step in found.steps.items() if step.recorded and not step.frozen]


def _files(content: dict[str, Any]) -> Iterator[str]:
    """The files that templates take values from."""
    stages = content.get("stages")
    bodies = list(stages.values()) if isinstance(stages, dict) else []
    bodies += [body["do"] for body in bodies if isinstance(body, dict) and isinstance(body.get("do"), dict)]
    for part in (content, *bodies):
        entries = part.get("vars") if isinstance(part, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, str):
                yield entry.partition(":")[0]
