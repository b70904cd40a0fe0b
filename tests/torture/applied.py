"""Two appliers at once over a small pipeline, killed, with a remote that is gone, half there, or back.

What must hold: after whatever happened one apply alone goes through, nothing is left to do then, and
each output is what its inputs make of it.
"""

from __future__ import annotations

import os
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

from furrow.plan.make_plan import make_plan
from tests.gitops.small import environment, plant, run
from tests.torture.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.torture.world import Ack

FURROW = [sys.executable, "-m", "furrow"]
TOOLS = ([*FURROW, "apply"], ["dvc", "repro"], [*FURROW, "plan"])
_LONGEST = 300


@cache
def _base() -> tempfile.TemporaryDirectory[str]:
    """The pipeline, made once for all stories of a process."""
    made = tempfile.TemporaryDirectory(prefix="torture-base-")
    root = Path(made.name) / "applied"
    root.mkdir()
    os.environ.setdefault("GIT_AUTHOR_NAME", "Ada")
    os.environ.setdefault("GIT_AUTHOR_EMAIL", "ada@example.com")
    os.environ.setdefault("GIT_COMMITTER_NAME", "Ada")
    os.environ.setdefault("GIT_COMMITTER_EMAIL", "ada@example.com")
    plant(root)
    run(root, "dvc", "remote", "add", "-q", "-d", "store", "../applied-remote")
    run(root, "dvc", "push", "-q")
    return made


def begin(folder: Path) -> None:
    """A copy of the pipeline, and of its remote."""
    for name in ("applied", "applied-remote"):
        shutil.copytree(Path(_base().name) / name, folder / name, symlinks=True)


def rate(root: Path, n: int, _ack: Ack) -> None:
    """Another hyper-parameter: some are tried again and again."""
    place = root.parent / "applied/conf/experiment/gbm.yaml"
    place.write_text(f"model: {{learning_rate: {n % 5}, depth: 3}}\nseed: 1\n")


def month(root: Path, n: int, _ack: Ack) -> None:
    """Other raw data."""
    place = root.parent / "applied/data/flights/2013-02.csv"
    half = place.with_suffix(".tmp")
    half.write_text(f"AA,{n % 4}\n")
    half.replace(place)


def appliers(root: Path, n: int, _ack: Ack) -> None:
    """Two at once, `furrow apply` or `dvc repro`; one of them is killed, at times."""
    folder = root.parent / "applied"
    begun = [_begin(folder, TOOLS[place % len(TOOLS)]) for place in (n // 3, n // 7)]
    if n % 3 == 0:
        with suppress(subprocess.TimeoutExpired):
            begun[0].wait((n % 50) / 10)
        _end(begun[0])
    if said := _waited(begun):
        raise RuntimeError(f"an applier hangs: {said}")


def share(root: Path, _n: int, _ack: Ack) -> None:
    """`dvc push`; refused while the remote is gone."""
    run(root.parent / "applied", "dvc", "push", "-q", check=False)


def lose(root: Path, n: int, _ack: Ack) -> None:
    """The remote's folder: gone, half there, or back."""
    lose_half(root.parent, "applied-remote", n)


def lose_half(folder: Path, name: str, n: int) -> None:
    """A folder gone (n % 3 = 0), without every other file (1), or whole again (2)."""
    place, away = folder / name, folder / f"{name}.away"
    if away.is_dir():
        for path in sorted(away.rglob("*")):
            if path.is_file():
                there = place / path.relative_to(away)
                there.parent.mkdir(parents=True, exist_ok=True)
                path.replace(there)
        shutil.rmtree(away)
    if n % 3 == 0:
        place.replace(away)
    elif n % 3 == 1:
        for number, path in enumerate(sorted(one for one in place.rglob("*") if one.is_file())):
            if (number + n) % 2:
                to = away / path.relative_to(place)
                to.parent.mkdir(parents=True, exist_ok=True)
                path.replace(to)


def forget(root: Path, n: int, _ack: Ack) -> None:
    """The cache is lost, and some outputs with it; raw data stay."""
    folder = root.parent / "applied"
    shutil.rmtree(folder / ".dvc/cache", ignore_errors=True)
    for number, name in enumerate(("build/models/gbm", "build/models/base", "build/evaluations")):
        if (n >> number) & 1:
            shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "build/evaluations").mkdir(exist_ok=True)
    _settled(folder)


def _begin(folder: Path, command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=folder, env=environment() | {"FURROW_TRUST": "1"}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)  # it alone: what it started lives on
    process.wait()


def _settled(folder: Path) -> str:
    """One apply alone; what it says where it fails."""
    with tempfile.TemporaryFile("w+") as said:
        one = subprocess.Popen(
            [*FURROW, "apply"], cwd=folder, env=environment() | {"FURROW_TRUST": "1"},
            stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
        if hangs := _waited([one]):
            raise RuntimeError(f"an apply alone hangs: {hangs}")
        said.seek(0)
        return "" if one.returncode == 0 else said.read()


def _waited(begun: list[subprocess.Popen[bytes]]) -> str:
    """Wait for all of them; which one hangs, which is ended then."""
    patience = Patience(_LONGEST)
    while waiting := [one for one in begun if one.poll() is None]:
        if not patience.lasts(one.pid for one in waiting):
            for one in waiting:
                _end(one)
            return str(waiting[0].args)
        time.sleep(0.05)
    return ""


VERBS = {"rate": rate, "month": month, "appliers": appliers, "share": share, "lose": lose,
         "forget": forget}  # fmt: skip


def lost(folder: Path, _told: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """One apply alone goes through, and leaves nothing and no half state."""
    root = folder / "applied"
    if said := _settled(root):
        yield f"an apply alone does not go through: {said[-3000:]}"
        return
    if plan := make_plan(root):
        yield f"an apply leaves something to do: {[one.name for one in plan.stages]}"
    got = (root / "build/models/gbm/model.txt").read_text()
    if got != (wanted := _model(root)):
        yield f"the model is {got!r}, its inputs make {wanted!r}"
    for half in (*root.glob(".dvc.lock.????????"), *root.glob("**/*.half")):
        yield f"{half.name} is left"


def _model(root: Path) -> str:
    def rows(name: str) -> str:
        return "".join(path.read_text() for path in sorted((root / "data" / name).glob("*.csv")))

    def table(name: str) -> str:
        lines = (root / f"features/tables/{name}.sql").read_text().splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("--"))

    training = table("a") + rows("flights") + table("b") + rows("weather") + "service: 1\n"
    return (root / "conf/experiment/gbm.yaml").read_text() + training


def converged(folder: Path, told: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """With the remote back, all holds, too."""
    lose_half(folder, "applied-remote", 2)
    yield from lost(folder, told)
