"""The queue of a bare repository's CI.

What pushes moved, as files that are on disk before anything runs.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.files import read_json, sha256_bytes, write_json
from furrow.ground.git import git
from furrow.ground.project_place import projects_among

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FOLDER", "Job", "Pushed", "again", "enqueue", "jobs", "place_of", "pushed", "room"]

FOLDER = "furrow-ci"
_MOST = 50


@dataclass(frozen=True)
class Pushed:
    """A branch that a push moved: its old and new commits."""

    branch: str
    old: str
    new: str


@dataclass(frozen=True)
class Job:
    """A commit to run.

    Attributes:
        path: Its file in the queue.
        tip: Whether it is the newest of its push: its results are offered, and its champion
            registered.
        project: The folder of the project that is run, with a slash behind it; "" for the one at
            the top.
        attempts: How many runs of it have begun and not ended.
        again: Whether it is run though it was run before.
    """

    path: Path
    commit: str
    branch: str
    old: str
    tip: bool
    since: str
    attempts: int
    again: bool = False
    project: str = ""

    @property
    def place(self) -> str:
        """What its reports and its log are called by."""
        return place_of(self.commit, self.project)


def place_of(commit: str, project: str) -> str:
    """What the reports and the log of a project's run on a commit are called by."""
    return f"{commit}-{sha256_bytes(project.encode())[:8]}" if project else commit


def room(home: Path, name: str = "") -> Path:
    """A folder of CI's own in the bare repository, made if need be."""
    found = home / FOLDER / name
    found.mkdir(parents=True, exist_ok=True)
    return found


def pushed(text: str) -> list[Pushed]:
    """The branches that a push moved, from what Git tells the hook.

    Deleted ones and tags are none.
    """
    found = []
    for line in text.splitlines():
        parts = line.split(" ", 2)
        if len(parts) == 3 and parts[2].startswith("refs/heads/") and set(parts[1]) != {"0"}:
            found.append(Pushed(parts[2].removeprefix("refs/heads/"), parts[0], parts[1]))
    return found


def enqueue(home: Path, moved: list[Pushed]) -> int:
    """Put the new commits of a push in the queue; safe on disk when it returns.

    Args:
        home: The bare repository.
        moved: What the push moved.

    Returns:
        How many runs: one for each project that a commit holds.
    """
    queue, count, now = room(home, "queue"), 0, time.time_ns()
    for one in moved:
        fresh = set(one.old) == {"0"}
        not_in = ["--not", *_others(home, one.branch)] if fresh else [f"^{one.old}"]
        listed = git(
            home, "rev-list", f"--max-count={_MOST}", one.new, *not_in
        ).decode().split() or [one.new]
        for place, commit in enumerate(dict.fromkeys([one.new, *listed])):
            for project in _projects(home, commit):
                value = {"commit": commit, "branch": one.branch, "old": "" if fresh else one.old, "tip": place == 0,
                         "since": _now(), "attempts": 0, "project": project}  # fmt: skip
                # Later pushes first, and of a push its newest commit first.
                write_json(
                    queue / f"{now + _MOST - place:020d}-{place_of(commit, project)}.json", value
                )
                count += 1
        now += 2 * _MOST
    return count


def _projects(home: Path, commit: str) -> list[str]:
    listed = git(home, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, ok=(0, 128))
    return projects_among(os.fsdecode(name) for name in listed.split(b"\0") if name)


def again(home: Path, commit: str) -> list[str]:
    """Put a commit in the queue that was run before: after a lost connection, say.

    Args:
        home: The bare repository.
        commit: The full id.

    Returns:
        The branches that it is on, on each of which it is run; none when it is on none.
    """
    listed = git(
        home,
        "for-each-ref",
        "--format=%(objectname) %(refname:strip=2)",
        f"--contains={commit}",
        "refs/heads",
    )
    parents = git(home, "rev-list", "--parents", "-1", commit).decode().split()[1:]
    branches = [line.split(" ", 1) for line in listed.decode().splitlines()]
    for place, (head, branch) in enumerate(branches):
        for project in _projects(home, commit):
            value = {"commit": commit, "branch": branch, "old": parents[0] if parents else "", "tip": head == commit,
                     "since": _now(), "attempts": 0, "again": True, "project": project}  # fmt: skip
            write_json(
                room(home, "queue")
                / f"{time.time_ns() + place:020d}-{place_of(commit, project)}.json",
                value,
            )
    return [branch for _, branch in branches]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _others(home: Path, branch: str) -> list[str]:
    refs = git(home, "for-each-ref", "--format=%(refname)", "refs/heads").decode().split()
    return [ref for ref in refs if ref != f"refs/heads/{branch}"]


def jobs(home: Path) -> list[Job]:
    """The queue, in the order in which it is run.

    Branches take turns, each its newest commit first.
    """
    by_branch: dict[str, list[Job]] = {}
    for path in sorted(room(home, "queue").glob("*.json"), reverse=True):
        try:
            value = read_json(path)
            facts = {
                name: value[name]
                for name in ("commit", "branch", "old", "tip", "since", "attempts")
            }
            job = Job(
                path, **facts, again=bool(value.get("again")), project=str(value.get("project", ""))
            )
        except (FurrowError, KeyError, TypeError):
            path.rename(path.with_suffix(".damaged"))
            continue
        by_branch.setdefault(job.branch, []).append(job)
    turns = sorted(by_branch.values(), key=lambda ones: min(job.path.name for job in ones))
    longest = max((len(ones) for ones in turns), default=0)
    return [ones[at] for at in range(longest) for ones in turns if at < len(ones)]
