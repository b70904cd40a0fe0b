"""Rows of the index, bringing commits into it, frames of every type, and what two runs are compared as."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from furrow.history.compared_as import compared_as
from furrow.history.frame import _series, runs
from furrow.history.index_rows import COLUMNS, Rows
from furrow.history.indexing import extend
from furrow.history.paired_test import PairingError, compare
from furrow.history.query import Column
from furrow.history.runs_index import BOOLEAN, INTEGER, REAL, TEXT
from tests.runs.conftest import History


def run(task: str | None = None, **config) -> SimpleNamespace:
    return SimpleNamespace(
        record={"task": task} if task else {},
        config=config,
        files=("config.yaml",),
        repo=Path("nowhere"),
    )


def test_what_two_runs_are_compared_as() -> None:
    """Old runs are binary by days; else the later one's config says; what is odd in it counts as not said."""
    assert (compared_as(run(), run()).task, compared_as(run(), run()).block) == ("binary", "day")
    problem = {
        "block": "week",
        "split": {"at": "t", "timezone": "Asia/Tokyo"},
        "precision": "odd",
        "interval": 0.5,
    }
    found = compared_as(
        run("regression"), run("regression", problem=problem, evaluation={"bins": -1})
    )
    assert (found.block, found.at, found.timezone) == ("week", "t", "Asia/Tokyo")
    assert (found.judging.coverage, found.judging.precision, found.judging.bins) == (0.5, 0.8, 10)
    with pytest.raises(PairingError, match="predict different things"):
        compared_as(run("binary"), run("regression"))
    with pytest.raises(PairingError, match="knows no task 'odd'"):
        compared_as(run("odd"), run("odd"))


COSTS = """
import numpy as np

def cost(rows):
    return rows.mean(np.abs(rows.column("probability") - rows.label) * 10)

def odd(rows):
    raise RuntimeError("no tariff")
"""
OWN = """
metrics:
  cost: {function: pipelines.costs:cost, direction: minimize}
  gain: {function: pipelines.costs:cost, direction: maximize}
  odd: {function: pipelines.costs:odd, direction: minimize}
  later: {function: pipelines.costs:cost, direction: minimize, tasks: [regression]}
"""


def test_a_projects_own_metrics_are_compared(tmp_path: Path, monkeypatch: Any) -> None:
    """By their own direction, on the same replicates; one that fails is named; in a clone without trust, none is."""
    for path, text in {"pipelines/costs.py": COSTS, "conf/metrics.yaml": OWN}.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)
    draw = np.random.default_rng(1)
    at = pd.date_range("2024-01-01", periods=900, freq="h", tz="UTC")
    label = draw.integers(0, 2, 900)
    worse = pd.DataFrame({"at": at, "label": label, "probability": draw.random(900)})
    better = worse.assign(probability=0.3 * worse["probability"] + 0.7 * label)
    one = run("binary", problem={"block": "day"})
    one.repo = tmp_path
    about = compared_as(one, one)
    found = compare(worse, better, about=about, replicates=60)
    verdicts = {each.metric: each.verdict for each in found.differences}
    assert (verdicts["cost"], verdicts["gain"], verdicts["log_loss"]) == (
        "better",
        "worse",
        "better",
    )
    assert not {"odd", "later"} & set(verdicts)
    assert "odd is not compared: " in found.method
    assert "no tariff" in found.method
    monkeypatch.setattr("furrow.history.compared_as.is_trusted", lambda root: False)
    assert compared_as(one, one).own == {}


@pytest.mark.parametrize(
    ("types", "values", "dtype"),
    [(BOOLEAN, [True, None], "boolean"), (INTEGER, [1, None], "Int64"), (REAL, [1.5, None], "Float64"),
     (INTEGER | REAL, [1, float("nan")], "float64"), (TEXT, ["a", None], "string"), (TEXT | REAL, ["a", 1.5], "string")],
)  # fmt: skip
def test_a_column_of_a_frame(types: int, values: list, dtype: str) -> None:
    made = _series(Column("x", "metric", "x", types), values)
    assert str(made.dtype) == dtype
    assert made.isna().tolist() == [value is None or value != value for value in values]


def test_a_frame_of_runs(tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    history.commit(history.run("gbm", 0.7))
    found = runs(repo=history.path)
    assert isinstance(found, pd.DataFrame)
    assert found["name"].tolist() == ["gbm"]
    assert str(found["date"].dt.tz) == "UTC"
    assert len(runs(repo=history.path, revs=["HEAD", "all"])) == 1


SCHEMA = """CREATE TABLE runs (id INTEGER, name, tree, status, exact, problem, model);
CREATE TABLE configs (id INTEGER); CREATE TABLE records (id INTEGER);
CREATE TABLE columns (id INTEGER, place, key, types)"""


def answer(text: bytes | None, kind: str = "blob") -> tuple[str, str, bytes | None, int]:
    return ("0" * 40, kind, text, len(text or b""))


GONE = answer(None, "missing")


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    made.executescript(SCHEMA)
    return made


def test_rows_of_an_index(connection: sqlite3.Connection) -> None:
    """A run as columns that open as they are met; what is damaged is said, and hides nothing else."""
    rows = Rows(connection)
    assert rows.add(("none", b"t"), "metrics.json", GONE, GONE, GONE) == 0
    assert rows.add(
        ("a", b"t"),
        "metrics.json",
        answer(b'{"auc": 0.5, "n": 3}'),
        answer(b"model: {name: gbm}\n"),
        GONE,
    )
    assert rows.add(("b", b"t"), "metrics.json", answer(b"{"), answer(b"x: 1\n"), GONE)
    assert rows.add(("c", b"t"), "metrics.json", GONE, answer(b"x: 2\n"), GONE)
    big = b'{"huge": 123456789012345678901234567890}'
    assert rows.add(("d", b"t"), "metrics.json", answer(big), GONE, answer(b"\xff"))
    rows.flush()
    found = connection.execute(
        "SELECT name, status, model, problem, exact FROM runs ORDER BY id"
    ).fetchall()
    assert [(name, status, model) for name, status, model, _, _ in found] == [
        ("a", "ok", "gbm"), ("b", "damaged", None), ("c", "declared", None), ("d", "damaged", None),
    ]  # fmt: skip
    assert "metrics.json" in found[1][3]
    assert "record.json: it is binary" in found[3][3]
    assert "123456789012345678901234567890" in found[3][4]
    places = connection.execute("SELECT place, key FROM columns").fetchall()
    assert {("metric", "auc"), ("metric", "n"), ("config", "x")} <= set(places)


def test_too_many_keys_are_left_out_and_said(connection: sqlite3.Connection) -> None:
    rows = Rows(connection)
    many = "{" + ", ".join(f'"k{at}": 1' for at in range(COLUMNS + 5)) + "}"
    rows.add(("a", b"t"), "metrics.json", answer(many.encode()), GONE, GONE)
    rows.flush()
    ((problem,),) = connection.execute("SELECT problem FROM runs").fetchall()
    assert problem.startswith("5 keys are left out")


def test_commits_are_brought_in_once(tmp_path: Path) -> None:
    """The second time nothing new is met; a list of runs answers from what was brought."""
    history = History(tmp_path / "repo")
    first = history.commit(history.run("gbm", 0.7))
    assert len(runs(repo=history.path)) == 1
    second = history.commit(history.run("gbm", 0.8), parents=("main",))
    assert set(runs(repo=history.path, revs="all")["commit"]) == {first, second}
    assert callable(extend)
