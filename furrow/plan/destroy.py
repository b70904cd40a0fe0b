"""Taking away what is no longer declared.

The outputs of stages that are gone, and their entries in dvc.lock.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from furrow import layout
from furrow.files import FileError, inside, write_text
from furrow.ground.git import git
from furrow.ground.pipeline import overlaps
from furrow.layout import DVC_LOCK
from furrow.plan.resources import experiment_of

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.ground.pipeline_spec import Pipeline

__all__ = ["destroy", "pruned"]


def destroy(root: Path, pipeline: Pipeline, stages: set[str]) -> list[str]:
    """Remove what dead stages left.

    Their outputs first, then runs/NAME of an experiment, then their entries.

    A run's files go only if the last commit holds them as they are: history keeps what the tree
    loses.

    Args:
        root: The repository.
        pipeline: Its stages, and the entries of dvc.lock without one.
        stages: Those of the dead entries that are to go.

    Returns:
        What was kept, and why, in words.
    """
    kept = []
    live = [out.path for step in pipeline.steps.values() for out in step.outs]
    live += [source.path for source in pipeline.sources]
    gone = set()
    for stage in sorted(stages & pipeline.dead.keys()):
        name = experiment_of(stage)
        if name and not _committed(root, layout.run(name)):
            kept.append(
                f"{layout.RUNS}/{name} holds what no commit holds: commit it or remove it, then"
                " apply again"
            )
            continue
        for out in pipeline.dead[stage]:
            if not any(overlaps(out, path) for path in live):
                _remove(root, out)
        if name and not any(step.endswith(f"@{name}") for step in pipeline.steps):
            _remove(root, layout.run(name))
        gone.add(stage)
    for lock in sorted({_lock_of(stage)[0] for stage in gone}):
        path = root / lock
        names = {name for stage in gone for file, name in [_lock_of(stage)] if file == lock}
        write_text(path, pruned(path.read_text(encoding="utf-8"), names))
    return list(dict.fromkeys(kept))


def _lock_of(stage: str) -> tuple[str, str]:
    """The dvc.lock that has a stage's entry, and the stage's name there."""
    file, colon, name = stage.rpartition(":")
    return (f"{file.removesuffix('.yaml')}.lock", name) if colon else (DVC_LOCK, stage)


def pruned(lock: str, names: set[str]) -> str:
    """The text of dvc.lock without the entries of some stages.

    The others stay as they are, byte for byte.
    """
    heads = {f"  {name}:" for name in names}
    kept, skipping = [], False
    for line in lock.splitlines(keepends=True):
        if line.strip() and not line.startswith("   "):
            skipping = line.rstrip() in heads
        if not skipping:
            kept.append(line)
    return "".join(kept)


def _committed(root: Path, folder: str) -> bool:
    status = git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--", folder).split(
        b"\0"
    )
    return all(not entry or b"D" in entry[:2] for entry in status)


def _remove(root: Path, path: str) -> None:
    try:
        whole = inside(root, path)
    except FileError:
        return  # an entry that leads out of the repository is not ours to remove
    if whole == root.resolve() or not whole.exists():
        return
    if whole.is_dir():
        shutil.rmtree(whole)
    else:
        whole.unlink()
