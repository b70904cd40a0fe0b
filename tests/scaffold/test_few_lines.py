"""What init writes stays short: of a wide table, and of several sources; no line is wider than a screen."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from furrow.data.contract import load_contract
from furrow.files import write_text
from furrow.layout import CONTRACT
from furrow.scaffold.answers import Asked
from furrow.scaffold.plan_init import InitPlan, look, plan_init

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
ASKED = Asked(predict="churned", about="account_id", at="opened_at", known_after="30d")
WORDS = ("balance", "income", "usage", "calls", "minutes", "plan", "region", "score")


def write(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    lines = [",".join(map(str, row)) for row in (head, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def wide(folder: Path, columns: int) -> None:
    """One table: numbers, some of them missing, words, yes and no."""
    draw = random.Random(1)
    names = [f"{draw.choice(WORDS)}_{draw.choice(['last', 'mean'])}_{at}" for at in range(columns)]

    def value(at: int) -> object:
        if at % 10 == 3:
            return draw.choice("abc")
        if at % 10 == 5:
            return draw.choice(["true", "false"])
        whole = draw.randint(0, 50) if at % 10 in (1, 2) else round(draw.gauss(0, 1), 3)
        return whole if at % 3 or draw.random() > 0.1 else ""

    rows = [
        [key, f"{BEGIN + timedelta(hours=7 * key):%Y-%m-%d %H:%M}", *map(value, range(columns)), draw.randint(0, 1)]
        for key in range(300)
    ]  # fmt: skip
    write(folder / "accounts.csv", ["account_id", "opened_at", *names, "churned"], rows)


def several(folder: Path) -> None:
    """The label's table and four that tell what happened, each of four numbers and two words."""
    draw = random.Random(2)
    moments = [BEGIN + timedelta(hours=9 * key) for key in range(300)]
    rows = [[key, f"{at:%Y-%m-%d %H:%M}", draw.choice("abc"), draw.randint(0, 1)] for key, at in enumerate(moments)]  # fmt: skip
    write(folder / "accounts.csv", ["account_id", "opened_at", "plan", "churned"], rows)
    for name in ("orders", "visits", "tickets", "payments"):
        events = []
        for number in range(1500):
            key = draw.randrange(300)
            at = f"{moments[key] - timedelta(hours=draw.randint(1, 3000)):%Y-%m-%d %H:%M}"
            numbers = [round(draw.random() * 99, 2), draw.randint(1, 9), draw.random(), draw.randint(0, 5)]  # fmt: skip
            events.append([number, key, at, *numbers, draw.choice("xy"), draw.choice("abc")])
        head = [f"{name}_id", "account_id", "happened_at", "amount", "items", "share", "points", "channel", "state"]  # fmt: skip
        write(folder / f"{name}.csv", head, events)


def planned(folder: Path) -> InitPlan:
    looked = look([str(folder)], folder / ".landed")
    return plan_init(folder, looked, ASKED, now=datetime.now(UTC))


@pytest.mark.parametrize("kind", ["wide", "several"])
def test_two_hundred_lines(tmp_path: Path, kind: str) -> None:
    """A table of 123 columns, and a label's table with four sources: 14 files, 200 lines of 100 characters."""
    wide(tmp_path, 120) if kind == "wide" else several(tmp_path)
    plan = planned(tmp_path)
    texts = plan.texts
    assert len(texts) <= 14
    assert sum(text.count("\n") for text in texts.values()) <= 200
    wide_lines = [line for text in texts.values() for line in text.splitlines() if len(line) > 100]
    assert len(wide_lines) <= 1, wide_lines  # what `compile` depends on, which older projects edit
    write_text(tmp_path / CONTRACT, texts[CONTRACT])
    contract = load_contract(tmp_path / CONTRACT)
    for one in plan.landed:
        declared = {name: column.type for name, column in contract.tables[one.name].columns.items()}
        assert declared == dict(one.columns)
        assert contract.tables[one.name].files == f"landed/{one.name}.parquet"
