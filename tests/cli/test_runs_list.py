"""`furrow runs` without click: the same command line, read at once."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from furrow.cli.runs import SUBCOMMANDS, listing
from furrow.cli.runs_list import read

WORDS = [
    *(
        "--all",
        "--branch",
        "--since",
        "--where",
        "--sort",
        "--columns",
        "--limit",
        "--json",
        "--csv",
        "--markdown",
    ),
    *(
        "--table",
        "--branch=a",
        "--since=2020",
        "--where=a = 1",
        "--sort=-roc_auc",
        "--columns=run,*",
        "--limit=3",
    ),
    *(
        "--limit=-1",
        "--limit=x",
        "--limit=",
        "--where=",
        "--all=1",
        "--json=",
        "--help",
        "-h",
        "--",
        "-",
        "--wher",
    ),
    *(
        "HEAD",
        "A..B",
        "",
        "roc_auc > 0.7",
        "7",
        "٣",
        "0",
        "show",
        "list",
        "-1",
        "-roc_auc",
        "=",
        "a=b",
        "--limit=007",
    ),
]


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=6))
@example([])
@example(["--branch", "a", "--branch=b", "--json", "--csv", "--limit", "5"])
def test_it_reads_what_click_reads(words: list[str]) -> None:
    """Whatever is read without click is what click makes of it; what click refuses is left to click."""
    if words and (words[0] in SUBCOMMANDS or words[0] == "list"):
        assert read(words) is None
        return
    try:
        expected = listing.make_context("list", list(words), resilient_parsing=False).params
    except (click.ClickException, click.exceptions.Exit):
        expected = None
    found = read(words)
    assert found is None or found == expected


@pytest.mark.parametrize("word", [*SUBCOMMANDS, "list", "--help", "-h"])
def test_other_commands_are_left_to_click(word: str) -> None:
    """A subcommand and a cry for help are no list."""
    assert read([word]) is None


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--all"],
        ["HEAD~3", "--where", "roc_auc > 0.75", "--sort=-roc_auc"],
        ["--branch", "main", "--limit", "7"],
    ],
)
def test_usual_command_lines_need_no_click(words: list[str]) -> None:
    """What people type is read at once."""
    assert read(words) is not None


def test_a_known_list_loads_next_to_nothing(tmp_path: Any) -> None:
    """Listing again loads no click and no parser: that is what makes it instant."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "runs/gbm").mkdir(parents=True)
    (tmp_path / "runs/gbm/metrics.json").write_text('{"roc_auc": 0.8}')
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "a run"], check=True)
    code = (
        "import sys; before = set(sys.modules); from furrow.cli.main import run; code = run(['runs']); "
        "print(*set(sys.modules) - before, sep='\\n', file=sys.stderr); sys.exit(code)"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    assert "gbm@" in done.stdout
    loaded = set(done.stderr.split())
    assert "furrow.history.listing" in loaded
    heavy = {"click", "dataclasses", "inspect", "json", "yaml", "rich"}
    assert not loaded & heavy
