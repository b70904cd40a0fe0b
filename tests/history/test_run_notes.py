"""Notes and tags on runs: Git notes on their content, in every commit that holds it, whoever wrote them."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from furrow.cli.main import run as furrow
from furrow.cli.runs_note import command
from furrow.errors import UsageError
from furrow.ground.notes import add_line
from furrow.history.named_run import run as load_run
from furrow.history.run_notes import NOTE, note_run, notes_of, tags_of, tags_of_trees, tree_of
from tests.web.conftest import commit, made, run_files

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two commits, of which both hold the same run and the second changes another."""
    found = made(tmp_path / "noted")
    commit(found, {**run_files("gbm", {"roc_auc": 0.8}), **run_files("line", {"roc_auc": 0.7})})
    commit(found, run_files("line", {"roc_auc": 0.71}))
    return found


def test_a_note_is_wherever_the_run_is(folder: Path) -> None:
    """In both commits, in a clone that fetches notes; of a run whose content changed it is gone."""
    note_run(load_run("gbm@HEAD~1", repo=folder), "look at this", tags=["good", "good"], now=NOON)
    note_run(load_run("line@HEAD~1", repo=folder), "old", tags=["stale"], now=NOON)
    assert [one.text for one in notes_of(load_run("gbm", repo=folder))] == ["look at this"]
    assert notes_of(load_run("line", repo=folder)) == []
    clone = folder.parent / "clone"
    subprocess.run(["git", "clone", "-q", "--bare", str(folder), str(clone)], check=True)
    fetch = ["git", "-C", str(clone), "fetch", "-q", "origin", "refs/notes/*:refs/notes/*"]
    subprocess.run(fetch, check=True)
    [note] = notes_of(load_run("gbm", repo=clone))
    assert (note.tags, note.when) == (("good",), "2026-01-02T12:00:00Z")
    tree = tree_of(load_run("gbm", repo=clone))
    assert tags_of_trees(clone)[tree] == ["good"]


def test_a_tag_is_taken_off_by_a_later_line(folder: Path) -> None:
    run = load_run("gbm", repo=folder)
    note_run(run, "", tags=["a", "b"], now=NOON)
    note_run(run, "", off=["a"], now=NOON.replace(hour=13))
    assert tags_of(notes_of(run)) == ["b"]
    note_run(run, "", tags=["a"], now=NOON.replace(hour=14))
    assert tags_of(notes_of(run)) == ["b", "a"]


def test_lines_of_strangers_are_bounded(folder: Path) -> None:
    """What is no note of this format is passed over; long texts and tags are cut."""
    run = load_run("gbm", repo=folder)
    for line in (
        "no json", "[1]", '{"format": 2, "tags": ["x"]}', '{"format": 1, "tags": 3, "text": null}',
        json.dumps({"format": 1, "text": "t" * 99_999, "tags": ["g" * 999] * 999, "when": "9" * 99}),
    ):  # fmt: skip
        add_line(folder, NOTE, tree_of(run), line)
    found = notes_of(run)
    assert [len(one.text) for one in found] == [0, 4000]
    assert tags_of(found) == ["g" * 40]


@pytest.mark.parametrize("tag", ["x" * 41, "a,b", "\x1b[2J"])
def test_what_is_no_tag(folder: Path, tag: str) -> None:
    with pytest.raises(UsageError, match="is no tag"):
        note_run(load_run("gbm", repo=folder), "", tags=[tag], now=NOON)


def test_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It writes and shows; nothing to write is refused only where something was to be written."""
    monkeypatch.chdir(folder)
    assert furrow(["runs", "note", "gbm", "the one", "--tag", "good"]) == 0
    assert furrow(["runs", "note", "gbm", "--json"]) == 0
    said = capsys.readouterr().out
    assert "+good: the one" in said
    assert json.loads(said[said.index("{") :])["tags"] == ["good"]
    assert furrow(["runs", "note", "gbm", "x" * 5000]) == 2
    assert furrow(["runs", "note", "nobody", "x"]) == 1


def test_its_help_says_that_a_note_is_a_claim() -> None:
    said = CliRunner().invoke(command, ["--help"]).output
    assert "Anybody who may push notes may write in any name" in " ".join(said.split())
