"""What came of earlier rows, as features: past sales of a store, past returns of a customer; never before it was known."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.files import read_json
from furrow.ground.tables import RawFiles, run_sql
from furrow.layout import METRICS_JSON, run_file
from furrow.scaffold.answers import Asked
from furrow.scaffold.bring_up import compile_project
from furrow.scaffold.earlier_outcomes import known_later
from furrow.scaffold.place_files import place, scratch, stage
from furrow.scaffold.plan_init import InitPlan, look, plan_init
from furrow.stages import evaluate, tables, train, training_set

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
LABELS = {"regression": lambda n: n * 37 % 101 / 4, "binary": lambda n: "yn"[n * 7 % 3 > 0],
          "multiclass": lambda n: ("red", "green", "d'or")[n * 7 % 3]}  # fmt: skip
SHAPES = {"each row its own": "visit", "entity repeats": "store", "days": "store"}
UNSAID = {"each row its own": (), "entity repeats": (0, 1), "days": (1,)}
"""Days, and seconds, after which an outcome counts as known where nobody said when."""
LATER = {"each row its own": "36h", "entity repeats": "0h", "days": "0h"}


@dataclass(frozen=True)
class Visits:
    """A planned project of visits to stores.

    Attributes:
        plan: Of init.
        rows: The landed table.
        about: The entity.
        later: After which an outcome is known.
        folder: To write in.
    """

    plan: InitPlan
    rows: pd.DataFrame
    about: str
    later: timedelta
    folder: Path

    def log(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The feature table of outcomes, from other rows than the landed ones."""
        (table,) = [one for one in self.plan.features if one.name == "visits_outcomes_history"]
        path = self.folder / "visits.parquet"
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), path)
        raw = RawFiles(self.folder, {"visits": [path]})
        return run_sql(table.sql, raw, sql_file=self.folder / "log.sql").to_pandas()


@cache
def visits(task: str, shape: str) -> Visits:
    """Ten stores, 240 visits, five hours or a day apart; made once."""
    folder = Path(mkdtemp())
    draw, hours = random.Random(5), 24 if shape == "days" else 5
    rows = []
    for number in range(240):
        at = BEGIN + timedelta(
            hours=hours * (number // 2 if shape != "each row its own" else number)
        )
        store = draw.randrange(5) * 2 + number % 2 + 10
        rows.append((number + 1000, store, at, draw.randrange(9), LABELS[task](number)))
    frame = pd.DataFrame(rows, columns=["visit_id", "store_id", "at", "size", "came"])
    if shape != "each row its own":
        frame = frame.drop(columns="visit_id")
    (folder / "given").mkdir()
    frame.to_csv(folder / "given/visits.csv", index=False)
    looked = look([str(folder / "given")], folder / "landed")
    about, later = f"{SHAPES[shape]}_id", LATER[shape]
    asked = Asked(predict="came", about=about, at="at", known_after=later, test="0.2", task=task)
    plan = plan_init(folder, looked, asked, now=datetime.now(UTC))
    landed = pq.read_table(plan.landed[0].path).to_pandas()
    wait = timedelta(seconds=known_later(plan.answers, looked.tables["visits"]))
    assert wait == {"36h": timedelta(hours=36)}.get(later, timedelta(*UNSAID[shape]))
    return Visits(plan, landed, about, wait, folder)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("task", LABELS)
@settings(max_examples=4)
@given(row=st.integers(20, 239), seed=st.integers(0, 99))
def test_no_outcome_is_known_before_its_moment(shape: str, task: str, row: int, seed: int) -> None:
    """Labels that become known after a row's moment get other values: nothing changes up to that moment, its own row's least."""
    made = visits(task, shape)
    now = made.rows["at"].iloc[row]
    later = made.rows["at"] + made.later > now
    assert later.iloc[row]
    other = made.rows.copy()
    shuffled = other.loc[later, "came"].sample(frac=1, random_state=seed).to_numpy()
    other.loc[later, "came"] = shuffled if task != "regression" else shuffled + 1
    before, after = made.log(made.rows), made.log(other)
    known = before[before["event_timestamp"] <= now].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        known, after[after["event_timestamp"] <= now].reset_index(drop=True)
    )
    assert len(known)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("task", LABELS)
def test_outcomes_are_what_python_finds(shape: str, task: str) -> None:
    """Counts, means or rates, and the last one, at each row's moment, from all outcomes of the store that are known."""
    made = visits(task, shape)
    log, checked, word = made.log(made.rows), 0, "visits_outcomes_came"
    for one in made.rows.to_dict("records"):
        mine = log[(log[made.about] == one[made.about]) & (log["event_timestamp"] <= one["at"])]
        told = made.rows[made.rows["store_id"] == one["store_id"]]
        told = told[told["at"] + made.later <= one["at"]]
        assert bool(len(mine)) == bool(len(told))
        if not len(told):
            continue
        newest = mine.loc[mine["event_timestamp"].idxmax()]
        month = told[told["at"] + made.later > one["at"] - timedelta(days=30)]["came"]
        assert newest["visits_outcomes_ever"] == len(told)
        assert newest["visits_outcomes_30d"] == len(month)
        rates: dict[str, Any] = {
            "regression": {f"{word}_mean": lambda came: came},
            "binary": {f"{word}_mean": lambda came: came == made_positive(made)},
            "multiclass": {f"{word}_{name}_mean": lambda came, is_=value: came == is_
                           for name, value in (("red", "red"), ("d_or", "d'or"))},
        }[task]  # fmt: skip
        for name, value in rates.items():
            assert math.isclose(newest[f"{name}_ever"], value(told["came"]).mean(), rel_tol=1e-9)
            if len(month):
                assert math.isclose(newest[f"{name}_30d"], value(month).mean(), rel_tol=1e-9)
        last = told.sort_values("at")["came"].iloc[-1]
        wanted = last if task != "binary" else int(last == made_positive(made))
        assert newest[f"{word}_last"] == wanted
        checked += 1
    assert checked > 180


def made_positive(made: Visits) -> str | bool:
    positive = made.plan.answers.positive
    return True if positive == "true" else positive.strip('"')


def test_last_weeks_sales_predict_the_next(tmp_path: Path) -> None:
    """A table of weeks by store and nothing else: the boosted model explains most of what differs."""
    draw, rows = random.Random(5), []
    for store in range(8):
        base = draw.lognormvariate(9, 0.5)
        for week in range(110):
            season = 1 + 0.25 * math.sin(2 * math.pi * week / 52)
            sold = base * season * draw.lognormvariate(0, 0.08)
            day = datetime(2021, 1, 4, tzinfo=UTC) + timedelta(weeks=week)
            rows.append(f"{day:%Y-%m-%d},S{store:02d},{sold:.2f},{draw.randrange(2)}\n")
    (tmp_path / "weekly.csv").write_text("week,store,sales,promo\n" + "".join(rows))
    root = tmp_path / "project"
    root.mkdir()
    looked = look([str(tmp_path / "weekly.csv")], scratch(root) / "landed")
    asked = Asked(predict="sales", about="store", at="week")
    plan = plan_init(root, looked, asked, now=datetime.now(UTC))
    assert len(plan.texts) <= 14
    stage(root, plan.texts)
    place(root)
    compile_project(root, lambda step: None)
    for table in plan.features:
        tables.tables(root, table.name)
    training_set.build(root, "sales", "all")
    train.train(root, "boosting")
    evaluate.judge(root, "boosting")
    assert read_json(root / run_file("boosting", METRICS_JSON))["r2"] > 0.5
