"""A retraining under way, written down, so that one which was killed is ended by the next.

What lies in `retraining-underway.json` beside the log: nothing where no retraining is at work. A
branch that was offered counts as offered; of anything else nothing is left, and the cause is free.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.files import open_lock, read_json, write_json
from furrow.ground.git import git
from furrow.ground.git_mirror import drop_branch
from furrow.monitoring.retrain_policy import OFFERED, Attempt, attempts, remember

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from furrow.monitoring.monitor_site import Site

__all__ = ["Underway", "begin", "end", "is_underway", "offering", "one_retraining", "settle_killed"]

FORMAT = 1
_FILE, _LOCK = "retraining-underway.json", "retraining.lock"
_KILLED = 3
"""How often in a row a retraining is begun again at once: what kills it may be its own doing."""


@dataclass(frozen=True)
class Underway:
    """A retraining that has begun.

    Attributes:
        branch: That it offers, if all goes well.
        causes: Ids of why.
        when: ISO 8601.
        remote: Where the branch goes; empty for this clone.
        tip: The branch's commit, once it is about to be offered; empty before.
        killed: How many of the same causes were killed before it, in a row.
    """

    branch: str
    causes: tuple[str, ...]
    when: str
    remote: str = ""
    tip: str = ""
    killed: int = 0


@contextmanager
def one_retraining(folder: Path) -> Iterator[bool]:
    """Whether no other process retrains, for as long as the block runs.

    The kernel lets go when a process ends.

    Args:
        folder: Of the state of monitoring.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open_lock(folder / _LOCK) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def begin(folder: Path, underway: Underway) -> None:
    """Write down that a retraining begins.

    Args:
        folder: Of the state of monitoring.
        underway: It.
    """
    write_json(folder / _FILE, {"format": FORMAT, **asdict(underway)})


def offering(folder: Path, tip: str) -> None:
    """Write down that its branch is about to be offered.

    Args:
        folder: Of the state of monitoring.
        tip: The branch's commit.
    """
    underway = _read(folder)
    if underway is not None:
        begin(folder, replace(underway, tip=tip))


def is_underway(folder: Path) -> bool:
    """Whether a retraining has begun and not ended: it was killed, where none is at work.

    Args:
        folder: Of the state of monitoring.
    """
    return (folder / _FILE).is_file()


def end(folder: Path) -> None:
    """Nothing is under way any more.

    Args:
        folder: Of the state of monitoring.
    """
    (folder / _FILE).unlink(missing_ok=True)


def settle_killed(site: Site, base: str) -> int:
    """End a retraining that was killed, as far as it had come.

    To be called while `one_retraining` holds.

    Args:
        site: Whose.
        base: The main branch's tip.

    Returns:
        How many of the same causes were killed in a row and left nothing; 0 for none.

    Raises:
        FurrowError: The remote can't be asked.
    """
    underway = _read(site.folder)
    if underway is None:
        return 0
    drop_branch(site.root, f"gate/{underway.branch}")
    said = (underway.causes, underway.when)
    killed = 0
    if any(one.branch == underway.branch for one in attempts(site.folder)):
        pass  # all of it was written down
    elif underway.tip and _came_out(site.root, underway, base):
        text = "it was killed when it was offered: what was to follow is left to a person"
        remember(site.folder, Attempt(*said, OFFERED, text, underway.branch))
    else:
        drop_branch(site.root, underway.branch)
        killed = underway.killed + 1
        if killed >= _KILLED:
            text = f"it was killed {killed} times in a row before it was done"
            remember(site.folder, Attempt(*said, "failed", text))
            killed = 0
    end(site.folder)
    return killed


def _read(folder: Path) -> Underway | None:
    """What is under way; None for nothing.

    Raises:
        FurrowError: The file is damaged, or of another format.
    """
    path = folder / _FILE
    if not path.is_file():
        return None
    value = read_json(path)
    with suppress(KeyError, TypeError):
        if value.pop("format") == FORMAT:
            return Underway(**{**value, "causes": tuple(value["causes"])})
    raise FurrowError(
        f"{path} is not a retraining under way of format {FORMAT}",
        hint="look at the branches retrain/*, then move it away",
    )


def _came_out(root: Path, underway: Underway, base: str) -> bool:
    """Whether a branch was offered: it is where offers go, was there, or is merged."""
    name = f"refs/heads/{underway.branch}"
    if not underway.remote:
        return bool(git(root, "for-each-ref", name)) or _within(root, underway.tip, base)
    if git(root, "ls-remote", "--heads", underway.remote, name):
        return True
    tracked = f"refs/remotes/{underway.remote}/{underway.branch}"  # deleted there since
    return bool(git(root, "for-each-ref", tracked)) or _within(root, underway.tip, base)


def _within(root: Path, commit: str, base: str) -> bool:
    said = git(root, "merge-base", commit, base, ok=(0, 1, 128))
    return said.decode().strip() == commit
