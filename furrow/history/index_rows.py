"""Rows of the index: what the files of a run say, as columns.

What is wrong with them, as a sentence.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from furrow.history.flatten import (
    NotAloneError,
    config_section,
    config_sections,
    flat_config,
    flat_record,
    model_family,
    record_section,
    record_sections,
)
from furrow.history.metrics_file import MetricsFileError, as_float, is_number, read_metrics
from furrow.history.runs_index import BOOLEAN, INTEGER, REAL, TABLES, TEXT
from furrow.layout import RECORD_JSON, RUN_CONFIG

if TYPE_CHECKING:
    import sqlite3

    from furrow.history.flatten import Scalar
    from furrow.history.metrics_file import Value

__all__ = ["COLUMNS", "Answer", "Rows"]

COLUMNS = 600
"""Different keys that the index keeps of metrics, and as many of configs and of records."""

Answer = tuple[str, str, bytes | None, int]
"""Id, type, content and size of an object, as `read_objects` gives them."""

ROWS = 500
MEMORY = 2_000
_READERS = {
    "config": (config_sections, config_section, flat_config, RUN_CONFIG),
    "record": (record_sections, record_section, flat_record, RECORD_JSON),
}
_BITS: dict[type, int] = {type(None): REAL, int: INTEGER, float: REAL, str: TEXT, bool: BOOLEAN}


class _Table:
    """A table whose columns are found as its rows are filled."""

    def __init__(self, name: str, fixed: tuple[str, ...]) -> None:
        self.name = name
        self.fixed = fixed
        self.numbers: list[int] = []  # of the columns, in the order of the values in a row
        self.empty: list[None] = []  # as many as there are columns
        self.rows: list[list[Any]] = []

    def flush(self, connection: sqlite3.Connection) -> None:
        """Insert the rows, each as long as the longest."""
        if not self.rows:
            return
        width = len(self.fixed) + len(self.numbers)
        for row in self.rows:
            row.extend([None] * (width - len(row)))
        names = ", ".join([*self.fixed, *(f"c{number}" for number in self.numbers)])
        marks = ", ".join("?" * width)
        connection.executemany(f"INSERT INTO {self.name} ({names}) VALUES ({marks})", self.rows)  # noqa: S608
        self.rows.clear()


class Rows:
    """New rows for the tables runs, configs and records.

    Args:
        connection: The index, inside a transaction that may write.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._runs = _Table("runs", ("id", "name", "tree", "status", "exact", "problem", "model"))
        self._configs = _Table("configs", ("id",))
        self._records = _Table("records", ("id",))
        self._places: dict[str, dict[str, int]] = {"metric": {}, "config": {}, "record": {}}
        self._types: dict[str, list[int]] = {
            "runs": [0] * len(self._runs.fixed),
            "configs": [0],
            "records": [0],
        }
        self._stored: dict[tuple[str, int], int] = {}
        self._memory: dict[str, dict[str, list[tuple[int, Scalar]]]] = {"config": {}, "record": {}}
        self._next: int = connection.execute(
            "SELECT coalesce(max(id), 0) + 1 FROM runs"
        ).fetchone()[0]
        self._next_column = 1
        self._left_out = 0
        self._torn = False
        for number, place, key, types in connection.execute(
            "SELECT id, place, key, types FROM columns ORDER BY id"
        ):
            self._place(place, key, number, types)
            self._next_column = number + 1

    def add(
        self, run: tuple[str, bytes], file: str, metrics: Answer, config: Answer, record: Answer
    ) -> int:
        """Take in one run.

        Args:
            run: Its name and the id of its folder's tree.
            file: What its metrics are called.
            metrics: What was found of them.
            config: And of config.yaml.
            record: And of record.json.

        Returns:
            The run's number in the index, 0 when the folder holds none of the files: it is no run.
        """
        if metrics[1] == config[1] == record[1] == "missing":
            return 0
        number = self._next
        self._next += 1
        problems: list[str] = []
        besides: list[str] = []
        row: list[Any] = [number, *run, "ok", None, None, None, *self._runs.empty]
        if metrics[1] == "missing":
            row[3] = "declared"
        elif (content := _content(file, metrics, problems)) is not None:
            besides = self._metrics(file, content, row, problems)
        settings: list[Any] = [number, *self._configs.empty]
        if config[1] != "missing" and (text := _text(RUN_CONFIG, config, problems)) is not None:
            self._sections("config", text, settings, problems)
            row[6] = self._family(settings)
        facts: list[Any] = [number, *self._records.empty]
        if record[1] != "missing" and (text := _text(RECORD_JSON, record, problems)) is not None:
            self._sections("record", text, facts, problems)
        if self._left_out:
            problems.append(
                f"{self._left_out:,} keys are left out: there are over {COLUMNS} different ones"
            )
            self._left_out = 0
        if self._torn:
            problems.append("a text holds half a character, which is written out")
            self._torn = False
        if problems:
            row[3] = "damaged"
        if problems or besides:
            row[5] = "; ".join([*problems, *besides])
        self._runs.rows.append(row)
        self._configs.rows.append(settings)
        self._records.rows.append(facts)
        if len(self._runs.rows) >= ROWS:
            self._write_rows()
        return number

    def _write_rows(self) -> None:
        for table in (self._runs, self._configs, self._records):
            table.flush(self._connection)

    def _metrics(self, file: str, content: bytes, row: list[Any], problems: list[str]) -> list[str]:
        """Fill in the metrics; sentences about what the file holds besides."""
        try:
            found = read_metrics(file, content)
        except MetricsFileError as exc:
            problems.append(f"{file}: {exc}")
            return []
        exact = {name: value for name, value in found.values.items() if not _storable(value)}
        values = {
            name: _nearest(value) if name in exact else value
            for name, value in found.values.items()
        }
        self._write(row, self._place_all("metric", values))
        row[4] = json.dumps(exact) if exact else None
        self._torn = self._torn or found.torn
        problems.extend(f"{file}: {fault}" for fault in found.odd)
        return [f"{file}: {what}" for what in found.left_out]

    def _sections(self, place: str, text: str, row: list[Any], problems: list[str]) -> None:
        """Fill a row from a file that is cut into sections, most of which were seen before."""
        memory = self._memory[place]
        cut, read, whole, file = _READERS[place]
        for section in cut(text):
            pairs = memory.get(section)
            if pairs is None:
                amiss = self._left_out, self._torn
                try:
                    pairs = self._place_all(place, read(section))
                except NotAloneError:
                    try:
                        pairs = self._place_all(place, whole(text))
                    except (ValueError, TypeError) as exc:
                        problems.append(f"{file}: {exc}")
                        return
                    self._write(row, pairs)
                    return
                if amiss == (self._left_out, False):
                    if len(memory) >= MEMORY:
                        memory.clear()
                    memory[section] = pairs
                self._write(row, pairs)
            else:
                for at, value in pairs:
                    row[at] = value

    def _write(self, row: list[Any], pairs: list[tuple[int, Any]]) -> None:
        """Fill a row that may be older than some of the columns; all of them fit afterwards."""
        try:
            for at, value in pairs:
                row[at] = value
        except IndexError:
            row.extend([None] * (max(at for at, _ in pairs) + 1 - len(row)))
            for at, value in pairs:
                row[at] = value

    def flush(self) -> None:
        """Write what was taken in, and what is new about columns."""
        self._write_rows()
        for place, positions in self._places.items():
            types = self._types[TABLES[place]]
            for key, at in positions.items():
                if self._stored.get((place, at)) != types[at]:
                    self._connection.execute(
                        "UPDATE columns SET types = ? WHERE place = ? AND key = ?",
                        (types[at], place, key),
                    )
                    self._stored[place, at] = types[at]

    def _place_all(self, place: str, values: dict[str, Any]) -> list[tuple[int, Any]]:
        """Where in a row each value goes.

        Columns that are new are opened, and the types of values noted.
        """
        positions, types = self._places[place], self._types[TABLES[place]]
        pairs = []
        for key, value in values.items():
            if (
                value is None and place != "metric"
            ):  # a metric that is NaN is a column of its own, too
                continue
            at = positions.get(key)
            if at is None:
                at = self._column(place, self._whole(key))
                if at is None:
                    self._left_out += 1
                    continue
            types[at] |= _BITS[type(value)]
            pairs.append(
                (at, self._whole(value) if type(value) is str and not value.isascii() else value)
            )
        return pairs

    def _whole(self, text: str) -> str:
        """Text as SQLite can hold it.

        Half of a surrogate pair, which JSON can spell, is written out.
        """
        try:
            text.encode()
        except UnicodeEncodeError:
            self._torn = True
            return text.encode(errors="backslashreplace").decode()
        return text

    def _family(self, row: list[Any]) -> str | None:
        positions = self._places["config"]
        keys = ("model", "model.name", "model._target_")
        return model_family(
            {key: row[at] for key in keys if (at := positions.get(key)) and at < len(row)}
        )

    def _column(self, place: str, key: str) -> int | None:
        """Open a column for a key that was never seen.

        Its position in a row, or None when there are too many.
        """
        table = self._table(place)
        if len(table.numbers) >= COLUMNS or len(key) > 200:
            return None
        self._write_rows()
        if key in self._places[place]:  # as another text, written out, it was seen before
            return self._places[place][key]
        number = self._next_column
        self._next_column += 1
        self._connection.execute(f"ALTER TABLE {table.name} ADD COLUMN c{number}")
        self._connection.execute("INSERT INTO columns VALUES (?, ?, ?, 0)", (number, place, key))
        return self._place(place, key, number, 0)

    def _place(self, place: str, key: str, number: int, types: int) -> int:
        table = self._table(place)
        at = len(table.fixed) + len(table.numbers)
        table.numbers.append(number)
        table.empty.append(None)
        self._places[place][key] = at
        self._types[table.name].append(types)
        self._stored[place, at] = types
        return at

    def _table(self, place: str) -> _Table:
        return {"metric": self._runs, "config": self._configs, "record": self._records}[place]


def _storable(value: Value) -> bool:
    """Whether SQLite holds a value as it is."""
    if type(value) is float:
        return value == value  # noqa: PLR0124 - NaN, told without a call
    return type(value) is not int or -(2**63) <= value < 2**63


def _nearest(value: Value) -> float | None:
    """What filters and sorting take for a value that SQLite doesn't hold: nothing for NaN."""
    number = as_float(value) if is_number(value) else math.nan
    return None if math.isnan(number) else number


def _content(file: str, answer: Answer, problems: list[str]) -> bytes | None:
    """The bytes of an object, or None and a sentence among the problems."""
    _, kind, content, size = answer
    if kind != "blob":
        problems.append(f"{file}: it is a {kind}, not a file")
    elif content is None:
        problems.append(f"{file}: it has {size:,} bytes and was not read")
    return content if kind == "blob" else None


def _text(file: str, answer: Answer, problems: list[str]) -> str | None:
    """The text of an object, or None and a sentence among the problems."""
    content = _content(file, answer, problems)
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        problems.append(f"{file}: it is binary, not text")
        return None
