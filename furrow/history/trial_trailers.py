"""What `furrow try` wrote down of a trial beside its files.

In the last lines of its commit's message.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from furrow.ground.git import git
from furrow.ground.project_place import project_prefix
from furrow.layout import RUNS
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["is_trial", "trial_name", "tried"]


def is_trial(record: Mapping[str, Any]) -> bool:
    """Whether a run's record is that of `furrow try`, and of no stage since.

    It says that there is no model.
    """
    return "model_sha256" in record and record["model_sha256"] is None


def trial_name(repo: Path, commit: str) -> str:
    """The name of the DVC experiment that is a commit; empty when none is."""
    names = git(
        repo, "for-each-ref", "--points-at", commit, "--format=%(refname:lstrip=4)", "refs/exps"
    )
    return next(
        (name for name in os.fsdecode(names).split("\n") if name), ""
    )  # DVC's own have no fifth part


def tried(repo: Path, commit: str, name: str) -> dict[str, Any]:
    """What is known of a trial besides its files.

    Overrides, engine, durations, the metric on each fold.

    Args:
        repo: The repository.
        commit: The trial's, or one that came after it without changing the run.
        name: The experiment that was tried.

    Returns:
        What the commit that last changed the run says, None for what it does not; empty when it was
        no trial of it.
    """
    output = git(
        repo, "log", "-1", "--first-parent", "--encoding=UTF-8",
        "--format=%H%n%(trailers:only,unfold)", commit, "--", f":(top,literal){project_prefix(repo)}{RUNS}/{name}",
    )  # fmt: skip
    made_by, *lines = output.decode(errors="replace").split("\n")
    said = dict(line.split(": ", 1) for line in lines if ": " in line)
    if said.get("Furrow-Experiment") != name or "Furrow-Trial" not in said:
        return {}
    overrides: Any = None
    with suppress(ValueError, KeyError):
        overrides = parse_json(said["Furrow-Overrides"])
    return {
        "name": trial_name(repo, made_by) or None,
        "overrides": overrides,
        "engine": said.get("Furrow-Engine"),
        "seconds": _number(said, "Furrow-Seconds"),
        "cpu_seconds": _number(said, "Furrow-Cpu-Seconds"),
        "score": said.get("Furrow-Score"),
        "steps": [
            found
            for word in said.get("Furrow-Steps", "").split()
            if (found := _float(word)) is not None
        ],
        "predictions_sha256": said.get("Furrow-Predictions"),
    }


def _number(said: Mapping[str, str], key: str) -> float | None:
    return _float(said.get(key, ""))


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
