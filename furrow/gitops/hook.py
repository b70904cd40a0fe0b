"""A bare repository that runs CI on what is pushed to it: the hook, a queue on disk, one run at a time.

What is pushed becomes files in BARE/furrow-ci/queue before anything runs, and a file is removed only after its run was
noted. So a reboot loses nothing: the next push, or `furrow ci run-queue`, goes on where it ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import read_json, write_json, write_text
from furrow.gitops.outcome import Check, Outcome
from furrow.gitops.publish import read_status, write_status
from furrow.ground.git import GitError, common_dir, git, is_bare
from furrow.ground.isolate import CommandError, open_isolation, python, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["HookError", "Pushed", "enqueue", "install", "log_of", "pushed", "run_queue", "state"]

MARK = "# written by `furrow ci install`"
FOLDER = "furrow-ci"
_MOST = 50
_ATTEMPTS = 3


class HookError(FurrowError):
    """The hook can't be put in place, or what it needs is damaged."""


@dataclass(frozen=True)
class Pushed:
    """A branch that a push moved: its old and new commits."""

    branch: str
    old: str
    new: str


@dataclass(frozen=True)
class _Job:
    """A commit to run.

    Attributes:
        path: Its file in the queue.
        tip: Whether it is the newest of its push: its results are offered, and its champion registered.
        attempts: How many runs of it have begun and not ended.
    """

    path: Path
    commit: str
    branch: str
    old: str
    tip: bool
    since: str
    attempts: int


def _bare(repo: Path) -> Path:
    try:
        bare = is_bare(repo)
    except GitError as exc:
        raise HookError(f"{repo} is no Git repository", hint="make one: git init --bare FOLDER") from exc
    if not bare:
        raise HookError(f"{repo} has a work tree: the hook is for a bare repository", hint="git init --bare FOLDER")
    return common_dir(repo)


def install(repo: Path, *, background: bool = False) -> Path:
    """Write hooks/post-receive; again after an upgrade, which changes nothing else.

    Args:
        repo: A bare repository.
        background: Whether a push returns at once.

    Raises:
        HookError: It is not bare, or has a hook of another origin.
    """
    home = _bare(repo)
    path = home / "hooks/post-receive"
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise HookError(f"{path} is there already", hint=f"call this from it: {_command()} ci hook")
    lines = ["#!/bin/sh", MARK, 'cd "${GIT_DIR:-.}" || exit 0', "unset GIT_DIR GIT_QUARANTINE_PATH"]
    if background:
        lines += [
            f"{_command()} ci hook --later || exit 0",
            f"setsid {_command()} ci run-queue . >>{FOLDER}/hook.log 2>&1 </dev/null &",
        ]
    else:
        lines += ["trap '' PIPE HUP INT", f"{_command()} ci hook || exit 0"]
    write_text(path, "\n".join(lines) + "\n")
    path.chmod(0o755)
    _folder(home, "queue")
    return path


def _command() -> str:
    return f"{shlex.quote(sys.executable)} -P -m furrow"


def _folder(home: Path, name: str = "") -> Path:
    found = home / FOLDER / name
    found.mkdir(parents=True, exist_ok=True)
    return found


def pushed(text: str) -> list[Pushed]:
    """The branches that a push moved, from what Git tells the hook; deleted ones and tags are none."""
    found = []
    for line in text.splitlines():
        parts = line.split(" ", 2)
        if len(parts) == 3 and parts[2].startswith("refs/heads/") and set(parts[1]) != {"0"}:
            found.append(Pushed(parts[2].removeprefix("refs/heads/"), parts[0], parts[1]))
    return found


def enqueue(repo: Path, moved: list[Pushed]) -> int:
    """Put the new commits of a push in the queue; safe on disk when it returns.

    Returns:
        How many.
    """
    home = _bare(repo)
    queue, count, now = _folder(home, "queue"), 0, time.time_ns()
    for one in moved:
        fresh = set(one.old) == {"0"}
        not_in = ["--not", *_others(home, one.branch)] if fresh else [f"^{one.old}"]
        listed = git(home, "rev-list", f"--max-count={_MOST}", one.new, *not_in).decode().split() or [one.new]
        for place, commit in enumerate(dict.fromkeys([one.new, *listed])):
            if git(home, "cat-file", "-t", f"{commit}:dvc.yaml", ok=(0, 128)).strip() != b"blob":
                continue
            value = {"commit": commit, "branch": one.branch, "old": "" if fresh else one.old, "tip": place == 0,
                     "since": datetime.now(UTC).isoformat(timespec="seconds"), "attempts": 0}  # fmt: skip
            # Later pushes first, and of a push its newest commit first.
            write_json(queue / f"{now + _MOST - place:020d}-{commit}.json", value)
            count += 1
        now += 2 * _MOST
    return count


def _others(home: Path, branch: str) -> list[str]:
    refs = git(home, "for-each-ref", "--format=%(refname)", "refs/heads").decode().split()
    return [ref for ref in refs if ref != f"refs/heads/{branch}"]


def _jobs(home: Path) -> list[_Job]:
    """The queue, in the order in which it is run: branches take turns, each its newest commit first."""
    by_branch: dict[str, list[_Job]] = {}
    for path in sorted(_folder(home, "queue").glob("*.json"), reverse=True):
        try:
            value = read_json(path)
            job = _Job(path, **{name: value[name] for name in ("commit", "branch", "old", "tip", "since", "attempts")})
        except (FurrowError, KeyError, TypeError):
            path.rename(path.with_suffix(".damaged"))
            continue
        by_branch.setdefault(job.branch, []).append(job)
    turns = sorted(by_branch.values(), key=lambda jobs: min(job.path.name for job in jobs))
    longest = max((len(jobs) for jobs in turns), default=0)
    return [jobs[at] for at in range(longest) for jobs in turns if at < len(jobs)]


@contextmanager
def _turn(home: Path) -> Iterator[bool]:
    """Whether this process is the one that runs the queue; the kernel frees the lock of a dead one."""
    with (_folder(home) / "lock").open("a") as handle:
        for wait in (0.1, 0.4, 0.5, None):  # `furrow ci status` holds it for an instant too
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if wait is None:
                    yield False
                    return
                time.sleep(wait)
        yield True


def run_queue(repo: Path, *, say: Callable[[str], None]) -> int:
    """Run what is in the queue until it is empty; where another process does that already, leave it to that one.

    Args:
        repo: The bare repository.
        say: Told each line of the log.

    Returns:
        How many commits were run.
    """
    home, done = _bare(repo), 0
    while True:
        with _turn(home) as mine:
            if not mine:
                waiting = len(_jobs(home))
                say(f"furrow: another run is under way, {waiting} wait; `furrow ci status` tells how it goes")
                return done
            while jobs := _jobs(home):
                _run(home, jobs[0], say)
                done += 1
        if not _jobs(home):  # a push that came between the last look and the release of the lock
            return done


def _run(home: Path, job: _Job, say: Callable[[str], None]) -> None:
    known = read_status(home, job.commit)
    if any(one.get("branch") == job.branch for one in known) and job.attempts == 0:
        say(f"furrow: {job.commit[:10]} was run already: {known[0]['verdict']}")
        job.path.unlink()
        return
    if job.attempts >= _ATTEMPTS:
        check = Check("ci", "failed", f"{_ATTEMPTS} runs of it began and did not end: the machine went down each time")
        _note(home, Outcome(job.commit, branch=job.branch, checks=(check,), started=job.since), say)
        job.path.unlink()
        return
    value = {**asdict(job), "attempts": job.attempts + 1}
    del value["path"]
    write_json(job.path, value)
    write_json(_folder(home) / "running.json", {"pid": os.getpid(), **value})
    out = _folder(home, f"reports/{job.commit}")
    arguments = ["ci", "--rev", job.commit, "--branch", job.branch, "--out", str(out)]
    arguments += ["--base", job.old] if job.old and _there(home, job.old) and _on_main(home, job) else []
    arguments += ["--offer", ".", "--register"] if job.tip else ["--lenient"]
    (out / "report.json").unlink(missing_ok=True)
    with (_folder(home, "logs") / f"{job.commit}.log").open("w", encoding="utf-8") as log:

        def tell(line: str) -> None:
            clean = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", line)
            log.write(f"{clean}\n")
            log.flush()
            say(f"furrow: {clean}")

        tell(f"{job.commit[:10]} on {job.branch}")
        try:
            for line in stream(python("-m", "furrow", *arguments), home, open_isolation()):
                tell(line)
        except CommandError as exc:
            if not (out / "report.json").is_file():
                check = Check("ci", "failed", exc.message, exc.lines)
                _note(home, Outcome(job.commit, branch=job.branch, checks=(check,), started=job.since), say)
        if (out / "report.json").is_file():
            _note(home, Outcome.from_json(read_json(out / "report.json")), say)
    job.path.unlink()
    (_folder(home) / "running.json").unlink(missing_ok=True)


def _on_main(home: Path, job: _Job) -> bool:
    """Whether the branch is the one that others are measured against: then its own earlier commit counts."""
    head = git(home, "symbolic-ref", "--short", "HEAD", ok=(0, 128)).decode().strip()
    return job.branch == head


def _there(home: Path, commit: str) -> bool:
    return git(home, "cat-file", "-t", commit, ok=(0, 128)).strip() == b"commit"


def _note(home: Path, outcome: Outcome, say: Callable[[str], None]) -> None:
    try:
        write_status(home, outcome)
    except FurrowError as exc:
        say(f"furrow: {exc.message}")


def state(repo: Path) -> dict[str, Any]:
    """What waits and what runs, on the machine of the bare repository; nothing elsewhere."""
    home = common_dir(repo)
    if not (home / FOLDER).is_dir() or not is_bare(repo):
        return {"running": [], "waiting": []}
    running: list[dict[str, Any]] = []
    if _busy(home):
        with suppress(OSError, ValueError):
            running = [json.loads((home / FOLDER / "running.json").read_text(encoding="utf-8"))]
    names = {one["commit"] for one in running}
    waiting = [{"commit": job.commit, "branch": job.branch, "since": job.since} for job in _jobs(home)]
    return {"running": running, "waiting": [one for one in waiting if one["commit"] not in names]}


def _busy(home: Path) -> bool:
    with (_folder(home) / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def log_of(repo: Path, commit: str) -> str:
    """The log of a commit's run.

    Raises:
        HookError: There is none here.
    """
    path = common_dir(repo) / FOLDER / "logs" / f"{commit}.log"
    if not path.is_file():
        raise HookError(f"commit {commit[:10]} has no log here", hint="logs stay where CI ran: the bare repository")
    return path.read_text(encoding="utf-8", errors="replace")
