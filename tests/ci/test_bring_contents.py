"""What a commit needs is at hand when DVC's cache holds all of it, a folder's every file; else it is fetched, or refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from furrow.ci.bring_contents import at_hand, bring, kept_of
from furrow.ci.dvc_checkout import RemoteError


@pytest.fixture
def session(repo: Path) -> Any:
    """A commit with a folder and a file that DVC keeps."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=repo, env={**os.environ, "PATH": tools}, check=True, capture_output=True, text=True
        )  # fmt: skip
        return done.stdout.strip()

    for path in ("data/a.txt", "data/in/b.txt", "one.txt"):
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / path).write_text(path)
    (repo / "dvc.yaml").write_text("stages: {}\n")
    run("dvc", "init", "-q")
    run("dvc", "add", "-q", "data", "one.txt")
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "data")
    commit = run("git", "rev-parse", "HEAD")
    bench = SimpleNamespace(place=repo, remote=False, held=None)
    options = SimpleNamespace(untrusted=False)
    return SimpleNamespace(root=repo, commit=commit, result=commit, bench=bench, options=options)


def test_every_file_of_a_folder_counts(session: Any) -> None:
    """A folder is at hand while each of its files is; a file of it by itself."""
    assert {"data", "one.txt"} <= set(kept_of(session, session.commit))
    assert at_hand(session, ["data", "one.txt", "data/in"])
    assert not at_hand(session, ["nowhere"])
    objects = (session.root / ".dvc/cache/files/md5").rglob("*")
    (lost,) = [one for one in objects if one.is_file() and one.read_bytes() == b"data/in/b.txt"]
    lost.unlink()
    assert not at_hand(session, ["data"])
    assert not at_hand(session, ["data/in"])
    assert at_hand(session, ["data/a.txt", "one.txt"])


def test_without_a_remote_what_is_lost_is_refused(session: Any) -> None:
    """What lies there needs nothing; what is gone from cache and checkout is named, with what to do."""
    bring(session, ["data", "one.txt"])
    (session.root / "one.txt").unlink()
    for one in (session.root / ".dvc/cache/files/md5").rglob("*"):
        if one.is_file() and one.read_bytes() == b"one.txt":
            one.unlink()
    with pytest.raises(RemoteError, match=r"one\.txt is needed, and the repository names no DVC"):
        bring(session, ["one.txt"])
