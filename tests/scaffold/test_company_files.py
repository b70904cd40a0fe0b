"""Tables as companies have them: what names a row, when it is known, and what would give the label away."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from furrow.features.manifest import load
from furrow.intake.landed import land
from furrow.layout import MANIFEST
from furrow.scaffold.answers import Asked
from furrow.scaffold.bring_up import compile_project
from furrow.scaffold.entity_ties import strangers, tie
from furrow.scaffold.joint_leaks import joint_leaks
from furrow.scaffold.plan_init import InitPlan, Looked, look, plan_init
from furrow.scaffold.planned_moments import is_planned
from furrow.training.tasks.task import NUMBER, PROBABILITY
from tests.scaffold.test_odd_files import csv, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = 400
BEGIN = datetime(2023, 1, 2, 8, 30, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Rows = list[dict[str, Any]]


def rows(add: Callable[[int, dict[str, Any]], None] | None = None) -> Rows:
    """Bookings of ten months, in the order of their moments; whether they were canceled hangs on the lead time."""
    draw, found = random.Random(2), []
    for number in range(ROWS):
        lead = draw.randrange(60)
        row = {
            "booked_at": f"{BEGIN + timedelta(hours=17 * number):%Y-%m-%d %H:%M}",
            "lead": lead,
            "price": draw.randrange(50, 300),
            "canceled": int(draw.random() < lead / 90),
        }
        if add is not None:
            add(number, row)
        found.append(row)
    return found


def seen(folder: Path, **tables: Rows) -> Looked:
    (folder / "given").mkdir()
    for name, held in tables.items():
        (folder / f"given/{name}.csv").write_text(csv(held), encoding="utf-8")
    return look([str(folder / "given")], folder / "project/data/landed")


def planned(folder: Path, looked: Looked, **asked: str) -> InitPlan:
    plan = plan_init(folder / "project", looked, Asked(**asked), now=NOW)
    for path, text in plan.texts.items():
        (folder / "project" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "project" / path).write_text(text, encoding="utf-8")
    return plan


def test_rows_that_nothing_names(tmp_path: Path) -> None:
    """They are counted in the file's order; every row is predicted, and landing again gives the very file."""
    looked = seen(tmp_path, bookings=rows())
    plan = planned(tmp_path, looked)
    answers = plan.answers
    assert (answers.entity, answers.numbered, answers.label) == ("row_id", "row_id", "canceled")
    assert "counted" in answers.why["about"]
    spine = run(tmp_path, plan, "spines/canceled")
    assert sorted(spine["row_id"].to_pylist()) == list(range(1, ROWS + 1))
    landed = plan.landed[0]
    held = pq.read_table(landed.path)
    assert held["row_id"].to_pylist() == list(range(1, ROWS + 1))
    before = landed.path.read_bytes()
    again = land(looked.given[0], landed.path, columns=landed.columns, numbered="row_id")
    assert (again.changed, again.columns) == (False, landed.columns)
    assert landed.path.read_bytes() == before
    assert 'numbered={"bookings": "row_id"}' in plan.texts["pipelines/ingest.py"]


@pytest.mark.parametrize(
    ("key", "about", "entity"),
    [
        (lambda n: {"cust_no": f"{n % 40:05d}"}, "", "cust_no"),
        (lambda n: {"cust_no": f"{n % 40:05d}"}, "row", "row_id"),
        (lambda n: {"store": n % 4, "dept": n % 12}, "", "store, dept"),
        (lambda n: {"store": n % 4, "shelf": n % 12}, "", "row_id"),
        (lambda n: {"row_id": n // 2}, "", "row_id_2"),
        (lambda n: {"booking_id": f"B{n}"}, "", "booking_id"),
    ],
)
def test_what_names_a_row(
    tmp_path: Path, key: Callable[[int], dict[str, Any]], about: str, entity: str
) -> None:
    """A column that comes once at each moment; else the row itself, rather than most of the rows left out."""

    def add(number: int, row: dict[str, Any]) -> None:
        row |= key(number)
        if "cust_no" not in row:
            row["booked_at"] = f"{BEGIN + timedelta(days=number // 12):%Y-%m-%d}"

    answers = planned(tmp_path, seen(tmp_path, bookings=rows(add)), about=about).answers
    assert (answers.entity, answers.repeated) == (entity, 0)


@pytest.mark.parametrize(
    ("label", "value", "table"),
    [
        ("is_canceled", lambda n: n % 3 == 0, "canceled"),
        ("loan_status", lambda n: ["Fully Paid", "Charged Off"][n % 3 == 0], "binary"),
        ("No-show", lambda n: ["No", "Yes"][n % 3 == 0], "binary"),
        ("Priority", lambda n: ["low", "high", "urgent"][n % 3], "multiclass"),
        ("SalePrice", lambda n: n * 1.25, "regression"),
        ("Class", lambda n: int(n % 9 == 0), "binary"),
    ],
)
def test_what_is_predicted_where_nobody_says(
    tmp_path: Path, label: str, value: Callable[[int], Any], table: str
) -> None:
    """The column that is named like what comes about, and why."""

    def add(number: int, row: dict[str, Any]) -> None:
        del row["canceled"], row["price"]
        row[label] = value(number)

    answers = planned(tmp_path, seen(tmp_path, bookings=rows(add))).answers
    assert answers.label.replace("_", "") == label.lower().replace("_", "").replace("-", "")
    assert "is named like what is to be predicted" in answers.why["predict"]
    assert answers.task in {table, "binary"}


def test_moments_of_the_end_are_no_beginning(tmp_path: Path) -> None:
    """The date of a status is when all was over: not taken as the moment of a prediction unless somebody says so."""

    def add(_: int, row: dict[str, Any]) -> None:
        row["status_date"] = row.pop("booked_at")

    looked = seen(tmp_path, bookings=rows(add))
    answers = planned(tmp_path, looked).answers
    assert answers.at == ""
    assert "status_date" in answers.why["at"]
    assert planned(tmp_path, looked, at="status_date").answers.at == "status_date"


def test_plans_lie_ahead_and_are_kept(tmp_path: Path) -> None:
    """An appointment is known when it is made, what was delivered is not; the label is known when its day is over."""

    def add(number: int, row: dict[str, Any]) -> None:
        at = datetime.fromisoformat(row["booked_at"]) + timedelta(days=row["lead"])
        row["appointment_day"] = f"{at:%Y-%m-%d}"
        row["delivered_at"] = f"{at:%Y-%m-%d %H:%M}" if number % 2 else ""

    plan = planned(tmp_path, seen(tmp_path, bookings=rows(add)))
    assert plan.answers.at == "booked_at"
    assert plan.answers.known_after == "60d"
    features = plan.features[0].features
    assert "bookings_appointment_day_days" in features
    assert not any("delivered" in name for name in features)
    assert any("appointment_day is kept though" in note for note in plan.notes)
    assert [is_planned(name) for name in ("due_date", "paid_at", "dues")] == [True, False, False]


def test_columns_called_like_the_calendar(tmp_path: Path) -> None:
    """A weekday, a month and an hour that stand in the file are features beside those of the moment."""

    def add(number: int, row: dict[str, Any]) -> None:
        row |= {"weekday": number % 7, "month": number % 12, "hour": number % 24}

    plan = planned(tmp_path, seen(tmp_path, bookings=rows(add)))
    names = run(tmp_path, plan, "tables/bookings_profile").column_names
    assert len(set(names)) == len(names)
    assert {"bookings_hour", "bookings_hour_2", "bookings_weekday_2"} <= set(names)


def test_the_hour_on_the_clocks_of_the_project(tmp_path: Path) -> None:
    """Summer time and all: eight in Vienna is eight on every day of the year."""

    def add(number: int, row: dict[str, Any]) -> None:
        row["booked_at"] = f"{BEGIN + timedelta(days=number):%Y-%m-%d} 08:15"

    (tmp_path / "given").mkdir()
    (tmp_path / "given/bookings.csv").write_text(csv(rows(add)))
    zone = "Europe/Vienna"
    looked = look([str(tmp_path / "given")], tmp_path / "project/data/landed", timezone=zone)
    plan = planned(tmp_path, looked, timezone=zone)
    assert set(run(tmp_path, plan, "tables/bookings_profile")["bookings_hour"].to_pylist()) == {8}


def left_out(plan: InitPlan) -> set[str]:
    return {note.split(" is left out")[0] for note in plan.notes if " is left out: " in note}


def test_what_is_there_for_some_of_one_label(tmp_path: Path) -> None:
    """An amount that is not zero, a reason that is filled in, for some canceled bookings and no other."""

    def add(number: int, row: dict[str, Any]) -> None:
        bad = row["canceled"] and number % 4
        row |= {"refund": 25 * number if bad else 0, "reason": f"R{number % 3}" if bad else ""}
        row["note"] = f"N{number % 3}" if number % 5 == 0 else ""

    plan = planned(tmp_path, seen(tmp_path, bookings=rows(add)))
    assert left_out(plan) == {"bookings.refund", "bookings.reason"}
    assert any(
        "refund is left out: where it is not 0, canceled is 1 (" in one for one in plan.notes
    )
    assert "bookings_note" in plan.features[0].features


@pytest.mark.parametrize(
    ("kind", "said"),
    [("sum", {"casual", "registered"}), ("ratio", {"paid_back"}), ("honest", set())],
)
def test_what_tells_the_label_together(kind: str, said: set[str]) -> None:
    """Two parts of a total, a part of an amount; numbers that only say much are kept."""
    draw = np.random.default_rng(3)
    casual, registered = draw.poisson(40, 900) * 1.0, draw.poisson(90, 900) * 1.0
    amount, bad = draw.uniform(1e3, 4e4, 900), draw.random(900) < 0.3
    numbers = {
        "sum": {"hour": draw.uniform(0, 24, 900), "casual": casual, "registered": registered},
        "ratio": {
            "amount": amount,
            "paid_back": amount * np.where(bad, draw.uniform(0, 0.7, 900), 1.0),
        },
        "honest": {"a": bad + draw.normal(0, 0.6, 900), "b": bad + draw.normal(0, 0.6, 900)},
    }[kind]
    predicts = NUMBER if kind == "sum" else PROBABILITY
    truth = casual + registered if kind == "sum" else bad * 1.0

    def strength(values: np.ndarray, part: slice) -> float:
        if predicts == NUMBER:
            return abs(float(np.corrcoef(values, truth[part])[0, 1]))
        order = np.argsort(np.argsort(values))
        yes = truth[part] > 0
        area = (order[yes].mean() - (yes.sum() - 1) / 2) / (~yes).sum()
        return float(max(area, 1 - area))

    found = joint_leaks(numbers, predicts, strength)
    assert set(found) == said
    assert all("tells the label" in why for why in found.values())


def test_objects_of_json_are_columns(tmp_path: Path) -> None:
    """What stands in an object is a column of its own, milliseconds are moments; as declared before, it stays text."""
    (tmp_path / "given").mkdir()
    with (tmp_path / "given/sessions.jsonl").open("w") as file:
        for number in range(ROWS):
            at = int((BEGIN + timedelta(hours=number)).timestamp() * 1000)
            said = {
                "sessionId": f"s{number}",
                "startedAt": at,
                "count": at,
                "converted": number % 3 == 0,
            }
            held = {
                "os": ["ios", "win"][number % 2],
                "screen": {"w": 300 + number % 5, "deep": {"x": {"y": 1}}},
            }
            file.write(json.dumps({**said, "device": held, "tags": ["a"]}) + "\n")
    looked = look([str(tmp_path / "given")], tmp_path / "project/data/landed")
    plan = planned(tmp_path, looked)
    assert (plan.answers.at, plan.answers.entity) == ("started_at", "session_id")
    features = plan.features[0].features
    assert features["sessions_device_os"] == "String"
    assert features["sessions_device_screen_w"] == "Int64"
    assert looked.landed[0].columns["count"] == "int64"
    declared = {
        "session_id": "string",
        "started_at": "int64",
        "count": "int64",
        "converted": "bool",
    }
    declared |= {"device": "string", "tags": "string"}
    before = land(looked.given[0], tmp_path / "old.parquet", columns=declared)
    assert dict(before.columns) == declared
    assert json.loads(pq.read_table(before.path)["device"][0].as_py())["os"] == "ios"


def test_keys_that_are_padded_and_keys_of_nobody(tmp_path: Path) -> None:
    """Spaces around a key do not count; rows about nobody are told of."""

    def name(number: int, row: dict[str, Any]) -> None:
        row["msisdn"] = f"+49 170 {number:07d}"

    calls = [
        {"msisdn": f" +49 170 {number if number % 2 else 9 * number + ROWS:07d} ", "at": "2023-01-01", "cost": number % 7}
        for number in range(ROWS)
    ]  # fmt: skip
    looked = seen(tmp_path, bookings=rows(name), calls=calls)
    plan = planned(tmp_path, looked)
    tables = looked.tables
    source = tie(plan.answers, tables["calls"], tables, looked.references)
    assert source is not None
    assert strangers(source, tables["bookings"], "msisdn", looked.references) == 0.5
    assert any(
        "calls: 50% of its rows have a msisdn that bookings has not" in one for one in plan.notes
    )


def test_a_source_of_too_many_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of shops beside bookings of the same shops is left out where joined it is too long, and told."""

    def add(number: int, row: dict[str, Any]) -> None:
        row |= {"booking_id": f"b{number}", "shop_id": number % 12}

    weather = [
        {"shop_id": n % 12, "day": f"{BEGIN + timedelta(days=n // 12):%Y-%m-%d}", "rain": n % 5}
        for n in range(600)
    ]
    looked = seen(tmp_path, bookings=rows(add), weather=weather)
    names = {name for one in planned(tmp_path, looked).features for name in one.features}
    assert "weather_30d" in names
    assert not any(name.startswith("weather_shop_id") for name in names)
    monkeypatch.setattr("furrow.scaffold.feature_sql.MOST_PAIRS", 1000)
    plan = planned(tmp_path, looked)
    assert not any(name.startswith("weather") for one in plan.features for name in one.features)
    assert any(note.startswith("weather: left out, for joined") for note in plan.notes)


def test_names_of_another_language_compile(tmp_path: Path) -> None:
    """A key, a label and features of other letters, and a word of SQL: from Feast's definitions to the manifest."""

    def add(number: int, row: dict[str, Any]) -> None:
        row |= {
            "顾客": f"k{number}",
            "alter": number % 60,
            "größe": number % 9,
            "解約": row["canceled"],
        }
        del row["canceled"]

    root = tmp_path / "project"
    plan = planned(tmp_path, seen(tmp_path, bookings=rows(add)), predict="解約")
    assert plan.answers.entity == "顾客"
    compile_project(root, lambda step: None)
    manifest = load(root / MANIFEST)
    (view,) = manifest.views.values()
    assert [feature.name for feature in view.features][2:4] == ["bookings_alter", "bookings_größe"]
