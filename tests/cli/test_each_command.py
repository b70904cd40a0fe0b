"""Every command's module: its options are explained, what it can't do is refused in a sentence, what it draws is read."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING

import click
import pytest

from furrow.cli import (
    adopt,
    apply,
    ci,
    compile,  # noqa: A004 - a command's own name
    data,
    features,
    gate,
    install,
    labels,
    models,
    monitor,
    pause,
    plan,
    predict,
    replay,
    resume,
    retrain,
    runs,
    runs_diff,
    runs_history,
    runs_show,
    runs_watch,
    serve,
    simulate,
    trust,
    try_,
    ui,
)
from furrow.cli.features_tables import show_answer, show_features, show_found
from furrow.cli.main import run as furrow
from furrow.cli.runs_render import as_json, cell, grid, strict
from furrow.plan.plan_spec import Plan, Resource, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODULES = (adopt, apply, ci, compile, data, features, gate, install, labels, models, monitor, pause, plan, predict, replay, resume, retrain, runs, runs_diff,
           runs_history, runs_show, runs_watch, serve, simulate, trust, try_, ui)  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rsplit(".", 1)[1])
def test_every_option_is_explained(module) -> None:
    """Help says what a command does and what each option is for; hidden ones are Furrow's own."""
    todo: list[click.Command] = [module.command]
    while todo:
        command = todo.pop()
        assert (command.help or "").strip(), command.name
        todo += getattr(command, "commands", {}).values()
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.help, f"{command.name} {option.opts}"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("ci --untrusted --register", 2, "--untrusted with --offer or --register"),
        ("ci --unheld", 2, "--unheld without --untrusted"),
        ("ci status HEAD~9", 1, "HEAD~9"),
        ("--project x runs", 2, "--project is for a bare repository"),
        ("replay --experiment a --stage b", 2, "--experiment and --stage together"),
        ("replay --verify", 1, "carries no replay"),
        ("gate", 1, "there is no verdict yet"),
        ("adopt exp as", 2, "Usage"),
        ("plan", 1, "declares no stages"),
        ("plan --rev HEAD", 2, "write HEAD^..HEAD"),
        ("models show m", 1, "there is no version"),
        ("runs show gbm", 1, "gbm"),
        ("runs diff a b", 1, "a"),
        ("runs history gbm", 1, "gbm"),
        ("features show x", 1, ""),
        ("data check", 1, ""),
        ("predict --odd", 1, ""),
        ("serve", 2, "nothing is named to be served"),
        ("serve --new-token a", 2, "--new-token without --tokens"),
        ("serve production --follow origin", 2, "no branch"),
        ("serve a b --follow origin/main", 2, "--follow is for one environment"),
        ("serve nothing/here", 1, "holds no bundle.json"),
    ],
)
def test_what_can_not_be_done_is_said(
    repo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    code: int,
    said: str,
) -> None:
    """In an empty repository: an exit code of its kind, a sentence on standard error, nothing on standard output."""
    monkeypatch.chdir(repo)
    monkeypatch.setenv("FURROW_TRUST", "1")
    assert furrow(words.split()) in {code, 2 if code == 1 and not said else code}
    out, err = capsys.readouterr()
    assert said in err
    assert err.strip()
    assert out == ""
    assert "Traceback" not in err


def test_trust_is_told(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repo)
    assert furrow(["trust", "--list", "--json"]) == 0
    json.loads(capsys.readouterr().out)


def test_a_clone_is_set_up_once(
    repo: Path,
    git: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(repo)
    assert furrow(["install"]) == 0
    assert "set up: " in capsys.readouterr().out
    assert furrow(["install"]) == 0
    assert "set up: " not in capsys.readouterr().out
    assert "merge=furrow" in (repo / ".gitattributes").read_text()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (True, "yes"), (0.123456, "0.1235"), (1e-9, "1e-09"), (math.nan, "NaN"), (-math.inf, "-inf"),
     (3.0, "3"), ("a" * 40, "a" * 10), ("x" * 60, "x" * 43 + "…"), ("a\x1b[2J", "a\N{REPLACEMENT CHARACTER}[2J")],
)  # fmt: skip
def test_a_cell(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_what_is_printed_of_runs() -> None:
    assert cell("2024-01-02T03:04:05Z", "date") == "2024-01-02 03:04"
    assert grid(["a", "bb"], [["1", "2"]], right=[False, True]) == "a  bb\n1   2\n"
    assert strict({"a": [math.nan, 1]}) == {"a": ["NaN", 1]}
    assert json.loads(as_json({"x": math.inf})) == {"x": "Infinity"}


def test_what_is_printed_of_features(capsys: pytest.CaptureFixture[str]) -> None:
    show_features(
        [
            SimpleNamespace(
                name="v:a",
                dtype="Int64",
                unit="mph",
                ttl_seconds=3600,
                services=("full",),
                owner="o",
                description="",
            )
        ]
    )
    show_found([])
    show_answer("k=1", {"a": {"value": 1.5, "status": "present", "age": 90.0}})
    said = capsys.readouterr().out
    assert "v:a" in said
    assert "full" in said
    assert "1.5" in said


def test_outside_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each verb says that this is no repository, not what it could not find there."""
    monkeypatch.chdir(tmp_path)
    for words in ("predict --customer 3", "plan", "runs"):
        assert furrow(words.split()) == 1
        assert "is not inside a Git repository" in capsys.readouterr().err


def test_equal_reasons_are_told_once() -> None:
    """Resources of one action with the same reasons stand in one line; others, and unchanged ones, by themselves."""
    made = Plan(
        (
            Resource("experiments", "a", "change", ("code: x.py",)),
            Resource("experiments", "b", "change", ("seed 1 -> 2",)),
            Resource("experiments", "c", "change", ("code: x.py",)),
            Resource("tables", "t", "unchanged"),
        ),
        (),
    )
    assert [[one.name for one in group] for group in plan.grouped(made)] == [["a", "c"], ["b"]]
    assert len(plan.grouped(made, everything=True)) == 3


def test_a_plan_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    made = Plan((Resource("data", "d", "add", ("new",)), Resource("tables", "t", "unchanged")),
                (StagePlan("train", "run", True, ("command a -> b",), 61.0),))  # fmt: skip
    plan.show(made)
    said = capsys.readouterr().out
    assert "+ data/d" in said
    assert "1 stage to run" in said
    assert "stages that run: train\n" in said
    assert said.endswith("next: `furrow apply` does it (`dvc repro` the stages alone)\n")
    fault = "conf/problem/p.yaml:7: unknown key"
    unreadable = Plan(
        (*made.resources, Resource("declarations", "declarations", "unknown", (fault,))),
        made.stages,
    )
    plan.show(unreadable)
    *_, error, way_out = capsys.readouterr().out.splitlines()
    assert error == f"error: {fault}"
    assert "mend that first" in way_out
    assert unreadable.unreadable == (fault,) != made.unreadable
    assert plan.duration(61.0) != plan.duration(None)
    assert plan.counted(1, "stage") != plan.counted(2, "stage")
    assert plan.summary(Plan((), ()))
