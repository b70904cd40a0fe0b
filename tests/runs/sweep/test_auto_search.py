"""`furrow try --auto`: worse models are dropped on few rows, the best become trials like any, and a search goes on where it stopped."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from furrow.cli.try_auto import follow_auto
from furrow.ground.experiments import list_experiments
from furrow.layout import SCREENED
from furrow.training.config import Range
from furrow.trials.auto_search import AutoSearch, Screened
from furrow.trials.portfolio import PORTFOLIO, narrowed, options_for, space_of
from furrow.trials.recorder import Finished
from furrow.trials.screening import held_folds

from .conftest import Run, sweeping

if TYPE_CHECKING:
    from pathlib import Path

FEW = ("gbm", "gbm_stumps", "logistic", "forest", "base_rate")


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five options, three shares and a few configs around the best: the whole way in seconds."""
    monkeypatch.setitem(PORTFOLIO, "classifier", FEW)
    monkeypatch.setattr("furrow.trials.auto_search.LEAST_ROWS", 100)
    monkeypatch.setattr("furrow.trials.auto_search.MOST", 4)


def steps(project: Path, seconds: float = 1e6) -> list[Screened | Finished]:
    return list(AutoSearch(sweeping(project, jobs=1), seconds).run())


def named(found: list[Screened | Finished]) -> list[tuple[object, ...]]:
    return [
        (type(one).__name__, one.trial.overrides, getattr(one, "share", 1), one.score)
        for one in found
    ]


def test_a_search_thins_its_portfolio_and_goes_on(project: Path) -> None:
    """The worst is out after the first rung; the best are recorded; cut short, it goes on; twice changes nothing."""
    cut = list(islice(AutoSearch(sweeping(project, jobs=1), 1e6).run(), 7))
    whole = steps(project)
    assert named(whole[:7]) == named(cut)
    assert all(one.again for one in whole[:7])
    assert not all(one.again for one in whole)
    screened = [one for one in whole if isinstance(one, Screened)]
    shares = sorted({one.share for one in screened})
    assert len(shares) == 2
    assert shares[-1] == 1
    begun = {one.trial.overrides: one.score for one in screened if one.share < 1}
    kept = begun.keys() & {one.trial.overrides for one in screened if one.share == 1}
    assert len(kept) == 4
    (dropped,) = begun.keys() - kept
    assert all((begun[dropped] or 0) > (begun[one] or 0) for one in kept)
    assert any(len(one.trial.overrides) > 1 for one in screened), "around the best"
    trials = [one for one in whole if isinstance(one, Finished)]
    assert len(trials) >= 3
    assert {one.trial.name for one in trials} == {one.name for one in list_experiments(project)}
    again = steps(project)
    assert named(again) == named(whole)
    assert all(one.again for one in again)
    lines = (project / SCREENED).read_text().splitlines()
    assert len(lines) == len(screened)
    (project / SCREENED).write_text("\n".join(lines[:-1]) + '\n{"key": "half a li')
    assert named(steps(project)) == named(whole)


def test_its_time_ends_it(project: Path) -> None:
    """What was spent before counts: with nothing left, one rung is all, and what it left is recorded."""
    found = AutoSearch(sweeping(project, jobs=1), 1e-6)
    kinds = [type(one).__name__ for one in found.run()]
    assert kinds.count("Finished") == 3
    assert found.spent > 0
    assert not found.held


@pytest.mark.parametrize("limit", [1e-6, 1e6])
def test_the_best_on_the_most_rows_is_chosen(project: Path, limit: float) -> None:
    """Whatever ended first: also where the time was over before a config was fitted to all rows."""
    found = AutoSearch(sweeping(project, jobs=1), limit)
    steps = list(found.run())
    screened = [one for one in steps if isinstance(one, Screened) and one.score is not None]
    most = max(one.share for one in screened)
    best = min((one.score, one.trial.digest) for one in screened if one.share == most)
    trials = [one.trial.digest for one in steps if isinstance(one, Finished)]
    assert min(reversed(trials), key=found.place) == best[1]


def test_held_out_rows_come_before_every_test(project: Path) -> None:
    """None is of a tested month, none that is fitted to has a label that was not known, and they are not a handful."""
    prepared = sweeping(project, jobs=1)
    config, training = prepared.trial(0, ()).config, prepared.shared.training["full"]
    tested = np.concatenate([fold.test_rows for fold in training.folds(config.seed)])
    folds = held_folds(training, config)
    assert len(folds) > 1
    for older, held in folds:
        assert not set(held) & set(tested)
        assert not set(older) & set(held)
        begin = training.frame["event_timestamp"].iloc[held].min()
        assert training.frame["label_timestamp"].iloc[older].max() <= begin


def test_libraries_that_a_project_does_not_allow_are_left_out(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PORTFOLIO, "classifier", (*FEW, "lightgbm", "xgboost"))
    assert options_for(project, "classifier") == list(FEW)
    ci = project / "conf/ci.yaml"
    ci.write_text(ci.read_text() + "estimators: [xgboost]\n")
    assert options_for(project, "classifier") == [*FEW, "xgboost"]


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_every_option_has_a_file_and_what_can_be_varied(
    project: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    prepared = sweeping(project, jobs=1)
    ci = project / "conf/ci.yaml"
    ci.write_text(ci.read_text() + "estimators: [lightgbm, xgboost]\n")
    if kind == "classifier":
        for name in options_for(project, kind):
            model = prepared.trial(0, (f"model={name}",)).config.model
            assert space_of(model) or name == "base_rate"
    assert len(options_for(project, kind)) >= 11


def test_around_the_best() -> None:
    """A range on a logarithmic scale closes in on the value that was best, within what is declared."""
    space = {
        "model.rate": Range(low=0.01, high=0.3, log=True),
        "model.share": Range(low=0.2, high=1.0),
    }
    found = narrowed(space, {"rate": 0.03, "share": 0.5})
    assert (found["model.rate"].low, found["model.rate"].high) == (0.01, pytest.approx(0.18))
    assert found["model.share"] == space["model.share"]
    assert narrowed(space, {}) == space


def test_what_is_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON: the best on held-out rows first, each trial with both of its scores."""
    assert follow_auto(sweeping(project, jobs=1), 0.01, limit=9, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    held = [one["held_out"] for one in found["trials"]]
    known = [one for one in held if one is not None]  # a busy machine may have had no time for some
    assert held[: len(known)] == sorted(known)
    assert found["trials"]
    assert all(one["score"] == one["metrics"]["log_loss"] for one in found["trials"])


def test_the_command(project: Path, run: Run) -> None:
    """It shows what it chose and says how to go on; what does not go together is refused."""
    said = run(project, "furrow", "try", "gbm", "--auto", "--minutes", "0.02", FURROW_TRUST="1")
    assert "chosen by log_loss on rows held out" in said.stdout
    assert "furrow adopt gbm-" in said.stdout
    for words in (
        ["--auto", "--search", "tpe"],
        ["--auto", "model.max_iter=3"],
        ["--minutes", "3"],
    ):
        refused = run(project, "furrow", "try", "gbm", *words, code=2, FURROW_TRUST="1")
        assert "--auto" in refused.stderr
