"""Whether a note that says "all is well" speaks of all.

Every stage that the commit declares and dvc.lock records.

An empty verdict is identical in every part that it has, and so is one that leaves the awkward stage
out.
"""

from __future__ import annotations

import posixpath
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import inside, write_bytes
from furrow.ground.git import files_at, show
from furrow.ground.pipeline import read_pipeline
from furrow.ground.project_place import project_prefix
from furrow.history.artifacts import yaml_at
from furrow.layout import DVC_CONFIG, DVC_LOCK, DVC_YAML
from furrow.replay.replay_verdict import IDENTICAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from furrow.ground.pipeline_spec import Step
    from furrow.replay.replay_verdict import Verdict

__all__ = ["recorded_steps", "uncovered"]

_EMPTY_FOLDER = "d751713988987e9331980363e24189ce.dir"


def uncovered(steps: Mapping[str, Step] | str, verdict: Verdict) -> list[str]:
    """What a good verdict leaves out of the commit that it is of, in words.

    Args:
        steps: From `recorded_steps`.
        verdict: What a note says. One that is not good claims nothing, and needs no proof.
    """
    if not verdict:
        return []
    if verdict.scope.keys() - {"experiment", "stage"}:
        return [f"its scope is {', '.join(verdict.scope)}, which no replay has"]
    if isinstance(steps, str):
        return [f"the commit's stages can't be told: {steps}"]
    wanted = [
        name for name, step in steps.items() if not step.frozen and _in_scope(name, verdict.scope)
    ]
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


def recorded_steps(repo: Path, commit: str) -> dict[str, Step] | str:
    """The project's own stages that its dvc.yaml files declare at a commit, and its dvc.lock files record.

    Args:
        repo: A folder inside the repository; it may be bare.
        commit: The full id of the commit.

    Returns:
        By name; or in words why they can't be told.
    """
    prefix = project_prefix(repo)
    try:
        with tempfile.TemporaryDirectory(prefix="furrow-note-") as scratch:
            top = Path(scratch)
            root = top / prefix
            own = not prefix or show(repo, commit, DVC_CONFIG) is not None
            root.mkdir(parents=True, exist_ok=True)
            ((root if own else top) / ".dvc").mkdir()
            for path in sorted(_needed(repo, commit)):
                content = show(repo, commit, path)
                if content is not None:
                    write_bytes(inside(top, posixpath.normpath(f"{prefix}{path}")), content)
            found = read_pipeline(root)
    except FurrowError as exc:
        return exc.message
    return {
        name: step
        for name, step in found.steps.items()
        if step.recorded and not step.file.startswith("../")
    }


def _needed(repo: Path, commit: str) -> set[str]:
    """The files that say what a project's stages are, from its root."""
    declared = {
        path for path in files_at(repo, commit) if posixpath.basename(path) in {DVC_YAML, DVC_LOCK}
    }
    found = declared | {DVC_YAML, DVC_LOCK}
    for path in sorted(name for name in found if name.endswith(".yaml")):
        folder = posixpath.dirname(path)
        names = ("params.yaml", *_files(yaml_at(repo, commit, path)))
        found |= {posixpath.normpath(posixpath.join(folder, name)) for name in names}
    return found


def _files(content: dict[str, Any]) -> Iterator[str]:
    """The files that templates take values from."""
    stages = content.get("stages")
    bodies = list(stages.values()) if isinstance(stages, dict) else []
    bodies += [
        body["do"] for body in bodies if isinstance(body, dict) and isinstance(body.get("do"), dict)
    ]
    for part in (content, *bodies):
        entries = part.get("vars") if isinstance(part, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, str):
                yield entry.partition(":")[0]
