"""A metric of one experiment over commits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from furrow.errors import UsageError
from furrow.history.figures import history_file
from furrow.history.load import NoSuchRunError
from furrow.history.metric_history import history as follow
from furrow.history.where import UnknownColumnError

if TYPE_CHECKING:
    from pathlib import Path


def test_each_change_is_a_point(history: Any) -> None:
    """Oldest first, also a return to what was before; commits that leave the run alone are none."""
    for auc in (0.7, 0.8, 0.7):
        history.commit(history.run("gbm", auc), subject=f"AUC {auc}")
        history.commit({"docs": str(auc)})
    found = follow(history.path, "gbm")
    assert [(point.subject, point.value) for point in found.points] == [
        ("AUC 0.7", 0.7),
        ("AUC 0.8", 0.8),
        ("AUC 0.7", 0.7),
    ]
    assert (found.points[0].low, found.points[0].high) == (pytest.approx(0.69), pytest.approx(0.71))
    assert follow(history.path, "gbm", rev="HEAD~3", metric="log_loss").points[-1].value == 0.5
    newest = follow(history.path, "gbm", most=2)
    assert [point.subject for point in newest.points] == ["AUC 0.8", "AUC 0.7"]


def test_a_rename_is_followed(history: Any) -> None:
    """Through two names; a copy is no rename."""
    history.commit(history.run("first", 0.6))
    history.commit({**history.run("second", 0.6), "runs/first": None})
    history.commit({**history.run("third", 0.65), "runs/second": None})
    history.commit({**history.run("copy", 0.65)})
    history.commit(history.run("third", 0.7))
    found = follow(history.path, "third")
    assert [point.value for point in found.points] == [0.6, 0.6, 0.65, 0.7]
    assert found.names == ("second", "first")
    assert [point.name for point in found.points] == ["first", "second", "third", "third"]
    assert follow(history.path, "copy").names == ()


def test_a_bound_holds_across_a_rename(history: Any) -> None:
    """So many of the newest, under whatever name they were."""
    history.commit(history.run("first", 0.6))
    history.commit(history.run("first", 0.61))
    history.commit({**history.run("second", 0.61), "runs/first": None})
    for most in (1, 2, 3, 9):
        assert len(follow(history.path, "second", most=most).points) == min(most, 3)


def test_holes_are_shown_as_such(history: Any) -> None:
    """Damaged, not evaluated, without the metric, NaN, removed: points without a value, with the reason."""
    history.commit({"runs/gbm/config.yaml": "name: gbm\n"})
    history.commit({"runs/gbm/metrics.json": "{"})
    history.commit({"runs/gbm/metrics.json": '{"brier": 0.1}'})
    history.commit({"runs/gbm/metrics.json": '{"roc_auc": NaN}'})
    history.commit({"runs/gbm": None})
    history.commit(history.run("gbm", 0.7))
    points = follow(history.path, "gbm").points
    assert [point.value for point in points[:3]] == [None, None, None]
    assert math.isnan(points[3].value or 0)
    assert points[4].value is None
    assert points[5].value == 0.7
    assert [bool(point.problem) for point in points] == [True] * 5 + [False]


def test_what_there_is_not(history: Any) -> None:
    """No such experiment, no such metric: close names are suggested."""
    history.commit(history.run("gbm"))
    with pytest.raises(NoSuchRunError, match="did you mean gbm"):
        follow(history.path, "gmb")
    with pytest.raises(NoSuchRunError):
        follow(history.path, "")
    with pytest.raises(UnknownColumnError, match="did you mean roc_auc"):
        follow(history.path, "gbm", metric="roc_acu")


def test_figures_as_files(history: Any, tmp_path: Path) -> None:
    """PNG, SVG and one HTML page that needs nothing else; the same bytes again; text is escaped."""
    history.commit(history.run("gbm", 0.7), subject="<script>alert(1)</script>")
    history.commit(history.run("gbm", 0.8))
    found = follow(history.path, "gbm")
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.html", b"<!doctype html>")):
        history_file(found, tmp_path / name)
        first = (tmp_path / name).read_bytes()
        history_file(found, tmp_path / name)
        assert first.startswith(start)
        assert (tmp_path / name).read_bytes() == first
    assert b"<script>" not in first
    assert b"&lt;script&gt;" in first
    with pytest.raises(UsageError, match="gif"):
        history_file(found, tmp_path / "a.gif")
