"""Long output goes through the pager of whoever looks on, and never when a script reads."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.shell_completion import ShellComplete

from furrow.cli import paged
from furrow.cli.completed_names import environment_names, feature_names, run_names
from furrow.cli.group import cli
from furrow.ground.run_pager import run_pager

from .planted import planted
from .terminals import output, said

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["planted"]


class _Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody at a keyboard."""
    monkeypatch.setattr(sys, "stdin", _Keyboard())
    for name in ("PAGER", "FURROW_PAGER", "NO_PAGER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("words", "environment", "found"),
    [
        (["runs", "show", "gbm"], {"PAGER": "sort -r"}, ["sort", "-r"]),
        (["runs", "show", "gbm"], {"PAGER": "sort", "FURROW_PAGER": "tail"}, ["tail"]),
        (["runs", "show", "gbm"], {"PAGER": "cat"}, []),
        (["runs", "show", "gbm"], {"PAGER": "sort", "NO_PAGER": "1"}, []),
        (["runs", "show", "gbm"], {"PAGER": "there-is-no-such-pager"}, []),
        (["runs", "show", "gbm"], {"PAGER": "a 'b"}, []),
        (["runs", "show", "gbm", "--json"], {"PAGER": "sort"}, []),
        (["runs"], {"PAGER": "sort"}, []),
    ],
)
def test_whose_pager(
    person: None,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    environment: dict[str, str],
    found: list[str],
) -> None:
    """The one that is asked for, if it is there and the output is long."""
    with output(monkeypatch, width=80, **environment):
        assert paged.pager(words) == found
    with output(monkeypatch, **environment):
        assert paged.pager(words) == []


def test_what_is_said_goes_through_it(
    person: None, planted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The whole of it, with colors; what was said before an error as well."""
    monkeypatch.chdir(planted)
    shown = tmp_path / "shown"
    asked = {"PAGER": f"tee {shown}"}
    there = said(monkeypatch, "runs", "show", "gbm", width=80, NO_PAGER="1")
    assert said(monkeypatch, "runs", "show", "gbm", width=80, **asked).code == 0
    assert shown.read_text() == there.out
    monkeypatch.setattr(paged, "PAGED", {("features", "list")})
    said(monkeypatch, "features", "list", width=80, **asked)
    assert "traffic" in shown.read_text()


def test_a_pager_may_end_early_or_be_absent(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody must read to the end."""
    assert run_pager("line\n" * 200_000, ["head", "-1"], "FRX")
    assert capfd.readouterr().out == "line\n"
    assert not run_pager("x", ["/there/is/none"], "FRX")


def test_names_are_completed(
    planted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Runs, features and environments of the project around; elsewhere there is nothing to offer, and no error."""
    monkeypatch.chdir(planted)
    asked = ShellComplete(cli, {}, "furrow", "_FURROW_COMPLETE")
    assert [one.value for one in asked.get_completions(["runs", "show"], "gbm_")] == [
        "gbm_with_a_rather_long_name"
    ]
    assert [one.value for one in asked.get_completions(["runs", "diff", "gbm"], "l")] == ["line"]
    assert [one.value for one in asked.get_completions(["features", "show"], "traffic:")] == [
        "traffic:delays",
        "traffic:departures",
    ]
    assert [one.value for one in asked.get_completions(["try"], "o")] == ["odd"]
    assert [one.value for one in asked.get_completions(["status"], "")] == ["production"]
    monkeypatch.chdir(tmp_path)
    context, option = click.Context(cli), click.Argument(["name"])
    for complete in (run_names, feature_names, environment_names):
        assert complete(context, option, "") == []
