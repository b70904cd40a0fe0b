"""A project's stages and what its locks record.

Read by DVC itself, and remembered while no file of theirs changes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.files import read_bytes
from furrow.ground.hashes import Hasher
from furrow.ground.pipeline_memo import Memo
from furrow.ground.pipeline_spec import Pipeline, PipelineError, inner
from furrow.ground.project_place import dvc_root
from furrow.layout import DVC_LOCK, DVC_YAML

if TYPE_CHECKING:
    from furrow.ground.dvc_stages import Reading
    from furrow.ground.pipeline_spec import Step

__all__ = ["downstream", "overlaps", "read_pipeline", "upstream"]


def overlaps(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies inside the other."""
    return inner(one, other) is not None or inner(other, one) is not None


def read_pipeline(root: Path, lock: str | None = None, *, hasher: Hasher | None = None) -> Pipeline:
    """Read the stages of a project.

    Those of its own folder, and those elsewhere that they read from.

    Args:
        root: The project's root.
        lock: The text of its dvc.lock, if not that of the folder.
        hasher: Hashes files, if there is one already.

    Raises:
        PipelineError: Its own dvc.yaml can't be read at all, or its stages go round in a circle.
    """
    whole, holder = root.resolve(), dvc_root(root)
    if lock is not None and lock == _text(root / DVC_LOCK):
        lock = None
    memo = Memo(whole, holder, hasher or Hasher(root)) if lock is None else None
    found = memo.recall() if memo else None
    if found is None:
        # DVC, only when a file of its has changed
        from furrow.ground.dvc_stages import read_stages  # noqa: PLC0415

        reading = read_stages(holder, whole, {DVC_LOCK: lock} if lock is not None else None)
        found = _assembled(reading, whole)
        if memo:
            memo.keep(found, reading.files, reading.pruned)
    if not (root / DVC_YAML).is_file() and not found.steps and not found.broken:
        hint = "run it in the root of a Furrow repository: the folder with dvc.yaml"
        raise PipelineError(f"{root} declares no stages: it has no dvc.yaml", hint=hint)
    own = [bad for bad in found.broken if bad.name == DVC_YAML]
    if own:
        raise PipelineError(own[0].why, hint="`dvc stage list` shows the same; mend it")
    return found


def _text(path: Path) -> str | None:
    try:
        return read_bytes(path).decode()
    except (OSError, UnicodeDecodeError):
        return None


def _assembled(reading: Reading, root: Path) -> Pipeline:
    """The stages that belong to a project, in order."""
    steps = _ordered(reading.steps)
    whole = Pipeline(steps, tuple(reading.sources), reading.locked)
    kept = upstream(
        whole, {name for name, step in steps.items() if not step.file.startswith("../")}
    )
    own = {name: step for name, step in steps.items() if name in kept}
    read = [path for step in own.values() for path in step.reads]
    sources = tuple(
        source
        for source in whole.sources
        if not source.file.startswith("../") or any(overlaps(source.path, path) for path in read)
    )
    files = sorted({os.path.relpath(path, root) for path in reading.files if Path(path).is_file()})
    return Pipeline(
        own,
        sources,
        {name: outs for name, outs in reading.locked.items() if not name.startswith("../")},
        tuple(bad for bad in reading.broken if not bad.file.startswith("../")),
        tuple(
            path
            for path in files
            if not path.startswith("../") and not path.endswith((".dvcignore", ".gitignore"))
        ),
    )


def _ordered(steps: dict[str, Step]) -> dict[str, Step]:
    """Stages after those whose outputs they read; among equals in the order of their files."""
    makers = {out.path: name for name, step in steps.items() for out in step.outs}
    before = {}
    for name, step in steps.items():
        before[name] = {
            maker
            for path in step.reads
            for out, maker in (
                [(path, makers[path])]
                if path in makers
                else [pair for pair in makers.items() if overlaps(pair[0], path)]
            )
            if maker != name
        }
    done: dict[str, Step] = {}
    left = dict(steps)
    while left:
        ready = [name for name in left if before[name] <= done.keys()]
        if not ready:
            raise PipelineError(
                f"dvc.yaml: {', '.join(left)} wait for one another", hint="break the circle of deps"
            )
        done.update((name, left.pop(name)) for name in ready)
    return done


def upstream(pipeline: Pipeline, names: set[str]) -> set[str]:
    """Stages and all those that they wait for."""
    found = set(names)
    for name in reversed(pipeline.steps):
        if name in found:
            found |= _makers(pipeline, pipeline.steps[name]) - {name}
    return found


def downstream(pipeline: Pipeline, path: str) -> set[str]:
    """Stages that read a file or folder, and all those that read what these write."""
    known = {path}
    found = set()
    for name, step in pipeline.steps.items():
        if any(overlaps(one, other) for one in step.reads for other in known):
            found.add(name)
            known |= {out.path for out in step.outs}
    return found


def _makers(pipeline: Pipeline, step: Step) -> set[str]:
    return {
        name
        for name, other in pipeline.steps.items()
        for out in other.outs
        if any(overlaps(out.path, path) for path in step.reads)
    }
