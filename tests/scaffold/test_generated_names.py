"""Columns and files of names drawn from what breaks programs: what init writes compiles, and its SQL runs."""

from __future__ import annotations

import csv
import keyword
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from furrow.features import manifest
from furrow.ground.tables import RawFiles, run_sql
from furrow.layout import MANIFEST, SPINES
from furrow.scaffold.answers import Asked
from furrow.scaffold.bring_up import compile_project
from furrow.scaffold.place_files import place, scratch, stage
from furrow.scaffold.plan_init import InitPlan, look, plan_init
from tests.scaffold.conftest import ingest

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = 90
ODD = [
    "select", "From", "GROUP", "order", "Window", "interval", "null", "true", "user", "cast", "end", "desc", "qualify",
    "event", "v", "value", "ts", "event_timestamp", "label", "label_timestamp", "period", "horizon", "count", "w", "c",
    "own_key", "own_at", "asked_at", "known_at", "window_days", "a_before", "a_profile", "a_month", "a_weekday", "a_hour",
    "a_value", "A Value", "a.value", "b_7d", "b_v_sum_7d", "b_v_last", "b_before_7d", "Plan", "plan", "PLAN", "pLaN ",
    'say "so"', "it's", "a;b", "x,y", "-- no", "/* no */", "{{x}}", "${x}", "%s", "\\n", "tab\there", "#1", "@you", "a=b",
    "Größe", "naïve", "名前", "возраст", "µ", "μ", "ﬁ", "İ", "ß", "😀", "1st", "2", "007", "3.5", "_", "__init__", "-", " x ",
    "a" * 300, "b" * 64, "very " * 20, "self", "name", "class", "def", "None", "lambda", "dtype", "entities", "owner", "tags",
    *random.Random(1).sample(keyword.kwlist, 8),
]  # fmt: skip


def written(folder: Path, names: list[str], draw: random.Random) -> None:
    """Rows with a label in a.csv, what happened to the same in b.csv; every other column is of one of the names."""
    folder.mkdir()
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow(["Row Id", "asked on", "left?", *names])
        for number in range(ROWS):
            at = (BEGIN + timedelta(hours=40 * number)).isoformat()
            write.writerow([number, at, draw.choice(["yes", "no"]), *values(names, draw)])
    with (folder / "b.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow(["Row Id", "happened", *names])
        for _ in range(2 * ROWS):
            at = (BEGIN + timedelta(hours=draw.randrange(40 * ROWS) - 500)).isoformat()
            write.writerow([draw.randrange(ROWS), at, *values(names, draw)])


def values(names: list[str], draw: random.Random) -> list[object]:
    """Numbers, words and a few gaps, by a column's place."""
    kinds = (draw.randrange(50), round(draw.random(), 3), draw.choice("xyz"), draw.choice(["", 1]))
    return [kinds[place % 4] for place in range(len(names))]


def checked(plan: InitPlan, folder: Path) -> None:
    """Every SQL file runs, and gives the columns that are declared, once each."""
    raw = RawFiles(folder, {one.name: [one.path] for one in plan.landed})
    for one in plan.features:
        table = run_sql(one.sql, raw, sql_file=folder / f"{one.name}.sql")
        assert table.column_names == ["row_id", "event_timestamp", *one.features]
        assert len({name.casefold() for name in table.column_names}) == table.num_columns
    (spine,) = (text for path, text in plan.texts.items() if path.startswith(SPINES))
    assert run_sql(spine, raw, sql_file=folder / "spine.sql").num_rows == ROWS


@pytest.mark.parametrize("seed", range(5))
def test_names_of_every_kind(tmp_path: Path, seed: int) -> None:
    """All of them at once, compiled; and a dozen at a time, in both tables."""
    draw = random.Random(seed)
    names = draw.sample(ODD, 12 if seed else len(ODD))
    written(tmp_path / "given", names, draw)
    root = tmp_path / "project"
    root.mkdir()
    looked = look([str(tmp_path / "given")], scratch(root) / "landed")
    asked = Asked(predict="left?", about="Row Id", at="asked on", known_after="1d")
    plan = plan_init(root, looked, asked, now=datetime(2025, 1, 1, tzinfo=UTC))
    checked(plan, tmp_path)
    if not seed:
        stage(root, plan.texts)
        place(root)
        ingest(root)
        compile_project(root, lambda step: None)
        views = manifest.load(root / MANIFEST).views.values()
        assert sum(len(view.features) for view in views) == sum(
            len(one.features) for one in plan.features
        )
