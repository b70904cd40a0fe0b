"""What a list of runs tells beside its index: tags, curves, better or luck, pins; and what a run's page tells beside its record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from furrow.history.load import Run
from furrow.history.named_run import run as load_run
from furrow.history.run_notes import note_run
from furrow.training.log import log, log_to
from furrow.web.asked import Asked
from furrow.web.confusion import confusion
from furrow.web.content import Link, Note, Table, plain
from furrow.web.plain_values import number, shown_value
from furrow.web.run_columns import curve_values, quoted, replay_mark
from furrow.web.run_curves import laid_over
from furrow.web.run_page import run
from furrow.web.run_story import running
from furrow.web.runs_page import runs
from furrow.web.site import Site

from .conftest import HOSTILE, commit, made, run_files

if TYPE_CHECKING:
    from pathlib import Path


def asked(**said: str | tuple[str, ...]) -> Asked:
    return Asked({name: (one,) if isinstance(one, str) else one for name, one in said.items()})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Three runs, one of them with tags and a hostile note."""
    folder = made(tmp_path_factory.mktemp("columns") / "runs")
    files = {}
    for name, value in {"gbm": 0.8, "line": 0.7, "it's": 0.6}.items():
        files |= run_files(name, {"roc_auc": value})
    files["runs/line/plots/train.tsv"] = "step\tmoment\tloss_of_line\n1\t0\t4\n2\t0\t3\n9\t0\t3.5\n"
    commit(folder, files)
    note_run(load_run("gbm", repo=folder), HOSTILE, tags=["good"], now=datetime.now(UTC))
    return Site(folder)


def column(table: Table, name: str) -> dict[str, object]:
    at, run_at = list(table.columns).index(name), list(table.columns).index("run")
    return {str(plain(row[run_at])).rpartition("@")[0]: plain(row[at]) for row in table.rows}


def test_tags_stand_beside_runs_and_choose_among_them(site: Site) -> None:
    """A tag is a column where any run has one; ?tag= keeps those that bear it, and a filter still holds beside it."""
    whole = runs(site, asked()).tables()["runs"]
    assert column(whole, "tags") == {"gbm": "good", "line": None, "it's": None}
    tagged = runs(site, asked(tag="good")).tables()["runs"]
    assert list(column(tagged, "tags")) == ["gbm"]
    assert "tree" not in tagged.columns
    assert runs(site, asked(tag="good", where="roc_auc < 0.5")).tables()["runs"].rows == []
    assert runs(site, asked(tag="' or 1=1 --")).tables()["runs"].rows == []
    assert run(site, asked(run="gbm")).tables()["notes"].rows[0][2] == HOSTILE


def test_best_last_and_at_a_step(site: Site) -> None:
    """Of a curve that some runs have; of a run without it nothing; a logger's tab-separated table counts, too."""
    table = runs(site, asked(curve="loss_of_line", step="5")).tables()["runs"]
    assert column(table, "loss_of_line: best") == {"gbm": None, "line": 3.0, "it's": None}
    assert column(table, "loss_of_line: last")["line"] == 3.5
    assert column(table, "loss_of_line: at 5")["line"] == 3.0
    own = runs(site, asked(curve="loss")).tables()["runs"]
    assert column(own, "loss: best")["gbm"] == 0.25
    assert curve_values([(1, 0.5), (2, 0.7)], "roc_auc", None) == (0.7, 0.7, None)
    assert curve_values([], "x", 3) == (None, None, None)


def test_pinned_runs_are_compared(site: Site) -> None:
    """Each row pins and lets go; two pinned ones lead to their comparison."""
    first = runs(site, asked()).tables()["runs"]
    pin = first.rows[0][list(first.columns).index("pin")]
    assert isinstance(pin, Link)
    names = [str(row[list(first.columns).index("run")].state["run"]) for row in first.rows[:2]]  # type: ignore[union-attr]
    page = runs(site, asked(pin=tuple(names)))
    assert len(page.tables()["pinned"].rows) == 2
    links = [
        one.link
        for part in page.sections
        for one in part.blocks
        if isinstance(one, Note) and one.link
    ]
    assert any(one.page == "compare" and one.state == {"run": names} for one in links)
    row = page.tables()["pinned"].rows[0]
    assert plain(row[list(page.tables()["pinned"].columns).index("pin")]) == "unpin"


def test_better_or_luck_without_predictions(site: Site) -> None:
    """Nothing is claimed where there is nothing to test."""
    found = column(
        runs(site, asked(luck="1", sort="-roc_auc")).tables()["runs"], "better, or luck?"
    )
    assert found["gbm"] == "the others are held against it"
    assert found["line"] == "not tested"


def test_which_class_was_taken_for_which(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted from predictions; a missing label counts for nothing; numbers have no classes."""
    one = load_run("gbm", repo=site.root)
    [said] = confusion(one)
    assert isinstance(said, Note), "they are not here, and that is said"
    frame = pd.DataFrame({"label": [1, 1, 0, 0, None], "probability": [0.9, 0.2, 0.5, 0.1, 0.9]})
    monkeypatch.setattr(Run, "predictions", lambda _: frame)
    table, _ = confusion(one)
    assert isinstance(table, Table)
    assert table.rows == [("no", 1, 1, 0.5), ("yes", 1, 1, 0.5)]
    many = pd.DataFrame(
        {
            "label": ["a", "b", "b"],
            "probability_a": [0.6, 0.7, 0.1],
            "probability_b": [0.4, 0.3, 0.9],
        }
    )
    monkeypatch.setattr(Run, "predictions", lambda _: many)
    table, _ = confusion(one)
    assert isinstance(table, Table)
    assert table.rows == [("a", 1, 0, 1.0), ("b", 1, 1, 0.5)]
    monkeypatch.setattr(
        Run, "predictions", lambda _: pd.DataFrame({"label": [1.5], "prediction": [2.0]})
    )
    [said] = confusion(one)
    assert isinstance(said, Note)


def test_a_run_that_trains_leads_to_its_curves(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FURROW_LOG_DIR", str(tmp_path))
    one = load_run("gbm", repo=site.root)
    assert running(site, one) == []
    with log_to("train@gbm", tmp_path):
        log(step=1, loss=0.5)
        [note] = running(site, one)
        assert isinstance(note, Note)
        assert note.link == Link("live curves", "live", {"run": "train@gbm"})
    [note] = running(site, one)
    assert isinstance(note, Note)
    assert note.link == Link("what it logged", "live", {"run": "train@gbm"})


def test_curves_of_a_projects_own_lie_over_one_another() -> None:
    rows = [{"step": "1", "loss": "0.5", "note": "x"}, {"step": "2", "loss": "nan", "note": "y"}]
    [drawn] = laid_over({"a": {"train": rows, "roc": rows}, "b": {"train": rows}, "c": {}})
    assert drawn.title == "train: loss"
    assert drawn.table is not None
    assert drawn.table.rows == [("a", 1.0, 0.5), ("b", 1.0, 0.5)]


def test_small_things() -> None:
    assert quoted(["a'b"]) == "('a''b')"
    assert number("1e400") is None
    assert shown_value([1, "a"]) == "1 a"
    assert replay_mark([]).text == "never replayed"
    assert replay_mark([{"holds": False}]).kind == "bad"
    assert replay_mark([{"holds": True, "own": {"status": "identical"}}]).kind == "good"
