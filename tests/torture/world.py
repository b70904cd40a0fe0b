"""A small world of two clones, a remote and a prediction log, parts beside it, and a model of what must hold in it.

What was acknowledged is never lost; what was under way when a process was killed is there whole, or
not at all; whatever was killed, the same step can be taken again.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING

import furrow
from furrow.errors import FurrowError
from furrow.governance.fsck import fsck
from furrow.governance.garbage import collect, find_garbage
from furrow.ground.git import common_dir
from furrow.ground.notes import add_line, push_notes, read_lines
from furrow.ground.runcache import store
from furrow.history.runs_index import forget_index
from furrow.models.register import register
from furrow.models.registry import find, versions
from furrow.serving.log_files import live_folder
from furrow.serving.log_reader import read_records
from furrow.serving.log_seal import seal
from furrow.serving.log_settings import LogSettings
from furrow.serving.prediction_log import PredictionLog
from tests.proof.signingpeople import project
from tests.serving.records import record
from tests.torture.parts import PARTS, Part

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path
    from types import FrameType

NOTE = "replay"
CLONES = ("one", "two")
_SYSTEM = frozenset({"posix", "_io", "fcntl", "_posixsubprocess"})
_TOUCHES = frozenset(
    [
        "open",
        "write",
        "writev",
        "pwrite",
        "truncate",
        "ftruncate",
        "rename",
        "replace",
        "link",
        "unlink",
        "remove",
        "mkdir",
        "rmdir",
        "fsync",
        "fdatasync",
        "chmod",
        "utime",
        "flock",
        "fork_exec",
        "posix_spawn",
        "execute",
        "commit",
    ]
)
MODEL = "build/models/gbm"


@dataclass(frozen=True)
class Step:
    """One thing that happens.

    Attributes:
        verb: Of `VERBS`.
        who: Which clone.
        n: What it is about.
        trouble: "", "kill" or "full".
        when: Before which of the calls that touch the disk or start a process it is killed with all
            that it started, or how many bytes a file may have.
    """

    verb: str
    who: int
    n: int
    trouble: str = ""
    when: int = 0

    def __str__(self) -> str:
        odd = f", {self.trouble} at {self.when}" if self.trouble else ""
        return f"{self.verb}({CLONES[self.who % 2]}, {self.n}{odd})"


@dataclass
class Model:
    """What must hold.

    Attributes:
        notes: Lines that were acknowledged, by clone and commit.
        tags: Versions, by clone: tag and commit.
        logged: Ids of records.
        perhaps: Ids of records that were under way when their process was killed.
        told: What else was acknowledged, in order.
    """

    notes: set[tuple[str, str, str]] = field(default_factory=set)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    logged: set[str] = field(default_factory=set)
    perhaps: set[str] = field(default_factory=set)
    told: list[tuple[str, ...]] = field(default_factory=list)


class BrokenError(Exception):
    """Something that must hold does not."""


def git(root: Path, *words: str, ok: bool = False) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode and not ok:
        raise FurrowError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


Ack = Callable[[tuple[str, ...]], None]
Act = Callable[["Path", int, Ack], None]


def edit(root: Path, n: int, _ack: Ack) -> None:
    """Another model: its metrics and hash in the commit, its bytes in the cache."""
    content = f"model {n}".encode()
    sha256 = hashlib.sha256(content).hexdigest()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    (root / MODEL).mkdir(parents=True, exist_ok=True)
    (root / MODEL / "model.joblib").write_bytes(content)
    store(root, md5, content)
    said = {"model_sha256": sha256, "features_digest": f"{n % 3}" * 64, "service": "full"}
    (root / "runs/gbm/record.json").write_text(json.dumps(said))
    (root / "runs/gbm/metrics.json").write_text(json.dumps({"roc_auc": 0.5 + n % 50 / 100}))
    (root / "dvc.lock").write_text(
        f"schema: '2.0'\nstages:\n  train:\n    cmd: x\n    outs:\n    - path: {MODEL}/model.joblib\n"
        f"      hash: md5\n      md5: {md5}\n"
    )
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", f"edit {n}")


def branch(root: Path, n: int, _ack: Ack) -> None:
    name = ("main", "side", "other")[n % 3]
    if git(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}", ok=True):
        git(root, "checkout", "-q", name)
    else:
        git(root, "checkout", "-q", "-b", name)


def merge(root: Path, n: int, _ack: Ack) -> None:
    name = ("main", "side", "origin/main")[n % 3]
    if git(root, "rev-parse", "--verify", "--quiet", name, ok=True):
        git(root, "merge", "-q", "-X", "ours", "-m", f"merge {name}", name)


def note(root: Path, n: int, ack: Ack) -> None:
    commit, line = git(root, "rev-parse", "HEAD"), json.dumps({"line": n})
    add_line(root, NOTE, commit, line)
    ack(("note", root.name, commit, line))


def version(root: Path, _n: int, ack: Ack) -> None:
    content = git(root, "show", "HEAD:dvc.lock", ok=True)
    if "md5: " in content:  # the model of this commit, as `dvc checkout` brings it
        md5 = content.rpartition("md5: ")[2].strip()
        (root / MODEL).mkdir(parents=True, exist_ok=True)
        cached = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        if cached.is_file():
            shutil.copyfile(cached, root / MODEL / "model.joblib")
    made = register(root)
    ack(("tag", root.name, str(made), made.commit))


def sync(root: Path, _n: int, _ack: Ack) -> None:
    git(root, "fetch", "-q", "--no-tags", "origin")
    push_notes(root, NOTE, "origin")
    git(root, "push", "-q", "origin", "refs/heads/main:refs/heads/main", ok=True)


def log(root: Path, n: int, ack: Ack) -> None:
    place = root.parent / "log"
    made = PredictionLog.open(place)
    start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=n % 5, seconds=n)  # clocks jump
    for k in range(n % 7 + 1):
        one = record(n + k, time=start + timedelta(milliseconds=k))
        ack(("begun", one.id))
        made.append([one])
        if not made.dropped:
            ack(("logged", one.id))
    made.close()


def sealing(root: Path, _n: int, _ack: Ack) -> None:
    place = root.parent / "log"
    if live_folder(place).is_dir():
        seal(place, LogSettings(), wait=True)


def runs(root: Path, _n: int, _ack: Ack) -> None:
    """The index says what a new one says."""
    told = _listed(root)
    forget_index(common_dir(root))
    again = _listed(root)
    if told != again:
        raise BrokenError(f"the index of runs says {told}, a new one {again}")


def _listed(root: Path) -> list[str]:
    frame = furrow.runs(revs="all", repo=root, columns=["run", "commit", "roc_auc"])
    return sorted(map(repr, frame.to_dict("records")))


def garbage(root: Path, _n: int, _ack: Ack) -> None:
    for one in find_garbage(root, older=0):
        collect(one)


VERBS: dict[str, Act] = {
    "edit": edit,
    "branch": branch,
    "merge": merge,
    "note": note,
    "version": version,
    "sync": sync,
    "log": log,
    "seal": sealing,
    "runs": runs,
    "gc": garbage,
}
ALL = {**VERBS, **{name: act for part in PARTS.values() for name, act in part.verbs.items()}}


class World:
    """The world in a folder.

    Args:
        folder: Where it is made.
        verbs: What steps do.
    """

    def __init__(self, folder: Path, verbs: dict[str, Act] | None = None) -> None:
        self.folder = folder
        self.verbs = verbs or ALL
        self.model = Model()
        self.begun: dict[str, Part] = {}
        first = project(folder / "one", "", "")
        (first / "conf/ci.yaml").write_text("branch: main\n")
        (first / ".dvc").mkdir()
        (first / ".dvc/config").write_text("")
        (first / ".gitignore").write_text("/build\n/.dvc/cache\n/.dvc/tmp\n/.furrow\n")
        edit(first, 0, lambda _: None)
        git(folder, "init", "-q", "--bare", "-b", "main", "bare.git")
        git(first, "remote", "add", "origin", str(folder / "bare.git"))
        git(first, "push", "-q", "origin", "main")
        git(folder, "clone", "-q", "bare.git", "two")
        git(folder / "two", "config", "user.name", "Two")
        git(folder / "two", "config", "user.email", "two@example.com")
        shutil.copytree(first / ".dvc/cache", folder / "two/.dvc/cache")

    def take(self, step: Step) -> None:
        """Take a step, and see that all holds.

        Raises:
            BrokenError: It does not.
        """
        root = self.folder / CLONES[step.who % 2]
        for name, part in PARTS.items():
            if step.verb in part.verbs and name not in self.begun:
                part.begin(self.folder)
                self.begun[name] = part
        self._act(root, step)
        if step.trouble:
            for stale in [*root.glob(".git/**/*.lock"), *self.folder.glob("bare.git/**/*.lock")]:
                if stale.name != "furrow-notes.lock":
                    stale.unlink(missing_ok=True)  # as Git asks of whoever killed it
            git(root, "merge", "--abort", ok=True)
            git(root, "reset", "-q", "--hard", ok=True)
            self._act(root, Step(step.verb, step.who, step.n))  # and now it goes through
        self.check(step.verb)

    def _act(self, root: Path, step: Step) -> None:
        ours, theirs = get_context("forkserver").Pipe(duplex=False)
        if not step.trouble:
            _in_place(self.verbs[step.verb], root, step.n, self._heard)
            return
        child = get_context("forkserver").Process(
            target=_in_child, args=(self.verbs[step.verb], root, step, theirs)
        )
        child.start()
        theirs.close()
        with suppress(EOFError):
            while True:
                said = ours.recv()
                if said[0] == "broken":
                    raise BrokenError(said[1])
                self._heard(said)
        child.join()

    def _heard(self, said: tuple[str, ...]) -> None:
        model = self.model
        if said[0] == "note":
            model.notes.add((said[1], said[2], said[3]))
        elif said[0] == "tag":
            model.tags[said[1], said[2]] = said[3]
        elif said[0] == "begun":
            model.perhaps.add(said[1])
        elif said[0] == "logged":
            model.logged.add(said[1])
        else:
            model.told.append(said)

    def check(self, verb: str) -> None:
        """See that all that was acknowledged is there, each once.

        Raises:
            BrokenError: It is not.
        """
        for one in self._lost(verb):
            raise BrokenError(one)

    def _lost(self, verb: str) -> Iterator[str]:
        if verb in ("note", "sync"):
            for clone, commit, line in sorted(self.model.notes):
                if line not in read_lines(self.folder / clone, NOTE, commit):
                    yield f"{clone} lost the line {line} of the note on {commit[:10]}"
        if verb in ("version", "gc"):
            for (clone, tag), commit in self.model.tags.items():
                if find(self.folder / clone, tag).commit != commit:
                    yield f"{clone}: {tag} is of another commit"
        if verb in ("log", "seal", "answers"):
            place = self.folder / "log"
            ids = [one.id for one in read_records(place)] if place.is_dir() else []
            if len(set(ids)) != len(ids):
                yield "a record is there twice"
            if lost := self.model.logged - set(ids):
                yield f"{len(lost)} records are lost that were acknowledged"
            if odd := set(ids) - self.model.logged - self.model.perhaps:
                yield f"{len(odd)} records are there that nobody wrote"
        if verb in ("gc", "edit"):
            for clone in CLONES:
                yield from _contents(self.folder / clone)
        for part in self.begun.values():
            if verb in part.verbs and verb in (part.looks or part.verbs):
                yield from part.lost(self.folder, self.model.told)

    def close(self) -> None:
        """End what was started."""
        for part in self.begun.values():
            part.close(self.folder)

    def finish(self) -> None:
        """At the end: both clones have met, and every part holds together.

        Raises:
            BrokenError: They do not converge, or something does not hold.
        """
        for who in (0, 1, 0):
            self.take(Step("sync", who, 0))
        lines = {
            clone: {
                (commit, line)
                for _, commit, line in self.model.notes
                for line in read_lines(self.folder / clone, NOTE, commit)
            }
            for clone in CLONES
        }
        if lines["one"] != lines["two"]:
            raise BrokenError("after a sync of both, their notes differ")
        for clone in CLONES:
            wrong = [one for one in fsck(self.folder / clone) if one.state in ("damaged", "lost")]
            if wrong:
                raise BrokenError(f"{clone}: {wrong[0].part}: {wrong[0].said}")
        for part in self.begun.values():
            told = self.model.told
            for one in (*part.converged(self.folder, told), *part.lost(self.folder, told)):
                raise BrokenError(one)


def _contents(root: Path) -> Iterator[str]:
    """What the registered versions and HEAD of a clone have lost, of what its cache had."""
    heads = [git(root, "rev-parse", "HEAD"), *(one.commit for one in versions(root))]
    for commit in heads:
        lock = git(root, "show", f"{commit}:dvc.lock", ok=True)
        md5 = lock.rpartition("md5: ")[2].strip() if "md5: " in lock else ""
        path = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        mine = git(root, "log", "--format=%an", "-1", commit)
        if md5 and mine and not path.is_file() and _made_here(root, commit):
            yield f"{root.name}: the content of {commit[:10]} is gone"


def _made_here(root: Path, commit: str) -> bool:
    """Whether the clone itself made what a commit names; what it fetched, its cache need not have."""
    changed = git(root, "log", "-1", "--format=%ae", commit, "--", "dvc.lock")
    own = git(root, "config", "user.email", ok=True) or os.environ.get("GIT_AUTHOR_EMAIL", "")
    return bool(changed) and changed == own


def _in_place(act: Act, root: Path, n: int, ack: Ack) -> None:
    try:
        act(root, n, ack)
    except FurrowError:
        git(root, "merge", "--abort", ok=True)  # refused, in words: nothing happened
    except BrokenError:
        raise
    except Exception as exc:
        raise BrokenError("".join(traceback.format_exception(exc))) from exc


def _in_child(act: Act, root: Path, step: Step, pipe: Connection) -> None:
    os.setsid()
    left = step.when

    def count(frame: FrameType, event: str, value: object) -> None:
        nonlocal left
        if event != "c_call" or getattr(value, "__module__", "") not in _SYSTEM:
            return
        if getattr(value, "__name__", "") in _TOUCHES and "<frozen" not in frame.f_code.co_filename:
            left -= 1
            if left <= 0:
                os.killpg(0, signal.SIGKILL)

    if step.trouble == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (step.when, step.when))
    else:
        threading.setprofile(count)
        sys.setprofile(count)
    try:
        act(root, step.n, pipe.send)
    except (FurrowError, OSError):
        pass  # refused in words, or the disk is full
    except BrokenError as exc:
        sys.setprofile(None)
        pipe.send(("broken", str(exc)))
    except Exception as exc:  # noqa: BLE001 - whatever else it is, it is a fault, and is told
        sys.setprofile(None)
        if step.trouble != "full":
            pipe.send(("broken", "".join(traceback.format_exception(exc))))
    os._exit(0)
