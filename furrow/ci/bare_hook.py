"""A bare repository that runs CI on what is pushed to it.

The hook, a queue on disk, one run at a time.

What is pushed becomes files in BARE/furrow-ci/queue before anything runs, and a file is removed
only after its run was written down in BARE/furrow-ci/done. So a reboot loses nothing: the next
push, or `furrow ci run-queue`, goes on where it ended.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from furrow.ci.outcome import Check, Outcome
from furrow.ci.publish import publish, status_line
from furrow.ci.queue import FOLDER, Job, jobs, place_of, room
from furrow.ci.run_record import keep, kept
from furrow.errors import FurrowError
from furrow.files import read_json, write_json, write_text
from furrow.ground.git import GitError, common_dir, git, is_bare
from furrow.ground.isolate import CommandError, open_isolation, stream
from furrow.ground.notes import NOTES
from furrow.ground.project_place import meaning, project_prefix
from furrow.ground.start_python import furrow_in_shell, python
from furrow.models.pause import CI, paused
from furrow.parse import parse_json
from furrow.safe_text import line as one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["HookError", "home_of", "install", "log_of", "run_queue", "state"]

MARK = "# written by `furrow ci install`"
_ATTEMPTS = 3


class HookError(FurrowError):
    """The hook can't be put in place, or what it needs is damaged."""


def home_of(repo: Path) -> Path:
    """The Git directory of a bare repository.

    Raises:
        HookError: It is not bare, or no repository.
    """
    try:
        bare = is_bare(repo)
    except GitError as exc:
        raise HookError(
            f"{repo} is not a Git repository", hint="make one: git init --bare FOLDER"
        ) from exc
    if not bare:
        raise HookError(
            f"{repo} has a work tree: the hook is for a bare repository",
            hint="git init --bare FOLDER",
        )
    return common_dir(repo)


def install(repo: Path, *, background: bool = False) -> Path:
    """Write hooks/post-receive; again after an upgrade, which changes nothing else.

    Args:
        repo: A bare repository.
        background: Whether a push returns at once.

    Raises:
        HookError: It is not bare, or has a hook of another origin.
    """
    home = home_of(repo)
    path = home / "hooks/post-receive"
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise HookError(
            f"{path} is there already", hint=f"call this from it: {furrow_in_shell()} ci hook"
        )
    lines = ["#!/bin/sh", MARK, 'cd "${GIT_DIR:-.}" || exit 0', "unset GIT_DIR GIT_QUARANTINE_PATH"]
    if background:
        lines += [
            f"{furrow_in_shell()} ci hook --later || exit 0",
            f"setsid {furrow_in_shell()} ci run-queue . >>{FOLDER}/hook.log 2>&1 </dev/null &",
        ]
    else:
        lines += ["trap '' PIPE HUP INT", f"{furrow_in_shell()} ci hook || exit 0"]
    write_text(path, "\n".join(lines) + "\n")
    path.chmod(0o755)
    room(home, "queue")
    # What CI publishes, its verdicts and its replays, is its own: nobody's push may write it.
    # Fetching it goes on.
    hidden = git(home, "config", "--get-all", "receive.hideRefs", ok=(0, 1)).decode().split()
    if NOTES not in hidden:
        git(home, "config", "--add", "receive.hideRefs", NOTES)
    return path


@contextmanager
def _turn(home: Path) -> Iterator[bool]:
    """Whether this process is the one that runs the queue.

    The kernel frees the lock of a dead one.
    """
    with (room(home) / "lock").open("a") as handle:
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
    """Run what is in the queue until it is empty.

    Where another process does that already, leave it to that one.

    Args:
        repo: The bare repository.
        say: Told each line of the log.

    Returns:
        How many commits were run.
    """
    home, done = home_of(repo), 0
    while True:
        with _turn(home) as mine:
            if not mine:
                waiting = len(jobs(home))
                say(
                    f"furrow: another run is under way, {waiting} wait; `furrow ci status` tells"
                    " how it goes"
                )
                return done
            while found := _ready(home, say):
                _run(home, found[0], say)
                done += 1
        if not _ready(
            home, _quiet
        ):  # a push that came between the last look and the release of the lock
            return done


def _quiet(_line: str) -> None:
    """Tell nobody."""


def _ready(home: Path, say: Callable[[str], None]) -> list[Job]:
    """What may run: commits of a project whose CI is paused wait in the queue."""
    found = jobs(home)
    stopped = {}
    for project in {job.project for job in found}:
        with meaning(project):
            stopped[project] = paused(home, CI, trusted=True)
    waiting = [job for job in found if stopped[job.project]]
    if waiting:
        many = f"{len(waiting)} commit{'s' * (len(waiting) > 1)}"
        say(f"furrow: {stopped[waiting[0].project]}; {many} in the queue")
    return [job for job in found if not stopped[job.project]]


def _run(home: Path, job: Job, say: Callable[[str], None]) -> None:
    own = [one for one in kept(home, job.commit) if one.get("project", "") == job.project]
    known = [one for one in own if one["branch"] == job.branch and (one.get("tip") or not job.tip)]
    if known and not job.again:
        say(f"furrow: {job.commit[:10]} was run already: {known[-1]['verdict']}")
        _publish(home, job, say)
        job.path.unlink()
        return
    if job.attempts >= _ATTEMPTS:
        check = Check(
            "ci",
            "failed",
            f"{_ATTEMPTS} runs of it began and did not end: the machine went down each time",
        )
        _keep(home, job, _ended(job, check), say)
        job.path.unlink()
        return
    value = {**asdict(job), "attempts": job.attempts + 1}
    del value["path"]
    write_json(job.path, value)
    write_json(room(home) / "running.json", {"pid": os.getpid(), **value})
    out = room(home, f"reports/{job.place}")
    arguments = [*([f"--project={job.project}"] if job.project else []), "ci"]
    arguments += ["--rev", job.commit, "--branch", job.branch, "--out", str(out), "--log"]
    arguments += (
        ["--base", job.old] if job.old and _there(home, job.old) and _on_main(home, job) else []
    )
    arguments += ["--offer", ".", "--register"] if job.tip else ["--lenient"]
    (out / "report.json").unlink(missing_ok=True)
    with (room(home, "logs") / f"{job.place}.log").open("w", encoding="utf-8") as log:

        def tell(line: str) -> None:
            clean = one_line(line)
            log.write(f"{clean}\n")
            log.flush()
            say(f"furrow: {clean}")

        tell(f"{job.commit[:10]} on {job.branch}{f': {job.project}' if job.project else ''}")
        try:
            for line in stream(python("-m", "furrow", *arguments), home, open_isolation()):
                tell(line)
        except CommandError as exc:
            if not (out / "report.json").is_file():
                check = Check("ci", "failed", exc.message, exc.lines)
                _keep(home, job, _ended(job, check), say)
        if (out / "report.json").is_file():
            _keep(home, job, Outcome.from_json(read_json(out / "report.json")), say)
    job.path.unlink()
    (room(home) / "running.json").unlink(missing_ok=True)


def _ended(job: Job, check: Check) -> Outcome:
    """The outcome of a run that gave none."""
    return Outcome(
        job.commit, branch=job.branch, project=job.project, checks=(check,), started=job.since
    )


def _on_main(home: Path, job: Job) -> bool:
    """Whether the branch is the one that others are measured against.

    Then its own earlier commit counts.
    """
    head = git(home, "symbolic-ref", "--short", "HEAD", ok=(0, 128)).decode().strip()
    return job.branch == head


def _there(home: Path, commit: str) -> bool:
    return git(home, "cat-file", "-t", commit, ok=(0, 128)).strip() == b"commit"


def _keep(home: Path, job: Job, outcome: Outcome, say: Callable[[str], None]) -> None:
    """Write an outcome down where no push reaches it, then publish it.

    A job is done once the first is on disk.
    """
    keep(home, status_line(outcome), tip=job.tip)
    _publish(home, job, say)


def _publish(home: Path, job: Job, say: Callable[[str], None]) -> None:
    try:
        publish(home, job.commit)
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
            running = [
                parse_json(
                    (home / FOLDER / "running.json").read_bytes(), home / FOLDER / "running.json"
                )
            ]
    names = {(one["commit"], one.get("project", "")) for one in running}
    waiting = [
        {"commit": job.commit, "branch": job.branch, "project": job.project, "since": job.since}
        for job in jobs(home)
    ]
    return {
        "running": running,
        "waiting": [one for one in waiting if (one["commit"], one["project"]) not in names],
    }


def _busy(home: Path) -> bool:
    with (room(home) / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def log_of(repo: Path, commit: str) -> str:
    """The log of a commit's run; of all its projects, one after the other, unless one is meant.

    Raises:
        HookError: There is none here.
    """
    folder, meant = common_dir(repo) / FOLDER / "logs", project_prefix(repo)
    found = (
        [folder / f"{place_of(commit, meant)}.log"]
        if meant
        else sorted(folder.glob(f"{commit}*.log"))
    )
    there = [path.read_text(encoding="utf-8", errors="replace") for path in found if path.is_file()]
    if not there:
        raise HookError(
            f"commit {commit[:10]} has no log here",
            hint="logs stay where CI ran: the bare repository",
        )
    return "".join(there)
