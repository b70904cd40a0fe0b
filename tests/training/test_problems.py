"""Problems, splits and spines: what can be declared works, and what can't be meant is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.errors import FurrowError
from furrow.ground.tables import RawFiles
from furrow.stages import training_set
from furrow.training.declare import declared, problem
from furrow.training.periods import PeriodError, blocks, period_of
from furrow.training.problem import Problem, ProblemError, Split, check_problem, span
from furrow.training.spine_rows import SpineError, spine_rows
from furrow.training.splits import SplitError, SplitWarning, folds, holdout, period_names
from furrow.training.tasks import load_task, task_names
from furrow.training.tasks.task import LabelError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """task: regression
entity: [shop]
spine: spine.sql
label: sold
known_after: 2h
split: {by: month, test: 1}
"""
SPINE = "select shop, moment as event_timestamp, sold, moment + interval '1 hour' as label_timestamp from sales"


def made(**changes: object) -> Problem:
    settings = {"name": "sales", "task": "regression", "entity": ["shop"], "spine": "spine.sql", "label": "sold",
                "known_after": "2h", "split": Split(by="month", test=1)}  # fmt: skip
    return Problem(**{**settings, **changes})  # type: ignore[arg-type]


def sales(rows: int = 400, days: int = 120) -> pd.DataFrame:
    draw = np.random.default_rng(3)
    at = pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(
        np.sort(draw.integers(0, days * 1440, rows)), "min"
    )
    return pd.DataFrame({"shop": draw.choice(["a", "b", "c", "d", "e"], rows), "event_timestamp": at,
                         "sold": draw.gamma(2.0, 5.0, rows)})  # fmt: skip


def ready(frame: pd.DataFrame, about: Problem) -> pd.DataFrame:
    return frame.assign(period=period_names(frame, about))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a space in its path, one problem, and one raw table."""
    root = tmp_path / "a project"
    (root / "conf/problem").mkdir(parents=True)
    (root / "conf/experiment").mkdir()
    (root / "data").mkdir()
    (root / "conf/problem/sales.yaml").write_text(GOOD)
    (root / "spine.sql").write_text(SPINE)
    table = pa.table({"shop": ["a", "a", "b"], "moment": pa.array([1, 2, 3], pa.timestamp("us", "UTC")),
                      "sold": [1.0, 2.0, 3.5]})  # fmt: skip
    pq.write_table(table, root / "data/sales.parquet")
    return root


def rows(project: Path, sql: str | None = None, **changes: object) -> pa.Table:
    if sql is not None:
        (project / "spine.sql").write_text(sql)
    raw = RawFiles(project / "data", {"sales": [project / "data/sales.parquet"]})
    return spine_rows(project, made(**changes), raw)


def test_a_problem_reads(project: Path) -> None:
    """Its name is its file's; a spine in a path with spaces gives its rows, oldest first."""
    found = problem(project / "conf", "sales")
    assert (found.name, found.task, found.split.by, found.block) == (
        "sales",
        "regression",
        "month",
        "day",
    )
    assert rows(project, f"{SPINE} order by moment desc")["sold"].to_pylist() == [1.0, 2.0, 3.5]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("task: regression", "task: regresion", "did you mean 'regression'?"),
        ("entity:", "entities:", "did you mean 'entity'?"),
        ("label: sold\n", "", "'label' is missing"),
        ("by: month", "by: mnth", "did you mean 'month'?"),
        ("test: 1", "test: 0", "split.test 0"),
        ("known_after: 2h", "known_after: soon", "is not a span of time"),
        ("known_after: 2h", "name: other", "a problem is called as its file"),
        ("known_after: 2h", "interval: 1.5", "interval 1.5 is not a share"),
        ("spine: spine.sql", "spine: none.sql", "there is no spine none.sql"),
        ("spine: spine.sql", "spine: ../../etc/passwd", "leads out of the project"),
        ("entity: [shop]", "entity: [shop, sold]", "entity 'sold' is not a key"),
        ("{by: month, test: 1}", "{by: month, test: 1, timezone: Mars/Olympus}", "no time zone 'Mars/Olympus'"),
        ("task: regression", "task: forecast", "a forecast needs horizons"),
    ],
)  # fmt: skip
def test_what_a_problem_can_not_say(project: Path, old: str, new: str, said: str) -> None:
    """The file, the key, the value, and what was meant."""
    path = project / "conf/problem/sales.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(FurrowError) as caught:
        problem(project / "conf", "sales")
    assert said in str(caught.value)
    assert "conf/problem/sales.yaml" in str(caught.value)


def test_two_problems_with_one_name(project: Path) -> None:
    """A copied file that kept its name is told apart, and the other file named."""
    (project / "conf/problem/copy.yaml").write_text(f"name: sales\n{GOOD}")
    with pytest.raises(FurrowError, match=r"conf/problem/sales\.yaml has that name"):
        problem(project / "conf", "copy")


def test_an_experiment_of_a_problem_that_does_not_exist(project: Path) -> None:
    """It suggests one that does; with several, each experiment must say which."""
    (project / "conf/experiment/gbm.yaml").write_text("")
    entries = project / "conf/experiments.yaml"
    entries.write_text("experiments:\n  gbm: {service: full}\n")
    assert declared(project / "conf")["gbm"].problem == "sales"
    entries.write_text("experiments:\n  gbm: {service: full, problem: sale}\n")
    with pytest.raises(FurrowError, match="did you mean 'sales'"):
        declared(project / "conf")
    (project / "conf/problem/other.yaml").write_text(GOOD)
    entries.write_text("experiments:\n  gbm: {service: full}\n")
    with pytest.raises(FurrowError, match="'gbm' names no problem"):
        declared(project / "conf")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select shop, sold, moment as event_timestamp from sales union all (select shop, sold, moment from sales limit 1)",
         "shop, event_timestamp come again in 1 row, first shop a"),
        ("select nullif(shop, 'a') as shop, moment as event_timestamp, sold from sales", "shop is null in 2 of 3 rows"),
        ("select shop, moment::timestamp as event_timestamp, sold from sales", "not a time with a zone"),
        ("select shop, moment as event_timestamp, nullif(sold, 1.0) as sold from sales", "sold is missing in 1 of 3 rows"),
        ("select shop, moment as event_timestamp, sold, null::timestamptz as label_timestamp from sales",
         "label_timestamp is null in 3 rows"),
        ("select shop, moment as event_timestamp, sold, moment + interval '3 hours' as label_timestamp from sales",
         "known_after 2h, and 3 labels"),
        ("select shop, moment as event_timestamp from sales", "gives no column 'sold'"),
        ("select shop, moment as event_timestamp, sold from sales where false", "gives no rows"),
        ("select shop, moment as event_timestamp, sold, 'q' as period from sales", "a column 'period', which is what"),
        ("select shop, moment as event_timestamp, 1.0 as sold from sales", "holds only 1.0"),
        ("select shop, moment as event_timestamp, 'x' || sold as sold from sales", "holds object"),
        ("select shop, moment as event_timestamp, sold / 0 * 1e308 + 'inf'::double as sold from sales", "is infinite in"),
    ],
)  # fmt: skip
def test_what_a_spine_can_not_give(project: Path, sql: str, said: str) -> None:
    """Duplicates, nulls, times without zone, labels that are missing, of one value, of text, infinite, or late."""
    with pytest.raises((SpineError, LabelError)) as caught:
        rows(project, sql)
    assert said in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "said"),
    [("sold", "the label"), ("shop", "a column of the spine"), ("period", "the rows' periods")],
)
def test_a_feature_that_would_be_taken_for_something_else(name: str, said: str) -> None:
    """A split writes the periods of rows beside the features: under that name a model would see them."""
    columns = ["shop", "event_timestamp", "sold"]
    training_set._refuse(["weather"], columns, made())
    with pytest.raises(SpineError, match=f"feature '{name}' has the name of {said} of problem"):
        training_set._refuse(["weather", name], columns, made())


def test_periods_are_of_the_declared_clocks() -> None:
    """An hour before midnight in one zone is another month in the other; quarters and weeks sort as time does."""
    at = pd.Series(pd.to_datetime(["2020-03-31T23:30Z", "2021-01-03T12:00Z"]))
    assert period_of(at, "month", "UTC").tolist() == ["2020-03", "2021-01"]
    assert period_of(at, "month", "Europe/Vienna").tolist() == ["2020-04", "2021-01"]
    assert period_of(at, "quarter", "UTC").tolist() == ["2020-Q1", "2021-Q1"]
    assert period_of(at, "week", "UTC").tolist() == ["2020-W14", "2020-W53"]
    with pytest.raises(PeriodError, match="not times with a zone"):
        period_of(at.dt.tz_localize(None), "day", "UTC")
    with pytest.raises(PeriodError, match="neither a period nor a column"):
        blocks(pd.DataFrame({"at": at}), "airline", "at", "UTC")


@pytest.mark.parametrize("by", ["hour", "day", "week", "month", "quarter"])
def test_rolling_origin_with_an_embargo(by: str) -> None:
    """Each of the last periods comes from rows whose labels were known before it begins, and from no later ones."""
    about = made(split=Split(by=by, test=2), known_after="36h")
    frame = ready(sales(rows=3000, days=300), about)
    found = folds(frame, about)
    assert len(found) == 2
    for fold in found:
        test, train = frame.iloc[fold.test_rows], frame.iloc[fold.train_rows]
        assert set(test["period"]) == {fold.test}
        begins = test["event_timestamp"].min()
        assert (train["event_timestamp"] + pd.Timedelta(hours=36) <= begins).all()
        left = (frame["event_timestamp"] + pd.Timedelta(hours=36) <= begins) & (
            frame["period"] < fold.test
        )
        assert len(train) == int(left.sum())
    older, held = holdout(frame, about, found[0].train_rows)
    assert not set(older) & set(held)
    assert frame["event_timestamp"].iloc[older].max() < frame["event_timestamp"].iloc[held].min()


def test_other_splits() -> None:
    """A date, groups, and a random one, which warns where there are times."""
    frame = sales()
    about = made(split=Split(by="date", start="2020-03-01"))
    (fold,) = folds(ready(frame, about), about)
    assert frame["event_timestamp"].iloc[fold.test_rows].min() >= pd.Timestamp(
        "2020-03-01", tz="UTC"
    )
    about = made(split=Split(by="shop", test=0.4))
    (fold,) = folds(ready(frame, about), about, seed=1)
    test, train = set(frame["shop"].iloc[fold.test_rows]), set(frame["shop"].iloc[fold.train_rows])
    assert len(test) == 2
    assert not test & train
    about = made(split=Split(by="random", test=0.25))
    with pytest.warns(SplitWarning, match="trains on what came after the test"):
        (fold,) = folds(ready(frame, about), about, seed=1)
    assert len(fold.test_rows) == 100


@pytest.mark.parametrize(
    ("split", "known_after", "said"),
    [
        (Split(by="month", test=12), "2h", "leaves 0 of 4 months"),
        (Split(by="date", start="2030-01-01"), "2h", "no row to test"),
        (Split(by="date", start="2010-01-01"), "2h", "no label is known before the test"),
        (Split(by="shop", test=0.05), "2h", "leaves nothing to test"),
        (Split(by="month", test=1), "900d", "the embargo is 900d"),
    ],
)
def test_a_split_that_leaves_nothing(split: Split, known_after: str, said: str) -> None:
    """Nothing to train on, or to test: what is left is counted, and what to do is said."""
    about = made(split=split, known_after=known_after)
    with pytest.raises(SplitError) as caught:
        folds(ready(sales(), about), about)
    assert said in str(caught.value)


def test_a_class_that_occurs_only_in_the_test_periods() -> None:
    """It can't be learnt: the class and the period are named."""
    task, about = load_task("multiclass"), made(task="multiclass", label="kind")
    with pytest.raises(
        LabelError, match="'gold' occurs in the test 2020-04, and nowhere before it"
    ):
        task.check_fold(pd.Series(["a", "b"]), pd.Series(["a", "gold"]), about, period="2020-04")


def test_a_horizon_longer_than_the_history() -> None:
    """The spine has no row of it: the horizon is named, and those that there are."""
    about = made(task="forecast", horizons=[1, 400], season="7d")
    frame = sales(rows=20).assign(horizon=1)
    frame["label_timestamp"] = frame["event_timestamp"] + pd.Timedelta(days=1)
    with pytest.raises(LabelError, match="horizon 400 is longer than the history"):
        load_task("forecast").spine(frame, about)


def test_binary_labels() -> None:
    """Text needs its positive value said; three values are no binary label."""
    task = load_task("binary")
    with pytest.raises(LabelError, match="write `positive: yes`"):
        task.check(pd.Series(["no", "yes", "no"]), made(task="binary"))
    task.check(pd.Series(["no", "yes", "no"]), made(task="binary", positive="yes"))
    with pytest.raises(LabelError, match="holds 3 values"):
        task.check(pd.Series([0, 1, 2]), made(task="binary"))


def test_spans_and_tasks() -> None:
    """Spans are read with their unit; the tasks are the modules of their folder."""
    assert span("90m", where="x").total_seconds() == 5400
    assert task_names() == ("binary", "forecast", "multiclass", "regression")
    with pytest.raises(ProblemError, match="there are: binary, forecast, multiclass, regression"):
        check_problem(made(task="clustering"), tasks=task_names(), where="conf/problem/x.yaml")
