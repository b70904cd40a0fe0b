"""A real `furrow serve` that follows a branch while versions change, remotes are lost, and it is killed.

What must hold: every answer is in the log, names a version that was declared, and its score is had
again to the bit by a trace; in the end the server answers by what Git declares.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from furrow.errors import FurrowError
from furrow.serving.deployment_state import read_followed, release, roll_back, state_folder
from furrow.serving.log_reader import read_records
from furrow.serving.trace import trace
from tests.serving.followedrepo import NAMES, Followed
from tests.serving.followedrepo import build as build_followed
from tests.servingworld import ROW
from tests.servingworld import build as build_world
from tests.torture.applied import lose_half
from tests.torture.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.torture.world import Ack

ADDRESS = re.compile(r"on (http://127\.0\.0\.1:\d+)")
_STARTED: list[subprocess.Popen[bytes]] = []
LACKED = "lacked"
"""The file that tells that a server was started while a remote was away."""
_READY, _LACKING, _ANSWER = 120.0, 6.0, 600.0


@cache
def _base() -> tempfile.TemporaryDirectory[str]:
    """Features, two versions and their remotes, made once for all stories of a process."""
    made = tempfile.TemporaryDirectory(prefix="torture-base-")
    place = Path(made.name)
    world = build_world(place / "world")
    build_followed(place, {name: world.bundle(name) for name in NAMES})
    return made


def begin(folder: Path) -> None:
    """A copy, whose server is not started yet."""
    place = folder / "served"
    for name in ("work", "origin.git", "data", "world/features", "world/build/online"):
        shutil.copytree(Path(_base().name) / name, place / name, symlinks=True)
    repo = _repo(folder)
    run = ["git", "remote", "set-url", "origin", str(repo.origin)]
    subprocess.run(run, cwd=repo.work, check=True)
    with (repo.work / ".git/info/exclude").open("a") as exclude:
        exclude.write("/.furrow/\n")  # as projects have it in .gitignore
    config = repo.work / ".dvc/config"
    config.write_text(config.read_text().replace(_base().name, str(place)))
    repo.declare(f"model: {NAMES[0]}@v1.0.0\n")


def _repo(folder: Path) -> Followed:
    place = folder / "served"
    return Followed(place / "work", place / "origin.git", place / "data")


def deploy(root: Path, n: int, ack: Ack) -> None:
    """Another version is declared, with a canary at times."""
    folder = root.parent
    if not _repo(folder).origin.is_dir():
        return  # the remote is gone: nobody can declare anything
    one, other = (f"{NAMES[(n + k) % 2]}@v1.0.0" for k in range(2))
    canary = f"canary: {{model: {other}, share: 0.4}}\n" if n % 4 == 0 else ""
    for version in (one, other) if canary else (one,):
        ack(("declared", version))
    _repo(folder).declare(f"model: {one}\n{canary}", force=True)


def serve(root: Path, n: int, _ack: Ack) -> None:
    """A server is there afterwards; the one before is killed, at times."""
    folder = root.parent
    if n % 3 == 0:
        stop(folder)
    _address(folder)


def ask(root: Path, n: int, ack: Ack) -> None:
    """Requests; while no server runs, nobody answers."""
    folder = root.parent
    if not _pids(folder):
        return
    address = _address(folder)
    for k in range(1 + n % 4):
        row = {**ROW, "shop": ("north", "south")[k % 2], "amount": float(n + k)}
        answer = httpx.post(f"{address}/predict", json={"rows": [row]}, timeout=_ANSWER)
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code}: {answer.text}")
        one = answer.json()["predictions"][0]
        ack(("answer", one["id"], one["version"]))


def lose_data(root: Path, n: int, _ack: Ack) -> None:
    """The DVC remote: gone, half there, or back."""
    lose_half(root.parent / "served", "data", n)


def lose_git(root: Path, n: int, _ack: Ack) -> None:
    """The Git remote: gone, or back."""
    lose_half(root.parent / "served", "origin.git", 0 if n % 2 else 2)


def back(root: Path, n: int, _ack: Ack) -> None:
    """An operator goes back, or takes that back."""
    state = state_folder(_repo(root.parent).work, "production")
    if n % 2:
        release(state)
    else:
        roll_back(state)


VERBS = {"deploy": deploy, "serve": serve, "ask": ask, "lose_data": lose_data,
         "lose_git": lose_git, "back": back}  # fmt: skip


def lost(folder: Path, told: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Every answer is in the log under the version that it named; the newest are traced."""
    work = _repo(folder).work
    log = state_folder(work, "production") / "log"
    there = {one.id: one for one in read_records(log)} if log.is_dir() else {}
    answered = [one for one in told if one[0] == "answer"]
    declared = {f"{NAMES[0]}@v1.0.0", *(one[1] for one in told if one[0] == "declared")}
    for _, identity, version in answered:
        if identity not in there:
            yield f"the answer {identity} is not in the log"
        elif there[identity].version != version or version not in declared:
            yield f"{identity} was answered by {version}, says {there[identity].version}"
    for _, identity, _ in answered[-2:]:
        traced = trace(work, there[identity])
        if traced.equal is not True:
            yield f"{identity} can't be explained: {traced.missing}"


def converged(folder: Path, told: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """With the remotes back and no hold, the server answers by what is declared last."""
    root = folder / "one"
    lose_data(root, 2, lambda _: None)
    lose_git(root, 2, lambda _: None)
    back(root, 1, lambda _: None)
    wanted = f"{NAMES[len(told) % 2]}@v1.0.0"
    _repo(folder).declare(f"model: {wanted}\n", force=True)
    address, patience, version = _address(folder), Patience(_READY), ""
    while version != wanted and patience.lasts(_pids(folder)):
        answer = httpx.post(f"{address}/predict", json={"rows": [ROW]}, timeout=_ANSWER)
        if answer.status_code == 200:
            version = answer.json()["predictions"][0]["version"]
        time.sleep(0.2)
    if version != wanted:
        yield f"{wanted} is declared, and {version} answers"


def stop(folder: Path) -> None:
    """Kill the server of a story, and its workers."""
    for pid in _pids(folder):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while _pids(folder) and time.monotonic() < end:
        time.sleep(0.02)
    _STARTED[:] = [one for one in _STARTED if one.poll() is None]


def _pids(folder: Path) -> list[int]:
    """The servers of a story that run: what they were started with names its folder."""
    mark, found = f"{folder}/served/origin.git#main".encode(), []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if mark in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
    return found


def _address(folder: Path) -> str:
    """Of the server that runs; it is started if there is none."""
    place = folder / "served"
    if not _pids(folder):
        _start(place)
    patience, lacking = Patience(_READY), Patience(_LACKING)
    while True:
        found = ADDRESS.search((place / "said").read_text())
        with suppress(httpx.TransportError):
            if found and httpx.get(f"{found[1]}/readyz", timeout=5).status_code == 200:
                return found[1]
        pids = _pids(folder)
        ended = not pids
        known = read_followed(state_folder(place / "work", "production")).main
        if known is None and any(place.glob("*.away")) and (ended or not lacking.lasts(pids)):
            raise NotReadyError("there is no version on this machine, and no remote has one")
        if ended and (place / LACKED).exists() and not any(place.glob("*.away")):
            _start(place)  # as whatever watches over a server does: what it lacked is back
            continue
        if ended:
            raise RuntimeError(f"the server ended: {_errors(place)}")
        if not patience.lasts(pids):
            raise RuntimeError(f"it is never ready: {_errors(place)}")
        time.sleep(0.1)


def _start(place: Path) -> None:
    """Start a server, and note whether it lacks something from the start."""
    (place / LACKED).unlink(missing_ok=True)
    if any(place.glob("*.away")):
        (place / LACKED).touch()
    command = [sys.executable, "-m", "furrow", "serve", "production", "--port", "0", "--every", "0.3",
               "--follow", f"{place}/origin.git#main", "--features", str(place / "world/features")]  # fmt: skip
    with (place / "said").open("wb") as out, (place / "errors").open("wb") as err:
        one = subprocess.Popen(
            command, stdout=out, stderr=err, cwd=place / "work", start_new_session=True,
            env=os.environ | {"FURROW_TRUST": "1"},
        )  # fmt: skip
    _STARTED.append(one)


def _errors(place: Path) -> str:
    """What a server complained of, without what a native library says of its own at the end."""
    return (place / "errors").read_text().partition("nanobind:")[0][-3000:]


class NotReadyError(FurrowError):
    """It can't be: what it lacks is gone."""
