"""`furrow runs` says which run is best: by the gate's metric, with its verdict, at 80 and 140 columns and piped."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from .terminals import INK, said

if TYPE_CHECKING:
    from pathlib import Path

RUNS = {
    "gbm": {"roc_auc": 0.8123, "log_loss": 0.41, "rows": 100},
    "line": {"roc_auc": 0.7, "log_loss": 0.52, "rows": 100},
    "odd": {"roc_auc": 0.9, "log_loss": 0.6, "rows": 100},
    "delay": {"mae": 12.5, "rmse": 20.0},
    "slow": {"mae": 13.5, "rmse": 19.0},
}
VERDICTS = {
    "late": {"gbm": True, "line": True, "odd": False},
    "minutes": {"delay": True, "slow": True},
}
BY = {"late": "log_loss", "minutes": "mae"}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits that predict the same, of two problems, and one run that nobody judged."""
    folder = tmp_path_factory.mktemp("judged") / "repo"
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    problems = {
        problem: {
            "experiment": next(iter(verdicts)), "gate": {"select": {"metric": BY[problem], "direction": "minimize"}},
            "verdicts": {name: {"passed": passed, "failures": []} for name, passed in verdicts.items()},
        }
        for problem, verdicts in VERDICTS.items()
    }  # fmt: skip
    for rate in (1, 2):
        for name, metrics in {**RUNS, "new": {"roc_auc": 0.75}}.items():
            place = folder / "runs" / name
            place.mkdir(parents=True, exist_ok=True)
            (place / "config.yaml").write_text(f"name: {name}\nmodel:\n  name: m\n  rate: {rate}\n")
            (place / "metrics.json").write_text(json.dumps(metrics))
            (place / "record.json").write_text(json.dumps({"predictions_sha256": name * 8}))
            low, high = (
                metrics.get(BY["late"], metrics.get("mae", 1)) * side for side in (0.9, 1.1)
            )
            spans = {metric: {"low": low, "high": high} for metric in BY.values()}
            (place / "intervals.json").write_text(json.dumps(spans))
        champion = {"format": 2, "problems": problems}
        (folder / "runs/champion.json").write_text(json.dumps(champion))
        environment = {**os.environ, "GIT_AUTHOR_DATE": f"2020-01-0{rate}T00:00:00Z",
                       "GIT_COMMITTER_DATE": f"2020-01-0{rate}T00:00:00Z", "HOME": str(folder)}  # fmt: skip
        for words in (("add", "-A"), ("commit", "-q", "-m", f"rate {rate}")):
            ada = ("-c", "user.name=Ada", "-c", "user.email=a@b.c")
            subprocess.run(["git", "-C", str(folder), *ada, *words], check=True, env=environment)
    return folder


@pytest.fixture(autouse=True)
def here(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(judged)


def test_the_best_comes_first_and_the_champion_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table a problem; what is best of each metric is bold, whoever has it."""
    out = said(monkeypatch, "runs", width=140).out
    late, minutes, rest = INK.sub("", out).split("\n\n")[:3]
    assert late.startswith("late  best by log_loss, lower is better\n")
    head, *lines = late.splitlines()[1:]
    assert head.split()[:5] == ["run", "verdict", "log_loss", "↓", "interval"]
    assert [line.split("@")[0] for line in lines] == ["gbm", "line", "odd"]
    assert [line.split()[1] for line in lines] == ["champion", "passed", "failed"]
    assert "0.4100  0.3690 to 0.4510" in lines[0]
    assert [line.split("@")[0] for line in minutes.splitlines()[2:]] == ["delay", "slow"]
    assert "roc_auc" not in minutes
    assert rest.startswith("not judged yet")
    assert "new@" in rest
    assert "\x1b[1m0.9000\x1b[0m" in out, "the best ROC AUC, of a run that failed"
    assert "\x1b[1m0.4100\x1b[0m" in out
    assert "\x1b[1m0.8123\x1b[0m" not in out
    assert "\x1b[32;1mchampion" in out


@pytest.mark.parametrize("width", [80, 140])
def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    for words in (["runs"], ["runs", "--all"], ["runs", "history", "gbm"]):
        lines = INK.sub("", said(monkeypatch, *words, width=width).out).splitlines()
        assert (
            max(map(len, lines if width > 80 else [x for x in lines if "hidden" not in x])) <= width
        )
        if words == ["runs"]:
            assert ("hidden" in "".join(lines)) == (width == 80)


def test_a_script_reads_tabs_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Piped, there is one table with all columns; JSON and CSV have the verdicts, too."""
    head, *lines = [line.split("\t") for line in said(monkeypatch, "runs").out.splitlines()]
    assert head[:5] == ["run", "predicts", "verdict", "low", "high"]
    rows = [dict(zip(head, line, strict=True)) for line in lines]
    assert [row["run"].split("@")[0] for row in rows] == [
        "gbm",
        "line",
        "odd",
        "delay",
        "slow",
        "new",
    ]
    assert rows[3]["mae"] == "12.5000"
    assert rows[5]["verdict"] == ""
    found = json.loads(said(monkeypatch, "runs", "--json").out)["runs"]
    assert [row["verdict"] for row in found] == [
        "champion",
        "passed",
        "failed",
        "champion",
        "passed",
        None,
    ]
    assert found[0]["low"] == pytest.approx(0.369)


def test_colours_obey_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[1m" not in said(monkeypatch, "runs", width=140, NO_COLOR="1").out
    assert "\x1b[1m" in said(monkeypatch, "runs", width=140, NO_COLOR="").out
    assert "\x1b[1m" not in said(monkeypatch, "runs", width=140, FORCE_COLOR="0").out


def test_runs_with_one_result_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a history, what predicts the same is folded; JSON folds it where it is asked to."""
    rows = [line.split("\t") for line in said(monkeypatch, "runs", "--all").out.splitlines()]
    assert rows[0][1] == "same"
    assert len(rows) == 1 + len(RUNS) + 1
    assert {row[1] for row in rows[1:]} == {"1"}
    plain = json.loads(said(monkeypatch, "runs", "--all", "--json").out)
    assert plain["total"] == len(plain["runs"]) == 12
    folded = json.loads(said(monkeypatch, "runs", "--all", "--distinct", "--json").out)
    assert folded["total"] == len(folded["runs"]) == 6


def test_what_was_asked_for_stays_as_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """With columns or an order of one's own nothing is added and nothing is sorted."""
    found = said(monkeypatch, "runs", "--columns", "name,roc_auc", "--sort=-roc_auc").out
    assert found.splitlines()[:3] == ["name\troc_auc", "odd\t0.9000", "gbm\t0.8123"]
    assert "gbm" in said(monkeypatch, "runs", "HEAD~1").out


def test_a_metric_that_did_not_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """History says since when it is unchanged, and draws no flat line."""
    out = said(monkeypatch, "runs", "history", "gbm").out
    assert "unchanged since " in out
    assert "(2020-01-01 00:00): 0.8123" in out
    assert "┤" not in out
