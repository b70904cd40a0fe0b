"""Columns and files called as nobody should: what init writes of them binds, and no name is there twice."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from furrow.ground.tables import RawFiles, run_sql
from furrow.scaffold.answers import Asked
from furrow.scaffold.plan_init import look, plan_init

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
ROWS, COLUMNS = 60, 9
NAMES = [
    "select", "from", "group", "event", "v", "value", "Value", "VALUE", "ts", "a.b", "a b", "a_b", "a-b", "1st", "0", "1", "_", "__",
    "_a", "größe", 'say "hi"', "it's", "x" * 120, "x" * 119 + "y", "event_timestamp", "event timestamp", "created", "%", "-", "日本",
    "$1", "{{x}}", "${y}", "#z", "null", "None", "nan", "true", "index", "features", "label", "target", "month", "is_weekend", "e\u0301",
    "\u00e9", "İ", "ſ", "ß", "ẞ", "ﬁ", "x²", "١", "a\nb", "", "  ", "value_last", "value_sum_7d", "events_7d", "visits_value", "visit",
    "class", "lambda", "interval", "end", "Entity", "Float64", "service", "all", "entity_id", "label_timestamp", "known_at", "horizon",
    "e", "s", "l", "p", "w", "n", "c", "last",
]  # fmt: skip
FILES = [
    "visits", "events a", "Order", "select", "event", "9lives", "größe", "a.b", "group", "value", "日本", "x" * 90, "history", "raw",
    "table", "calendar", "visits_profile", "-", "V",
]  # fmt: skip
LABELS = ["missed", "Missed?", "value", "label", "select", "größe", "日本", "event", "target"]
MOMENTS = ["booked at", "at", "event", "event_timestamp", "ts"]


def written(folder: Path, draw: random.Random) -> None:
    """A file of visits, and up to five of what happened before them."""
    folder.mkdir()
    names = draw.sample(NAMES, COLUMNS)
    first = ["visit_id", "patient_id", draw.choice(MOMENTS), draw.choice(LABELS)]
    for place, file in enumerate(draw.sample(FILES, draw.choice([1, 2, 4, 6]))):
        rows: list[list[object]] = [[*(first if not place else ["visit_id", "happened"]), *names]]
        for number in range(ROWS):
            at = BEGIN + timedelta(hours=31 * number)
            if place:
                at -= timedelta(hours=draw.randrange(1, 900))
                mine: list[object] = [number, at.isoformat()]
            else:
                mine = [number, number % 15, at.isoformat(), draw.choice(["yes", "no"])]
            values = [
                draw.choice(["up", "down"]) if n % 2 else draw.randrange(50) for n in range(COLUMNS)
            ]
            rows.append([*mine, *values])
        with (folder / f"{file}.csv").open("w", newline="", encoding="utf-8") as text:
            csv.writer(text).writerows(rows)


@pytest.mark.parametrize(
    "seed", [117, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(100, 116))]
)
def test_what_is_written_binds(tmp_path: Path, seed: int) -> None:
    """Each SQL text runs and gives what is declared; Python and names are sound."""
    written(tmp_path / "given", random.Random(seed))
    looked = look([str(tmp_path / "given")], tmp_path / "landed")
    (table,) = (one for one in looked.tables.values() if "patient_id" in one.columns)
    who, _, at, label, *_ = table.columns
    asked = Asked(predict=f"{table.name}.{label}", about=who, at=at, known_after="1d")
    plan = plan_init(tmp_path, looked, asked, now=datetime.now(UTC))
    raw = RawFiles(tmp_path, {one.name: [one.path] for one in plan.landed})
    features: list[str] = []
    for one in plan.features:
        found = run_sql(one.sql, raw, sql_file=tmp_path / f"{one.name}.sql")
        assert found.column_names == [who, "event_timestamp", *one.features]
        features += [name.casefold() for name in one.features]
    assert features
    assert len(features) == len(set(features))
    for path, text in plan.texts.items():
        if path.startswith("features/spines/"):
            assert run_sql(text, raw, sql_file=tmp_path / path).num_rows == ROWS
        elif path.endswith(".py"):
            compile(text, path, "exec")
