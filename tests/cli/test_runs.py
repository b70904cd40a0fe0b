"""`furrow runs`: the whole command, as a person and as a script use it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import termios
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from furrow.cli import runs_show
from furrow.cli.main import run
from furrow.cli.plots import chart

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits: gbm gets better, a damaged run comes beside it."""
    folder = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    monkeypatch.chdir(folder)
    for auc in (0.7, 0.8):
        place = folder / "runs/gbm"
        (place / "plots").mkdir(parents=True, exist_ok=True)
        (place / "config.yaml").write_text(
            f"name: gbm\nmodel:\n  _target_: x.Boost\n  rate: {auc}\n"
        )
        (place / "metrics.json").write_text(json.dumps({"roc_auc": auc, "log_loss": 0.5}))
        (place / "intervals.json").write_text(
            json.dumps({"roc_auc": {"low": auc - 0.1, "high": auc + 0.1}})
        )
        (place / "plots/roc.csv").write_text(
            "false_positive_rate,true_positive_rate\n0,0\n0.2,0.6\n1,1\n"
        )
        (place / "plots/importance.csv").write_text("feature,importance\na,0.5\nb,0.1\n")
        commit(folder, f"auc {auc}")
    (folder / "runs/bad").mkdir()
    (folder / "runs/bad/metrics.json").write_text('{"roc_auc": NaN, "log_loss": Infinity}')
    commit(folder, "\x1b[31mred|pipe")
    return folder


def commit(folder: Path, subject: str) -> None:
    subprocess.run(["git", "-C", str(folder), "add", "-A"], check=True)
    subprocess.run(["git", "-C", str(folder), "commit", "-q", "-m", subject], check=True)


def test_a_table(repo: Path, capsys: Any) -> None:
    """Aligned columns, best metrics first; a damaged run is reported on the side."""
    assert run(["runs"]) == 0
    out, err = capsys.readouterr()
    head, *lines = out.splitlines()
    assert head.split() == ["run", "date", "model", "commits", "roc_auc", "log_loss"]
    assert len(lines) == 2
    assert "NaN" in out
    assert "inf" in out
    assert "warning: bad@" in err
    assert "metrics.json: roc_auc is NaN" in err


def test_a_run_of_the_list_is_a_run_of_the_other_commands(repo: Path, capsys: Any) -> None:
    """What the first column says can be pasted."""
    assert (
        run(
            [
                "runs",
                "--all",
                "--columns",
                "run",
                "--where",
                "name = 'gbm'",
                "--sort",
                "roc_auc",
                "--csv",
            ]
        )
        == 0
    )
    names = capsys.readouterr().out.split()[1:]
    assert len(names) == 2
    assert run(["runs", "diff", *names]) == 0
    out = capsys.readouterr().out
    assert "model.rate" in out
    assert "no test:" in out


def test_json_is_strict(repo: Path, capsys: Any) -> None:
    """NaN and infinity are words, the rest are values; problems and totals are said."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    assert run(["runs", "--json", "--columns", "*", "--sort", "name"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert found["total"] == 2
    assert [row["roc_auc"] for row in found["runs"]] == ["NaN", 0.8]
    assert found["runs"][0]["log_loss"] == "Infinity"
    assert len(found["problems"]) == 1


def test_csv_and_markdown(repo: Path, capsys: Any) -> None:
    """Full values for programs; a table for a comment, in which nothing breaks out of its cell."""
    assert run(["runs", "--all", "--csv", "--columns", "name,roc_auc,subject"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["name", "roc_auc", "subject"]
    assert sorted(row[1] for row in rows[1:]) == ["0.7", "0.8", "nan"]
    assert run(["runs", "--markdown", "--columns", "name,roc_auc,subject"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "| --- | --: | --- |"
    assert "red\\|pipe" in "".join(lines)
    assert "\x1b" not in "".join(lines)


def test_a_limit_says_how_many_there_are(repo: Path, capsys: Any) -> None:
    """And ranges, branches and dates select history."""
    assert run(["runs", "--all", "--limit", "1"]) == 0
    assert "1 of 3 runs" in capsys.readouterr().err
    for arguments in (
        ["HEAD~2..HEAD"],
        ["--branch", "main"],
        ["--since", "2000-01-01"],
        ["HEAD~1"],
    ):
        assert run(["runs", *arguments]) == 0
        assert "gbm@" in capsys.readouterr().out
    assert run(["runs", "--since", "2090-01-01"]) == 0
    assert capsys.readouterr().out == "no runs\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--where", "rocauc > 0.7"], 1, "did you mean roc_auc"),
        (["--where", "1=1; DROP TABLE runs"], 1, "can't be in a filter"),
        (["--where", "roc_auc > (select 1)"], 1, "select can't be in a filter"),
        (["--sort", "rocauc"], 1, "--sort: there is no column"),
        (["--columns", "rocauc"], 1, "--columns: there is no column"),
        (["nowhere"], 1, "unknown revision"),
        (["--branch", "mian"], 1, "did you mean main"),
        (["main", "--all"], 2, "exclude one another"),
        (["--since", "nonsense"], 2, "is not a date"),
        (["--limit", "x"], 2, "is not an integer"),
        (["show", "gmb"], 1, "did you mean gbm"),
        (["show", "gbm@nowhere"], 1, "unknown revision"),
        (["history", "gmb"], 1, "did you mean gbm"),
        (["history", "gbm", "--out", "x.gif"], 2, "unknown kind of file"),
    ],
)
def test_bad_requests(repo: Path, capsys: Any, arguments: list[str], code: int, said: str) -> None:
    """Each a sentence with the next step, and an exit code."""
    assert run(["runs", *arguments]) == code
    out, err = capsys.readouterr()
    assert said in err
    assert not out


def test_no_repository_and_no_commit(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are known errors."""
    monkeypatch.chdir(tmp_path)
    assert run(["runs"]) == 1
    assert "not inside a Git repository" in capsys.readouterr().err
    subprocess.run(["git", "init", "-q", "-b", "trunk"], check=True)
    assert run(["runs"]) == 1
    assert "trunk has no commit yet" in capsys.readouterr().err


def test_show(repo: Path, capsys: Any) -> None:
    """The run in parts, plots drawn with dots and as files; JSON of the same."""
    assert run(["runs", "show", "gbm@HEAD~2", "--plots", "figures"]) == 0
    out = capsys.readouterr().out
    for part in (
        "Config",
        "model.rate",
        "Metrics",
        "0.6000 to 0.8000",
        "ROC",
        "⠀",
        "Importance",
        "█",
    ):
        assert part in out
    for name in ("roc", "importance"):
        assert (repo / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert run(["runs", "show", "gbm", "--json", "--code"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["roc_auc"] == 0.8
    assert found["curves"]["roc"][0]["true_positive_rate"] == "0"
    assert run(["runs", "show", "bad"]) == 0
    assert "Problems" in capsys.readouterr().out


def test_history(repo: Path, capsys: Any) -> None:
    """A curve in the terminal, a file, and JSON."""
    assert run(["runs", "history", "gbm"]) == 0
    out = capsys.readouterr().out
    assert "roc_auc of gbm, 2 commits" in out
    assert "0.8 ┤" in out
    assert run(["runs", "history", "gbm", "--out", "h.svg", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [point["value"] for point in found["points"]] == [0.7, 0.8]
    assert (repo / "h.svg").read_text().startswith("<?xml")


def test_a_flat_curve_has_a_close_scale(capsys: Any) -> None:
    """Where a metric never moved, the scale is about its value, not a world around it."""
    assert [
        line.split()[0] for line in chart([(0, 0.8), (1, 0.8)]).splitlines() if line[0] != " "
    ] == [
        "0.808",
        "0.792",
    ]


@pytest.mark.parametrize(
    ("width", "shown", "left_out"), [(200, True, ""), (60, False, "hidden, "), (20, False, "date")]
)
def test_a_narrow_terminal(repo: Path, width: int, shown: bool, left_out: str) -> None:
    """Columns that don't fit a terminal are left out and named; no line is longer than it is wide, unless one column is."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, width))
    command = [sys.executable, "-m", "furrow", "runs", "--all"]
    unsaid = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(
        command,
        cwd=repo,
        stdout=theirs,
        stderr=subprocess.PIPE,
        stdin=theirs,
        check=True,
        env=unsaid,
    )
    os.close(theirs)
    out = b""
    with contextlib.suppress(OSError):  # how a terminal's end is told
        while part := os.read(ours, 4096):
            out += part
    os.close(ours)
    lines = re.sub(r"\x1b\[[\d;]*m", "", out.decode()).splitlines()
    table = [line for line in lines if not line.startswith("hidden")]
    assert ("log_loss" in table[0]) == shown
    assert left_out in lines[-1]
    assert table[0].startswith("run")
    assert not done.stderr.startswith(b"error")
    if width > 20:
        assert max(map(len, table)) <= width
    assert len(table) == 4


def test_help_names_the_subcommands(capsys: Any) -> None:
    """The list's options and the other commands are in one help."""
    assert run(["runs", "--help"]) == 0
    out = capsys.readouterr().out
    for word in ("--where", "--since", "history", "diff", "show", "NAME@REVISION"):
        assert word in out


def test_the_list_stays_lean() -> None:
    """Listing imports none of the heavy libraries: that is what keeps it instant."""
    heavy = "{'pandas', 'numpy', 'yaml', 'rich', 'dvc', 'pyarrow', 'sqlglot'}"
    code = f"import sys, furrow.cli.runs; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_periods_that_are_both_tested_and_trained_on_are_explained() -> None:
    """The model that is kept is fitted on all; no one reads that it was tested on what it was trained on."""
    record = {"periods": {"train": ["2013-01", "2013-02"], "test": ["2013-02"]}}
    found = SimpleNamespace(data=None, record=record, outputs=())
    train, test = runs_show._data(found).splitlines()
    assert train == "train: 2013-01 2013-02 (all of them for the model that is kept)"
    assert test == "test: 2013-02 (each predicted by a model of the periods before it)"
    found.record["periods"]["train"] = ["2013-01"]
    assert runs_show._data(found).splitlines() == ["train: 2013-01", "test: 2013-02"]
