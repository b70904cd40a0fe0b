"""`furrow replay` as a person sees it: progress, table, JSON, exit codes, the next step."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def run(folder, *command, code=0):
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env={**kept, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def replay(folder, *arguments, code=0):
    return run(folder, sys.executable, "-m", "furrow", "replay", *arguments, code=code)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """One stage, run and committed; not to be changed."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "make.py").write_text('open("metrics.json", "w").write("{\\"auc\\": 0.5}")\n')
    lines = ["stages:", "  make:", "    cmd: python make.py", "    deps: [make.py]", "    metrics:",
             "      - metrics.json: {cache: false}"]  # fmt: skip
    (folder / "dvc.yaml").write_text("\n".join(lines))
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "git", "config", "user.name", "Ada Test")
    run(folder, "git", "config", "user.email", "ada@example.com")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "repro", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "-m", "run")
    return folder


@pytest.fixture
def world(planted, tmp_path):
    """A copy of it."""
    shutil.copytree(planted, tmp_path / "world", symlinks=True)
    return tmp_path / "world"


def test_a_good_commit(world, tmp_path):
    """A line a stage while it runs, a table at the end, the note, the statement in a file, what to do next."""
    done = replay(world, "--out", str(tmp_path / "statement.json"))
    assert "[1/1] make identical" in done.stderr
    assert "every stage: identical" in done.stdout
    assert "kept as a note (refs/notes/furrow/replay)" in done.stdout
    assert "next: `furrow replay --verify" in done.stdout
    assert (
        json.loads((tmp_path / "statement.json").read_text())["_type"]
        == "https://in-toto.io/Statement/v1"
    )
    assert "holds: commit" in replay(world, "--verify").stdout
    [checked] = json.loads(replay(world, "--verify", "--json").stdout)["notes"]
    assert (checked["holds"], checked["checked"]) == (True, 1)


def test_json_is_all_of_standard_output(world):
    """For a script."""
    (world / "metrics.json").write_text("not committed")
    done = replay(world, "--json", "--no-note")
    assert "the work tree has changes; the commit is replayed, without them" in done.stderr
    value = json.loads(done.stdout)
    assert value["status"] == "identical"
    assert value["stages"][0]["outputs"][0]["path"] == "metrics.json"
    assert "carries no replay" in replay(world, "--verify", code=1).stderr


def test_without_a_note(world):
    """There is none to check."""
    done = replay(world, "--no-note")
    assert "kept as a note" not in done.stdout
    assert "--verify" not in done.stdout
    assert "next: `furrow replay" in done.stdout
    assert "keeps the verdict as a note" in done.stdout
    assert (
        " --stage make` keeps the verdict as a note"
        in replay(world, "--no-note", "--stage", "make").stdout
    )


def test_how_the_note_travels(world, tmp_path):
    """What is said of `git push` is so: it carries the note once `furrow install` has run, and not before."""
    for name in ("one.git", "two.git"):
        run(tmp_path, "git", "init", "-q", "--bare", name)
    run(world, "git", "remote", "add", "origin", str(tmp_path / "one.git"))
    assert "`git push` carries it once `furrow install` has run" in replay(world).stdout

    def there(name):
        return "refs/notes/furrow/replay" in run(tmp_path / name, "git", "for-each-ref").stdout

    run(world, "git", "push", "-q", str(tmp_path / "two.git"), "main")
    assert not there("two.git")
    run(world, sys.executable, "-m", "furrow", "install")
    run(world, "git", "push", "-q", "origin", "main")
    assert there("one.git")


def test_what_is_tried_is_said(world):
    """Each further run of a stage that differs."""
    (world / "metrics.json").write_text('{"auc": 0.9}')
    run(world, "dvc", "commit", "-q", "-f", "make")
    run(world, "git", "commit", "-q", "-am", "better")
    lines = replay(world, code=1).stderr.splitlines()
    assert lines[:2] == ["make differs: runs again", "make differs: runs again with another clock"]


def test_a_bad_commit(world):
    """Exit code 1, what differs, why, and the way out; the note on it says so and holds."""
    (world / "metrics.json").write_text('{"auc": 0.9}')
    run(world, "git", "commit", "-q", "-am", "better")
    text = replay(world, code=1).stdout
    assert "auc: recorded 0.9, replayed 0.5 (-0.4)" in text
    assert "make: why: edited by hand:" in text
    assert "the first that differs: make" in text
    assert "next: `dvc repro` writes the true results; commit them" in text
    assert "holds: commit" in replay(world, "--verify", code=1).stdout
    assert "different" in replay(world, "--verify", code=1).stdout


def test_strict(world):
    """Reading what is not declared is a note, or with --strict a failure."""
    (world / "extra.txt").write_text("x")
    (world / "make.py").write_text('open("extra.txt").read()\n' + (world / "make.py").read_text())
    run(world, "dvc", "repro", "-q")
    run(world, "git", "add", "-A")
    run(world, "git", "commit", "-q", "-m", "more")
    assert "make: note: reads extra.txt (commit), which it does not declare" in replay(world).stdout
    replay(world, "--strict", code=1)


def test_errors(world, tmp_path):
    """Usage is 2, a known error 1, each with the next step."""
    assert "did you mean 'make'?" in replay(world, "--stage", "mak", code=2).stderr
    assert "unknown revision 'v9'" in replay(world, "v9", code=1).stderr
    assert "not inside a Git repository" in replay(tmp_path, code=1).stderr


def test_a_note_that_cannot_be_written(world):
    """The verdict is told all the same."""
    (world / ".git/furrow-notes.lock").mkdir()
    done = replay(world)
    assert "warning: cannot write the note" in done.stderr
    assert "identical" in done.stdout


def test_help_is_instant(world):
    """It loads neither DVC nor pandas."""
    replay(world, "--help")
    code = "import furrow.cli.replay, sys; sys.exit(any(name in sys.modules for name in ('dvc', 'pandas', 'rich')))"
    run(world, sys.executable, "-c", code)
