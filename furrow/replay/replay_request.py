"""What is asked of a replay, and the stages that this takes."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from furrow.errors import FurrowError, UsageError
from furrow.ground.pipeline import overlaps
from furrow.replay.trial_stages import read_trial

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.ground.dvc import Project

__all__ = ["Options", "ReplayError", "select"]


class ReplayError(FurrowError):
    """A commit can't be replayed."""


@dataclass(frozen=True)
class Options:
    """How to replay.

    Attributes:
        experiment: Only what this experiment needs.
        stage: Only this stage (or these, by the name of a group), with inputs by hash.
        diagnose: Run the first stage that differs again, to find out why.
        keep: Leave the work tree there.
        folder: Where to make it; by default the folder for temporary files.
    """

    experiment: str = ""
    stage: str = ""
    diagnose: bool = True
    keep: bool = False
    folder: Path | None = None


def select(project: Project, options: Options) -> list[str]:
    """The stages to run, in order.

    Raises:
        UsageError: There is no such experiment or stage; close names are suggested.
        ReplayError: There are no stages.
    """
    ours = project.stages.keys() - read_trial(project.stages).never_run
    names = [
        name
        for name, stage in project.stages.items()
        if not stage.frozen and (name in ours or options.stage)
    ]
    if not names:
        raise ReplayError("dvc.yaml declares no stages", hint="replay a commit that does")
    if options.stage:
        found = [
            name for name in names if name == options.stage or name.startswith(f"{options.stage}@")
        ]
        if not found:
            raise _unknown(
                "stage",
                options.stage,
                [*names, *{name.split("@")[0] for name in names if "@" in name}],
            )
        return found
    if not options.experiment:
        return names
    ends = {name for name in names if name.endswith(f"@{options.experiment}")}
    if not ends:
        raise _unknown(
            "experiment",
            options.experiment,
            sorted({n.split("@", 1)[1] for n in names if "@" in n}),
        )
    todo, needed = list(ends), set[str]()
    while todo:
        name = todo.pop()
        needed.add(name)
        stage = project.stages[name]
        reads = [item.path for item in stage.deps] + [one.path for one in stage.parameters]
        for other in names:
            outs = project.stages[other].outs
            if other not in needed and any(
                overlaps(out.path, path) for out in outs for path in reads
            ):
                todo.append(other)
    return [name for name in names if name in needed]


def _unknown(kind: str, name: str, names: list[str]) -> UsageError:
    close = get_close_matches(name, names, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names) or 'none'}"
    return UsageError(f"the commit has no {kind} {name!r}", hint=hint)
