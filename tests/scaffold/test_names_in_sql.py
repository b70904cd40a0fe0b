"""Columns may be called as anything that Furrow's own SQL says: aliases, counters, windows."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from furrow.ground.tables import RawFiles, run_sql
from furrow.intake.own_names import free_name
from furrow.scaffold.answers import Asked
from furrow.scaffold.plan_init import InitPlan, look, plan_init

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
WORDS = [
    "event", "event_count", "known_at", "window_days", "own_events", "own_changes", "own_sums", "so_far", "count", "sum",
    "last", "w", "v", "n", "p", "c", "l", "moment", "came", "labelled", "held", "own_at", "asked_at", "window", "days",
    "event_count_7", "own_count_7", "own_sum_7_event", "own_last_event", "event_2", "known_at_2", "amount_sum_7", "amount_last",
    "value", "key", "month", "weekday", "hour", "outcome_known_at", "interval", "filter", "lead", "order", "group", "counted",
]  # fmt: skip


PARTS = [WORDS[:7]]
"""As many columns as features are made of: four of numbers, three of words."""


def columns(names: list[str], draw: random.Random) -> list[str]:
    """A value of each column: four of numbers, the others words of a few."""
    return [
        draw.choice(["up", "down"]) if at > 3 else str(draw.randrange(50))
        for at in range(len(names))
    ]


def written(folder: Path, names: list[str], *, tables: int) -> None:
    """Visits with a label, and other tables of the same people, with columns so called."""
    draw = random.Random(5)
    folder.mkdir(parents=True)
    heads = ",".join(names)
    rows, others = [], {f"events_{chr(97 + one)}": [] for one in range(tables)}
    for number in range(60):
        at = BEGIN + timedelta(hours=31 * number)
        values = columns(names, draw)
        rows.append(
            [str(number), str(number % 15), at.isoformat(), draw.choice(["yes", "no"]), *values]
        )
        for held in others.values():
            held += [
                [
                    str(number),
                    (at - timedelta(hours=draw.randrange(1, 900))).isoformat(),
                    *columns(names, draw),
                ]
                for _ in range(2)
            ]
    text = "".join(f"{','.join(row)}\n" for row in rows)
    (folder / "visits.csv").write_text(f"visit_id,patient_id,booked_at,missed,{heads}\n{text}")
    for name, held in others.items():
        text = "".join(f"{','.join(row)}\n" for row in held)
        (folder / f"{name}.csv").write_text(f"visit_id,happened_at,{heads}\n{text}")


def planned(folder: Path, names: list[str], *, tables: int) -> InitPlan:
    written(folder / "given", names, tables=tables)
    looked = look([str(folder / "given")], folder / "landed")
    asked = Asked(predict="missed", about="visit", at="booked_at", known_after="1d")
    return plan_init(folder, looked, asked, now=datetime.now(UTC))


def run(plan: InitPlan, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each feature table; their columns are those that are declared."""
    raw = RawFiles(folder, {one.name: [one.path] for one in plan.landed})
    found = {}
    for one in plan.features:
        table = run_sql(one.sql, raw, sql_file=folder / f"{one.name}.sql")
        assert table.column_names == ["visit_id", "event_timestamp", *one.features], one.sql
        found[one.name] = table.to_pylist()
    for path, text in plan.texts.items():
        if path.startswith("features/spines/"):
            assert run_sql(text, raw, sql_file=folder / path).num_rows == 60
    return found


@pytest.fixture(scope="module", params=[4])
def usual(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, Any]:
    """How many tables there are beside the label's, and the features where columns have usual names."""
    folder = tmp_path_factory.mktemp("usual")
    return request.param, run(
        planned(folder, [f"col{at}x" for at in range(7)], tables=request.param), folder
    )


@pytest.mark.parametrize("names", PARTS, ids=lambda names: names[0])
def test_columns_of_any_name(tmp_path: Path, usual: tuple[int, Any], names: list[str]) -> None:
    """The same values as where columns have usual names, in a table for each source and in one of several."""
    tables, wanted = usual
    found = run(planned(tmp_path, names, tables=tables), tmp_path)
    assert list(found) == list(wanted)
    for name, rows in wanted.items():
        those = [sorted(str(list(row.values())) for row in each) for each in (found[name], rows)]
        assert those[0] == those[1]


def test_a_column_called_event(tmp_path: Path) -> None:
    """Its sums are beside the count of events."""
    plan = planned(tmp_path, ["event", "event_count"], tables=4)
    (row, *_) = run(plan, tmp_path)["history"]
    assert {"events_a_7d", "events_a_event_sum_7d", "events_a_event_count_last"} <= set(row)


def test_columns_called_as_what_is_counted(tmp_path: Path) -> None:
    """Questions about the data group by the key, not by a column of their own names."""
    plan = planned(tmp_path, ["e", "s", "l", "last"], tables=1)
    assert all(run(plan, tmp_path).values())


def test_free_names() -> None:
    """A number where it is taken, in any case of letters."""
    assert free_name("event", ["Event", "event_2"]) == "event_3"
    assert free_name("event", ["events"]) == "event"
