"""`furrow init` as a person runs it: from files to judged runs, again without a change, and after a kill."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.scaffold.shop import made_shop

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.story, pytest.mark.long]

WORDS = [
    "--predict",
    "Churned",
    "--about",
    "customer",
    "--at",
    "Signed Up",
    "--known-after",
    "30d",
    "--yes",
]


def command(given: Path) -> list[str]:
    return [sys.executable, "-P", "-m", "furrow", "init", str(given), *WORDS]


def contents(folder: Path) -> dict[str, bytes]:
    kept = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    local = {".git", ".furrow", "tmp", "__pycache__", "build"}
    return {
        str(path): path.read_bytes()
        for path in kept
        if not local & set(path.relative_to(folder).parts)
    }


def test_from_files_to_runs_and_again(tmp_path: Path) -> None:
    """It ends on the table of runs and what to do next; given again, not one file is another."""
    made_shop(300).write(tmp_path / "given")
    root = tmp_path / "shop"
    root.mkdir()
    done = subprocess.run(
        command(tmp_path / "given"), cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "champion" in done.stdout
    assert "git add -A && git commit" in done.stdout
    before = contents(root)
    assert "dvc.lock" in " ".join(before)
    again = subprocess.run(
        command(tmp_path / "given"), cwd=root, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "nothing is written over" in again.stdout
    assert contents(root) == before


def test_a_kill_on_the_way(tmp_path: Path) -> None:
    """Killed when the first stages run, which live on: the same command ends them, goes on, and ends on a champion."""
    made_shop(300).write(tmp_path / "given")
    root = tmp_path / "shop"
    root.mkdir()
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(command(tmp_path / "given"), cwd=root, stdout=log, stderr=log)
    for _ in range(12_000):
        if (root / "runs/.validated").exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    assert process.poll() is None, (tmp_path / "log").read_text()
    process.kill()
    process.wait()
    log.close()
    done = subprocess.run(
        command(tmp_path / "given"), cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "champion" in done.stdout
