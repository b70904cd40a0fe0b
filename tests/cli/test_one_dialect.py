"""Every command is spoken to alike: -C, help, ls, what was meant by a mistake, errors in one form and as JSON."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from furrow.cli import patience
from furrow.cli.group import COMMANDS, SECTIONS, cli
from furrow.cli.spelling import spelled
from furrow.errors import UsageError

from .terminals import output, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MISTAKES = {
    "runz": "did you mean runs?",
    "runs shwo gbm": "did you mean show?",
    "runs --wher x": "--where",
    "runs --limit many": "'many' is not an integer",
    "runs --branch mian": "did you mean main?",
    "runs show gmb": "did you mean gbm?",
    "runs diff gbm": "Missing argument 'AFTER'",
    "runs history gmb": "did you mean gbm?",
    "features lst": "did you mean list?",
    "feature list": "did you mean features?",
    "models promot x": "did you mean promote?",
    "data chek": "did you mean check?",
    "replay --verify nowhere": "nowhere",
    "-C nowhere runs": "-C nowhere: No such file or directory",
    "plan --out": "requires an argument",
    "predict --carier B6": "has no dvc.yaml",
}
"""Typical mistakes, and what must be said."""


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one run."""
    import subprocess  # noqa: PLC0415 - for this fixture alone

    folder = tmp_path_factory.mktemp("held") / "repo"
    (folder / "runs/gbm").mkdir(parents=True)
    (folder / "runs/gbm/metrics.json").write_text('{"roc_auc": 0.8}')
    (folder / "sub").mkdir()
    ada = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=a@b.c"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "a run"]):
        subprocess.run([*ada, *words], check=True)
    return folder


@pytest.mark.parametrize("words", MISTAKES)
def test_a_typical_mistake(held: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """One form: `error:`, what is wrong, the next step; nothing on standard output; never a traceback."""
    monkeypatch.chdir(held)
    monkeypatch.setenv("FURROW_TRUST", "1")
    found = said(monkeypatch, *words.split())
    assert found.code in (1, 2)
    assert found.out == ""
    assert found.err.startswith("error: ")
    assert MISTAKES[words] in found.err
    assert found.err.count("\n") >= 2
    assert "Traceback" not in found.err
    asked = said(monkeypatch, *words.split(), "--json") if words != "plan --out" else found
    if asked.out:
        error = json.loads(asked.out)["error"]
        assert error["exit_code"] == found.code
        assert error["message"] in found.err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("help", "--help"),
        ("help runs diff", "runs diff --help"),
        ("features help", "features --help"),
        ("ls --all", "runs --all"),
        ("runs -C x --all", "runs --all"),
        ("-C x runs -- -C y", "runs -- -C y"),
        ("runs help me", "runs help me"),
    ],
)
def test_spelling(typed: str, meant: str) -> None:
    words, folder = spelled(typed.split())
    assert words == meant.split()
    assert folder == ("x" if "-C x" in typed else "")


def test_a_folder_must_follow() -> None:
    with pytest.raises(UsageError, match="-C needs a folder"):
        spelled(["runs", "-C"])


def test_any_command_starts_elsewhere(
    held: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """-C is where the command starts, before or after its name; this process stays where it was."""
    monkeypatch.chdir(tmp_path)
    for words in (
        ["-C", str(held), "runs"],
        ["runs", "-C", str(held / "sub")],
        ["ls", "-C", str(held)],
    ):
        assert "gbm@" in said(monkeypatch, *words).out
    assert Path.cwd() == tmp_path
    monkeypatch.chdir(held)
    assert said(monkeypatch, "runs", "ls").out == said(monkeypatch, "runs").out


def test_help_in_groups_with_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command stands in the help once; -V is the version."""
    out = said(monkeypatch, "help").out
    for name in COMMANDS:
        assert out.count(f"\n  {name} ") == 1, name
    assert [title for title in SECTIONS if f"Commands: {title}" in out] == list(SECTIONS)
    assert "Examples:" in out
    assert said(monkeypatch, "-V").out.startswith("furrow, version ")


def leaves() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        inner = (
            command.list_commands(click.Context(command))
            if isinstance(command, click.Group)
            else []
        )
        for each in inner:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), each)
            assert found is not None
            yield f"{name} {each}", found
        if not inner:
            yield name, command


WITHOUT_JSON = {"mcp", "init", "ci install", "ci hook", "ci rejudge", "ci run-queue", "models card", "serve", "hold", "release",
                "rollback", "completion", "add", "man", "pause", "resume"}  # fmt: skip
"""Commands that a person looks at, or that write a file; take one away when it learns --json."""


def test_machines_are_answered() -> None:
    """Every command takes --json, but for those that are named."""
    lacking = {
        name
        for name, command in leaves()
        if not any("--json" in getattr(option, "opts", ()) for option in command.params)
    }
    assert lacking <= WITHOUT_JSON


def test_installing_is_shown_before_and_taken_back(
    repo: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run sets nothing; what was set is taken away whole, and what others wrote stays."""
    monkeypatch.chdir(repo)
    git(repo, "remote", "add", "origin", "/nowhere")
    (repo / ".gitattributes").write_text("*.png binary\n")
    hook = repo / ".git/hooks/post-merge"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho mine\n")
    before = git(repo, "config", "--list", "--local"), hook.read_text()

    def state() -> tuple[str, str]:
        return git(repo, "config", "--list", "--local"), hook.read_text()

    shown = said(monkeypatch, "install", "--dry-run").out
    assert "would set up: merge driver" in shown
    assert "nothing was changed" in shown
    assert state() == before
    planned = json.loads(said(monkeypatch, "install", "--dry-run", "--json").out)["changes"]
    assert json.loads(said(monkeypatch, "install", "--json").out)["changes"] == planned
    assert state() != before
    assert (
        "would take away: merge driver"
        in said(monkeypatch, "install", "--uninstall", "--dry-run").out
    )
    assert said(monkeypatch, "install", "--uninstall").code == 0
    assert state() == before
    assert (repo / ".gitattributes").read_text() == "*.png binary\n"
    assert [path for path in hook.parent.glob("*") if "furrow" in path.read_text()] == []


def test_nothing_long_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe is told in lines, and a terminal by a bar that is gone afterwards; what is short makes no noise."""
    monkeypatch.setattr(patience, "PIPED", 0.01)
    monkeypatch.setattr(patience, "AGAIN", 0.01)
    with output(monkeypatch, FURROW_PROGRESS="1") as (_, err), patience.waiting("comparing") as now:
        while "comparing: 0 s so far\n" not in err.getvalue():
            time.sleep(0.005)
        now("fitting")
        while "fitting: " not in err.getvalue():
            time.sleep(0.005)
    with output(monkeypatch, FURROW_PROGRESS="0") as (_, err), patience.waiting("comparing"):
        time.sleep(0.05)
    assert err.getvalue() == ""
