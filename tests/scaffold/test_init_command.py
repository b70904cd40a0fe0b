"""`furrow init` as people run it: at a terminal, over files of every kind, twice at once, killed at any step."""

from __future__ import annotations

import os
import pty
import select
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import openpyxl
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from furrow.cli import patience
from furrow.cli.init import command
from furrow.scaffold.bring_up import Step, bring_up
from furrow.scaffold.place_files import alone, place, scratch, stage
from furrow.scaffold.plan_init import look, plan_init
from tests.scaffold.conftest import QUESTIONS
from tests.scaffold.shop import HEADS, made_shop
from tests.scaffold.test_new_project import contents

if TYPE_CHECKING:
    from pathlib import Path

ASKED = ("--predict", "churned", "--about", "customer", "--at", "signed_up", "--known-after", "30d")


def test_long_reading_is_told(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nobody at a terminal there are lines, of the reading and of what comes after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FURROW_TRUST", "1")
    monkeypatch.delenv("FURROW_PROGRESS", raising=False)
    monkeypatch.setattr(patience, "PIPED", 0.02)
    monkeypatch.setattr(patience, "AGAIN", 0.02)
    result = CliRunner().invoke(command, [str(given), *ASKED, "--yes", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "reading customers: " in result.stderr
    assert "looking at the columns: " in result.stderr
    assert "looking for keys, leaks and features: " in result.stderr
    assert "so far" not in result.stdout
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files") / "given"
    made_shop(80).write(folder)
    return folder


def as_excel(given: Path, out: Path) -> str:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name in HEADS:
        sheet = book.create_sheet(name)
        for line in (given / f"{name}.csv").read_text().splitlines():
            sheet.append(line.split(","))
    book.save(out / "shop.xlsx")
    return "shop.xlsx"


def as_sqlite(given: Path, out: Path) -> str:
    with sqlite3.connect(out / "shop.sqlite") as db:
        for name, head in HEADS.items():
            columns = ", ".join(f'"{column}"' for column in head)
            db.execute(f"CREATE TABLE {name} ({columns})")
            rows = [
                line.split(",") for line in (given / f"{name}.csv").read_text().splitlines()[1:]
            ]
            db.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(head))})", rows)
    db.close()
    return "shop.sqlite"


def as_duckdb(given: Path, out: Path) -> str:
    with duckdb.connect(str(out / "shop.duckdb")) as db:
        for name in HEADS:
            db.execute(
                f"CREATE TABLE {name} AS FROM read_csv('{given / name}.csv', all_varchar = true)"
            )
            if name == "customers":
                db.execute('ALTER TABLE customers ALTER "Signed Up" TYPE TIMESTAMP')
            if name == "orders":
                db.execute('ALTER TABLE orders ALTER "Ordered At" TYPE TIMESTAMP')
    return "shop.duckdb"


def as_parquet(given: Path, out: Path) -> str:
    (out / "shop").mkdir()
    strings = {
        name: pyarrow.string() for head in HEADS.values() for name in head if name.endswith("ID")
    }
    for name in HEADS:
        options = pyarrow.csv.ConvertOptions(column_types=strings, strings_can_be_null=True)
        table = pyarrow.csv.read_csv(given / f"{name}.csv", convert_options=options)
        pq.write_table(table, out / f"shop/{name}.parquet")
    return "shop"


@pytest.mark.parametrize("make", [as_excel, as_sqlite, as_duckdb, as_parquet])
def test_every_kind_of_source(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object
) -> None:
    """A workbook, a database, a folder of Parquet: three tables, tied as those of the CSV files are."""
    (tmp_path / "here").mkdir()
    source = make(given, tmp_path)  # type: ignore[operator]
    monkeypatch.chdir(tmp_path / "here")
    said = CliRunner().invoke(
        command, [f"../{source}", *ASKED, "--dry-run"], catch_exceptions=False
    )
    assert "features/tables/orders_history.sql" in said.output
    assert "features/tables/customers_profile.sql" in said.output
    assert "order_lines" in said.output
    assert "customers.cancel_reason is left out" in said.output
    assert list((tmp_path / "here").iterdir()) == []


def test_two_at_once(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one says so, and touches nothing."""
    monkeypatch.chdir(tmp_path)
    with alone(tmp_path):
        said = CliRunner().invoke(command, [str(given), *ASKED, "--yes"])
    assert "another `furrow init` is at work" in str(said.exception)
    assert list(tmp_path.iterdir()) == []
    with alone(tmp_path):
        pass


def test_a_kill_at_any_step(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever came next: the next init ends in the same files."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    made = tmp_path / "placed"
    made.mkdir()
    looked = look([str(given)], scratch(made) / "landed")
    texts = plan_init(made, looked, QUESTIONS["binary"], now=datetime.now(UTC)).texts
    stage(made, texts)
    place(made)
    steps: list[str] = []
    whole = shutil.copytree(made, tmp_path / "whole/project")
    bring_up(whole, lambda step: steps.append(step.what), train=False)
    assert steps == ["git init", "dvc init", "dvc add data/landed", "compile"]
    wanted = {path: text for path, text in contents(whole).items() if kept(path)}
    for last in steps[1:]:
        root = shutil.copytree(made, tmp_path / last.replace("/", "_") / "project")

        def killed(step: Step, last: str = last) -> None:
            if step.what == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            bring_up(root, killed, train=False)
        if last == "dvc add data/landed":  # a `dvc init` that left half of its folder
            (root / ".dvc/config").unlink()
        bring_up(root, lambda step: None, train=False)
        assert {path: text for path, text in contents(root).items() if kept(path)} == wanted
    bring_up(whole, lambda step: None, train=False)
    assert {path: text for path, text in contents(whole).items() if kept(path)} == wanted


def kept(path: str) -> bool:
    """What is the project's own, and no state of a tool."""
    return not path.startswith((".git/", ".dvc/tmp", ".dvc/cache", ".furrow/", "build/"))


def test_questions_at_a_terminal(given: Path, tmp_path: Path) -> None:
    """Each with its guess; a wrong answer is explained and asked again; Enter takes the guess."""
    us, them = pty.openpty()
    started = subprocess.Popen(
        [sys.executable, "-m", "furrow", "init", str(given), "--known-after", "30d", "--dry-run"],
        cwd=tmp_path, stdin=them, stdout=them, stderr=them, close_fds=True,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
    )  # fmt: skip
    os.close(them)
    try:
        said = answer(us, "What is to be predicted", "churnd")
        assert "[churned]" in said
        said = answer(us, "What is to be predicted", "")
        assert "did you mean 'churned'?" in said
        answer(us, "Of whom", "customer")
        assert "[signed_up]" in answer(us, "When is it predicted", "")
        answer(us, "What is it tested on", "2 months")
        said = answer(us, "would write", None)
        assert started.wait(60) == 0
    finally:
        started.kill()
        os.close(us)
    assert list(tmp_path.iterdir()) == []


def answer(handle: int, question: str, text: str | None) -> str:
    """Read until a question stands there, and answer it."""
    said, end = "", time.monotonic() + 300
    while f"{question}" not in said or (text is not None and not said.rstrip().endswith(":")):
        assert time.monotonic() < end, said
        if select.select([handle], [], [], 1)[0]:
            try:
                said += os.read(handle, 4096).decode(errors="replace")
            except OSError:
                break
    assert question in said
    if text is not None:
        os.write(handle, f"{text}\n".encode())
    return said
