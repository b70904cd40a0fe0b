"""What is missing or odd is found, each by itself, and what is well is called so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from furrow.cli.doctor import command
from furrow.clone import doctor
from furrow.clone.doctor import Finding, examine
from furrow.clone.merge import install

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTRACT = """\
format: 1
clock: {timezone: UTC}
tables:
  orders: {files: orders.parquet, columns: {id: {type: int64}}}
"""


@pytest.fixture
def clone(tmp_path: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without data or remote, on a machine whose jail is not tried out each time."""
    monkeypatch.setattr(doctor, "_jail", lambda: Finding("isolation", "ok", "not tried"))
    root = tmp_path / "clone"
    (root / "conf/data").mkdir(parents=True)
    (root / "conf/data/contract.yaml").write_text(CONTRACT)
    (root / "dvc.yaml").write_text("stages: {}\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "one")
    return root


def states(root: Path) -> dict[str, str]:
    return {one.what: one.state for one in examine(root)}


def test_each_is_found_and_mended(
    clone: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong in a new clone, and after doing what it says."""
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    found = states(clone)
    assert (found["Python"], found["Git"], found["packages"]) == ("ok", "ok", "ok")
    assert (found["data"], found["merges"], found["DVC remote"]) == ("missing", "odd", "odd")
    assert (found["left over"], found["history"], found["clock"]) == ("ok", "ok", "ok")
    (clone / "data").mkdir()
    (clone / "data/orders.parquet").write_bytes(b"")
    (clone / ".dvc").mkdir()
    (clone / ".dvc/config").write_text(
        "[core]\n    remote = here\n['remote \"here\"']\n    url = /r\n"
    )
    install(clone)
    (clone / ".furrow/init").mkdir(parents=True)
    found = states(clone)
    assert (found["data"], found["merges"], found["DVC remote"]) == ("ok", "ok", "ok")
    assert found["left over"] == "odd"
    git(clone, "remote", "add", "origin", "https://example.com/x.git")
    assert states(clone)["trust"] == "odd"


def test_versions_that_are_not_the_locked_ones(clone: Path) -> None:
    """Each that differs is named."""
    (clone / "requirements.lock").write_text("click==0.1\nno-such-thing==1\n")
    found = next(one for one in examine(clone) if one.what == "environment")
    assert found.state == "odd"
    assert "click: locked 0.1" in found.said
    assert "no-such-thing: locked 1, installed not at all" in found.said


def test_a_virtual_environment_that_git_would_commit(clone: Path, git: Callable[..., str]) -> None:
    """Not ignored, then tracked: told with what to do."""
    (clone / ".venv").mkdir()
    (clone / ".venv/pyvenv.cfg").write_text("")
    found = {one.what: one for one in examine(clone)}["virtual environment"]
    assert (found.state, found.said) == ("odd", ".venv/ is not ignored by Git")
    git(clone, "add", "-A")
    found = {one.what: one for one in examine(clone)}["virtual environment"]
    assert (found.state, found.said) == ("odd", ".venv/ is tracked by Git")
    assert "git rm -r -q --cached .venv" in found.hint
    git(clone, "rm", "-r", "-q", "--cached", ".venv")
    (clone / ".gitignore").write_text(".venv/\n")
    assert states(clone)["virtual environment"] == "ok"


def test_a_clock_behind_the_commits(
    clone: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told, since moments of runs hang on it."""
    later = doctor.time.time()
    monkeypatch.setattr(doctor.time, "time", lambda: later - 50 * 3600)
    found = next(one for one in examine(clone) if one.what == "clock")
    assert (found.state, found.said) == ("odd", "the last commit is 50 hours ahead")


def test_outside_of_a_project(tmp_path: Path, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is looked at all the same; a version that Furrow does not take is missing."""
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "click" else "99")
    found = {one.what: one for one in examine(tmp_path)}
    assert found["project"].state == "odd"
    assert found["project"].hint
    assert "click is not installed" in found["packages"].said


def test_its_exit_code(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 while something is missing; JSON holds the same as the table."""
    monkeypatch.chdir(clone)
    said = CliRunner().invoke(command, ["--json"], standalone_mode=False)
    assert said.return_value == 1
    assert {"what", "state", "said", "hint"} == set(json.loads(said.output)["findings"][0])
    (clone / "data").mkdir()
    (clone / "data/orders.parquet").write_bytes(b"")
    said = CliRunner().invoke(command, [], standalone_mode=False)
    assert said.return_value == 0
    assert "are odd or missing" in said.output


def test_the_jail_is_tried_out() -> None:
    """Held, or the reason why not."""
    found = doctor._jail()
    assert found.state in {"ok", "odd"}
    assert found.said
