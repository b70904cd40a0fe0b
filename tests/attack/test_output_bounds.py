"""What a command prints, and what a note holds, is bounded: neither CI's log nor its memory grows as a stranger likes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from furrow.ground import isolate, notes
from furrow.ground.isolate import CommandError, run, stream, unheld
from furrow.ground.notes import NoteError, add_line, read_lines, set_lines
from furrow.ground.start_python import python

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.attack
ENDLESS = """
import os, sys
while True:
    os.write({pipe}, b"x" * 1000 + {end})
"""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test reaches at once."""
    monkeypatch.setattr(isolate, "_MOST", 50_000)
    monkeypatch.setattr(isolate, "_LONGEST", 300)
    monkeypatch.setattr(notes, "_LARGEST", 2_000)


@pytest.mark.parametrize("end", ["b'\\n'", "b''"], ids=["lines", "one line"])
@pytest.mark.parametrize("pipe", [1, 2])
@pytest.mark.parametrize("way", [run, stream])
def test_a_command_that_prints_for_ever(
    tmp_path: Path, small: None, way: Any, pipe: int, end: str
) -> None:
    """Ended by its output, whichever pipe it writes to and whoever listens; nobody waits for it."""
    code = ENDLESS.format(pipe=pipe, end=end)
    with pytest.raises(CommandError, match="it printed more than 50,000 characters"):
        "".join(way(python("-c", code), tmp_path, unheld(tmp_path)))


def test_a_log_gets_a_long_line_in_pieces(tmp_path: Path, small: None) -> None:
    """So that no line of it is longer than what is shown."""
    told = list(stream(python("-c", "print('y' * 1000)"), tmp_path, unheld(tmp_path)))
    assert max(map(len, told)) == 300
    assert "".join(told) == "y" * 1000


def test_a_note_that_is_too_large(repo: Path, git: Any, small: None) -> None:
    """It is not read, not grown and not replaced; one that would become too large is refused, and stays as it was."""
    commit = git(repo, "rev-parse", "HEAD").strip()
    add_line(repo, "replay", commit, "honest")
    with pytest.raises(NoteError, match="is larger than"):
        add_line(repo, "replay", commit, "z" * 3_000)
    with pytest.raises(NoteError, match="is larger than"):
        set_lines(repo, "replay", commit, ["honest", "z" * 3_000])
    assert read_lines(repo, "replay", commit) == ["honest"]
    ref = "refs/notes/furrow/replay"
    git(repo, "notes", "--ref", ref, "add", "-f", "-m", "z" * 3_000, commit)
    assert read_lines(repo, "replay", commit) == []
    with pytest.raises(NoteError, match=f"git notes --ref {ref} remove"):
        add_line(repo, "replay", commit, "more")
    assert "z" * 3_000 in git(repo, "notes", "--ref", ref, "show", commit)


def test_a_large_note_of_a_remote_hides_no_others(repo: Path, git: Any, small: None) -> None:
    """What was written here is read beside it."""
    commit = git(repo, "rev-parse", "HEAD").strip()
    add_line(repo, "replay", commit, "honest")
    theirs = "refs/notes/remotes/origin/furrow/replay"
    git(repo, "notes", "--ref", theirs, "add", "-m", "z" * 3_000, commit)
    assert read_lines(repo, "replay", commit) == ["honest"]


def test_bytes_that_are_no_text(repo: Path, git: Any) -> None:
    """A line is added to a note that somebody filled with them."""
    commit = git(repo, "rev-parse", "HEAD").strip()
    blob = subprocess.run(
        ["git", "-C", str(repo), "hash-object", "-w", "--stdin"],
        input=b"\xff\xfe\n", capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    git(repo, "notes", "--ref", "refs/notes/furrow/replay", "add", "-C", blob, commit)
    add_line(repo, "replay", commit, "honest")
    assert "honest" in read_lines(repo, "replay", commit)
