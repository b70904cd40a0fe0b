"""A repository to ask `furrow-runs` about, and how to ask it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent
SCRIPT = str(BIN / "furrow-runs")
MARK = "printed again"
Answer = tuple[int, bytes, bytes]


def told(folder: Path, *words: str, program: tuple[str, ...] = (SCRIPT,), **environment: str) -> Answer:
    """What the script says: exit code, output, errors."""
    done = subprocess.run(
        [*program, *words], cwd=folder, capture_output=True, check=False, env={**os.environ, **environment}
    )
    return done.returncode, done.stdout, done.stderr


def anew(folder: Path, *words: str, **environment: str) -> Answer:
    """What Python says at the same moment."""
    return told(folder, *words, program=(str(BIN / "furrow"), "runs"), **environment)


def answers(git: Path) -> set[Path]:
    return set((git / "furrow/answers").glob("*"))


def settle(git: Path) -> None:
    """Make everything as old as it will be in ten seconds: what was written just now is not relied on."""
    old = time.time() - 10
    for path in (git / "HEAD", git / "packed-refs", git / "furrow/runs.sqlite", git / "refs", *git.glob("refs/**/*")):
        if path.exists() and path.stat().st_mtime > old:
            os.utime(path, (old, old))


def learn(folder: Path, *words: str, git: Path | None = None, **environment: str) -> Answer:
    """Ask until the answer is kept, and mark it, so that printing it again shows."""
    git = git or folder / ".git"
    before = answers(git)
    for _ in range(4):
        settle(git)
        found = told(folder, *words, **environment)
        for path in answers(git) - before:
            lines = path.read_text().split("\n")
            at = 6 + int(lines[2]) + int(lines[3])
            path.write_text("\n".join([*lines[:at], MARK, *lines[at + 1 :]]))
            return found
    raise AssertionError(f"not kept: {words}")


def again(found: Answer) -> bool:
    return found[1].startswith(MARK.encode())


@pytest.fixture
def some(history: Any) -> Any:
    """Two commits on main, another branch and a trial."""
    history.commit(history.run("gbm", 0.5))
    base = history.commit({**history.run("gbm", 0.6), **history.run("logistic", 0.55)})
    history.commit(history.run("gbm", 0.65), ref="refs/heads/other", parents=(base,))
    history.commit(history.run("gbm", 0.7), ref=f"refs/exps/{base[:2]}/{base[2:]}/gbm-1a2b3c4", parents=(base,))
    return history
