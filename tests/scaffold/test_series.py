"""A table of series: the word of forecasts, and a forecast that init declares."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from furrow.cli.predict import command
from furrow.ground.tables import RawFiles, run_sql
from furrow.layout import EXPERIMENTS_YAML
from furrow.scaffold.answer_error import AnswerError
from furrow.scaffold.answers import Asked
from furrow.scaffold.bring_up import compile_project
from furrow.scaffold.place_files import place, scratch, stage
from furrow.scaffold.plan_init import InitPlan, look, plan_init
from furrow.scaffold.series_guess import span_text, span_words
from furrow.scaffold.series_sql import moment_after
from furrow.stages import evaluate, tables, train, training_set, validate
from tests.scaffold.conftest import ingest

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
STORES, WEEK = ("North", "South", "East"), timedelta(weeks=1)
FORECAST = Asked(predict="sold", about="store", at="week", task="forecast")


def planned(folder: Path, asked: Asked, step: timedelta = WEEK, *, skip: float = 0.0) -> Any:
    """Sales of stores, step by step, beside a poster and what they came to: a plan, and the sales."""
    draw, sold, lines = random.Random(6), {}, ["store,week,sold,posters,revenue,kind"]
    for place_, store in enumerate(STORES):
        for number in range(60):
            if draw.random() < skip:
                continue
            at = BEGIN + number * step
            posters = draw.randrange(3)
            count = 50 * place_ + 10 * (number % 4) + 5 * posters + draw.randrange(6)
            sold[store, at] = count
            lines.append(
                f"{store},{at.isoformat()},{count},{posters},{count * 2},{'ab'[number % 2]}"
            )
    (folder / "given").mkdir(exist_ok=True)
    (folder / "given/sales.csv").write_text("\n".join([*lines, ""]))
    (folder / "shop").mkdir(exist_ok=True)
    looked = look([str(folder / "given")], scratch(folder / "shop") / "landed")
    return plan_init(folder / "shop", looked, asked, now=datetime.now(UTC)), sold


def rows_of(plan: InitPlan, folder: Path, text: str) -> list[dict[str, Any]]:
    raw = RawFiles(folder, {one.name: [one.path] for one in plan.landed})
    found: list[dict[str, Any]] = run_sql(text, raw, sql_file=folder / "one.sql").to_pylist()
    return found


def test_the_word_of_a_forecast(tmp_path: Path) -> None:
    """One line of a table of weekly rows that is predicted as numbers; none of rows without a rhythm."""
    plan, _ = planned(tmp_path, Asked(predict="sold", about="store", at="week"))
    (note,) = [one for one in plan.notes if "forecast" in one]
    assert note.startswith("sales has one row of each store every week")
    assert "`--task forecast` forecasts 1 and 4 steps ahead" in note
    plan, _ = planned(tmp_path, Asked(predict="sold", about="store", at="week"), skip=0.5)
    assert not [one for one in plan.notes if "forecast" in one]


def test_a_forecast_is_of_what_came(tmp_path: Path) -> None:
    """Each row: said when a period is over, of one so many steps later; a gap leaves rows out, and shifts none."""
    plan, sold = planned(tmp_path, FORECAST, skip=0.05)
    rows = rows_of(plan, tmp_path, plan.texts["features/spines/sold.sql"])
    wanted = {
        (store, at + WEEK, ahead): sold[store, at + ahead * WEEK]
        for store, at in sold
        for ahead in (1, 4)
        if (store, at + ahead * WEEK) in sold
    }
    got = {(row["store"], row["event_timestamp"], row["horizon"]): row["sold"] for row in rows}
    assert got == wanted
    assert all(
        row["label_timestamp"] == row["event_timestamp"] + row["horizon"] * WEEK for row in rows
    )


def test_features_are_known_when_it_is_said(tmp_path: Path) -> None:
    """The last value is that of the period that is over; what tells its label is no leak of those to come."""
    plan, sold = planned(tmp_path, FORECAST)
    (series,) = plan.features
    rows = rows_of(plan, tmp_path, series.sql)
    assert len(rows) == len(sold)
    for row in rows:
        last = [sold.get((row["store"], row["event_timestamp"] - back * WEEK)) for back in (1, 2)]
        assert [row["sales_sold_1"], row["sales_sold_2"]] == last
    assert {"sales_revenue", "sales_posters", "sales_kind", "sales_sold_mean_12"} <= set(rows[0])
    assert not [one for one in plan.notes if "left out" in one]


def test_it_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What init writes compiles, its models see how many steps ahead it is, and are asked with it."""
    plan, _ = planned(tmp_path, FORECAST)
    root = tmp_path / "shop"
    stage(root, plan.texts)
    place(root)
    ingest(root)
    compile_project(root, lambda step: None)
    assert validate.validate(root) == 0
    tables.tables(root, "sales_series")
    training_set.build(root, "sold", "all")
    train.train(root, "linear")
    evaluate.judge(root, "linear")
    asked = ["--experiment", "linear", "--store", "North", "--at", "2025-01-06T00:00Z", "--json"]
    monkeypatch.setenv("FURROW_TRUST", "1")
    monkeypatch.chdir(root)
    missing = CliRunner().invoke(command, asked)
    assert "needs horizon" in str(missing.exception)
    found = CliRunner().invoke(command, [*asked, "--horizon", "4"], catch_exceptions=False)
    assert '"horizon": 4' in found.output
    said = yaml.safe_load((root / "runs/linear/config.yaml").read_text())
    assert said["features"]["keys"] == ["horizon"]
    assert (said["problem"]["horizons"], said["problem"]["season"]) == ([1, 4], "7d")
    assert (
        "features.keys"
        not in yaml.safe_load(plan.texts[EXPERIMENTS_YAML])["experiments"]["baseline"]
    )


@pytest.mark.parametrize(
    ("step", "horizons", "season", "known"),
    [
        (timedelta(days=1), (1, 7), "7d", "7d"),
        (timedelta(hours=1), (1, 24), "1d", "1d"),
        (timedelta(minutes=15), (1,), "1d", "15m"),
        (timedelta(days=2), (1,), "2d", "2d"),
    ],
)
def test_steps_of_any_length(
    tmp_path: Path, step: timedelta, horizons: tuple[int, ...], season: str, known: str
) -> None:
    answers = planned(tmp_path, FORECAST, step)[0].answers
    assert (answers.horizons, answers.season, answers.known_after) == (horizons, season, known)


@pytest.mark.parametrize(
    ("asked", "skip", "said"),
    [
        (FORECAST, 0.6, "no series of store"),
        (
            Asked(predict="sold", about="row", at="week", task="forecast"),
            0.0,
            "no series of its rows",
        ),
        (Asked(predict="sold", about="kind", at="week", task="forecast"), 0.0, "no series of kind"),
        (Asked(predict="kind", about="store", at="week", task="forecast"), 0.0, "no number"),
    ],
)
def test_what_is_no_series(tmp_path: Path, asked: Asked, skip: float, said: str) -> None:
    """Irregular rows, rows of nobody, several at one moment, words."""
    with pytest.raises(AnswerError, match=said):
        planned(tmp_path, asked, skip=skip)


def test_on_the_clocks_of_a_zone(tmp_path: Path) -> None:
    """A day is a day where clocks change."""
    assert (span_words(604_800), span_words(172_800), span_text(5_400)) == ("week", "2 days", "90m")
    asked = Asked(
        predict="sold", about="store", at="week", task="forecast", timezone="Europe/Vienna"
    )
    folder = tmp_path / "there"
    folder.mkdir()
    plan, _ = planned(folder, asked)
    sql = moment_after(plan.answers, "m")
    assert sql == "m + interval '1 week'"  # as it was looked at: in UTC
