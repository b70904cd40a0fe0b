"""dvc.lock as a trial keeps it.

Nothing in it names a model, predictions or an evaluation that the trial doesn't have.

Entries that are taken away would do, were it not for `dvc exp apply`: it fails when dvc.lock is
silent about an output. So what DVC's cache would hold is an empty file or folder there, which says
what a trial has of it, and the entry names no inputs, so that `dvc repro` makes it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import yaml

from furrow import layout
from furrow.ground.pipeline import downstream, read_pipeline
from furrow.ground.runcache import store
from furrow.layout import DVC_LOCK
from furrow.parse import ParseError, compose_yaml, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.ground.pipeline_spec import Out

__all__ = ["EMPTY_MD5S", "keep_empty", "unclaimed"]

EMPTY = {"": "", ".dir": "[]"}
"""What DVC's cache holds of an empty file and of an empty folder, by what their names there end in."""


def _name(ending: str) -> str:
    return hashlib.md5(EMPTY[ending].encode(), usedforsecurity=False).hexdigest() + ending


EMPTY_MD5S = frozenset(map(_name, EMPTY))


def unclaimed(root: Path, lock: str, experiment: str) -> str:
    """The text of dvc.lock without what follows from an experiment's config.

    Training, evaluation, the choice.

    What stands there is of the run before: a commit would name that run's model beside the trial's
    metrics.

    Args:
        root: The folder of dvc.yaml.
        lock: The text of dvc.lock.
        experiment: Whose config is another one now.

    Raises:
        PipelineError: dvc.yaml or dvc.lock is missing, malformed or in conflict.
    """
    pipeline = read_pipeline(root, lock)
    changed = {
        name: _entry(
            pipeline.steps[name].locked_cmd,
            [out for out in pipeline.steps[name].outs if out.cached],
        )
        for name in downstream(pipeline, layout.run_file(experiment, layout.RUN_CONFIG))
        if pipeline.steps[name].recorded
    }
    return _edited(lock, changed) if changed else lock


def keep_empty(root: Path) -> None:
    """Put the empty file and the empty folder, as which a trial's dvc.lock names things, into DVC's cache.

    Raises:
        FileError: The cache can't be written, or the disk is full.
    """
    here = root.resolve()
    holder = next(
        (folder for folder in (here, *here.parents) if (folder / layout.DVC_CONFIG).is_file()), None
    )
    if holder is None:
        return
    for ending, content in EMPTY.items():
        store(holder, _name(ending), content.encode())


def _entry(cmd: Any, outs: list[Out]) -> dict[str, Any] | None:
    """An entry without inputs, whose outputs are empty; None when the cache holds none of them."""
    found = []
    for out in outs:
        ending = ".dir" if out.md5.endswith(".dir") else ""
        about = {"path": out.local, "hash": "md5", "md5": _name(ending), "size": 0}
        found.append(about | ({"nfiles": 0} if ending else {}))
    return {"cmd": cmd, "outs": found} if found else None


def _edited(lock: str, changed: Mapping[str, dict[str, Any] | None]) -> str:
    """The text with some entries changed or (None) taken away; every other line stays as it is."""
    content = parse_yaml(lock, DVC_LOCK)
    entries = {name: changed.get(name, entry) for name, entry in content["stages"].items()}
    wanted = {
        **content,
        "stages": {name: entry for name, entry in entries.items() if entry is not None},
    }
    lines = lock.splitlines(keepends=True)
    whole: Any = compose_yaml(lock, DVC_LOCK)
    for key, value in whole.value:
        for name, entry in reversed(value.value) if key.value == "stages" else ():
            if name.value in changed:
                lines[name.start_mark.line : entry.end_mark.line] = _lines(
                    name.value, changed[name.value]
                )
    try:
        if parse_yaml("".join(lines)) == wanted:
            return "".join(lines)
    except ParseError:
        pass  # entries that share lines, as in JSON
    return yaml.safe_dump(wanted, sort_keys=False)


def _lines(name: str, entry: dict[str, Any] | None) -> list[str]:
    """An entry as DVC writes it."""
    text = "" if entry is None else yaml.safe_dump({name: entry}, sort_keys=False, width=10_000)
    return [f"  {line}" for line in text.splitlines(keepends=True)]
