"""The rules on rows, keys, partitions and between tables, run as SQL by DuckDB."""

# ruff: noqa: S608 - names are quoted, the rules are SQL by design, and DuckDB is shut off from the machine

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from furrow.data.check_report import Violation
from furrow.data.columns import SAMPLE, sample_rows
from furrow.data.file_periods import names_between, path_pattern, sql_name
from furrow.data.raw_tables import FILE, Raw
from furrow.time_limit import time_limit

if TYPE_CHECKING:
    from furrow.data.contract import Bounds, Contract, Coverage, Fresh, Reference, Table

__all__ = ["LONGEST", "Relations", "RuleError"]

LONGEST = 1_800
"""Seconds of processor time for the rules of a table: they are SQL of the repository's."""


class RuleError(ValueError):
    """A rule's SQL can't be run."""


@dataclass(frozen=True)
class _Fault:
    """The rows for which a condition is true break a rule.

    `show` are columns to show besides the key.
    """

    rule: str
    message: str
    where: str
    column: str = ""
    show: tuple[str, ...] = ()


@dataclass
class Relations:
    """Runs the rules; gathers what is wrong, what could not be tried, and how many were tried.

    Args:
        contract: The contract.
        raw: Its tables as read.
        as_of: What "now" is; None where nothing tells.
        land: The command that lands data, for hints; may be empty.
    """

    contract: Contract
    raw: dict[str, Raw]
    as_of: datetime | None
    land: str = ""
    violations: list[Violation] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    tried: int = 0

    def run(self) -> None:
        """Run every rule of every table.

        Raises:
            RuleError: A rule's SQL is not valid.
            TooLongError: A table's rules take longer than any rule should.
        """
        # The contract comes from the repository: its SQL sees these tables and nothing else of the
        # machine.
        config = {
            "enable_external_access": "false",
            "threads": "2",
            "autoinstall_known_extensions": "false",
        }
        with duckdb.connect(":memory:", config=config) as self._db:
            self._db.execute("SET TimeZone = 'UTC'")
            for name, raw in self.raw.items():
                self._db.register(f"__{name}", raw.rows)
                self._db.execute(f"CREATE VIEW {_q(name)} AS SELECT * FROM {_q('__' + name)}")
            self._db.execute("SET lock_configuration = true")
            for name, table in self.contract.tables.items():
                said = f"tables.{name}: its rules"
                with time_limit(LONGEST, said, interrupt=self._db.interrupt):
                    self._table(name, table)

    def _table(self, name: str, table: Table) -> None:
        if table.unique and self._can(name, "unique", set(table.unique)):
            self._unique(name, table)
        for column, reference in table.references.items():
            if self._can(name, f"reference of {column}", {column}) and self._can(
                reference.table, f"reference of {name}.{column}", {reference.column}
            ):
                self._reference(name, column, reference)
        for rule, sql in table.rules.items():
            if self._can(name, rule, set(_words(sql, table))):
                self._bad_rows(
                    name,
                    _Fault(rule, f"breaks: {sql}", f"NOT ({sql})", show=tuple(_words(sql, table))),
                )
        for column, spec in table.columns.items():
            if (
                spec.type == "timestamp"
                and self.as_of
                and self._can(name, f"future of {column}", {column})
            ):
                self._future(name, column, self.as_of)
            if spec.type == "float64" and self._can(name, f"nan of {column}", {column}):
                # pandas takes NaN for null, SQL for the largest number: what is unknown must be
                # null.
                self._bad_rows(
                    name, _Fault("nan", "is NaN instead of null", f"isnan({_q(column)})", column)
                )
        self._rows(name, table)
        if table.period:
            self._partitions(name, table, table.period)
        if table.fresh and self.as_of and self._can(name, "fresh", {table.fresh.column}):
            self._fresh(name, table.fresh, self.as_of)
        if table.covers:
            self._covers(name, table, table.covers)

    def _can(self, name: str, rule: str, needs: set[str]) -> bool:
        """Whether a rule's columns are whole; a rule that can't be tried is told."""
        lacking = sorted(needs & self.raw[name].broken)
        if lacking:
            self.not_checked.append(f"{name}: {rule} (needs {', '.join(lacking)})")
            return False
        if not self.raw[name].counts:
            self.not_checked.append(f"{name}: {rule} (no readable file)")
            return False
        self.tried += 1
        return True

    def _rows_of(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            rows: list[tuple[Any, ...]] = self._db.execute(sql).fetchall()
        except duckdb.Error as exc:
            raise RuleError(str(exc)) from exc
        return rows

    def _bad_rows(self, name: str, fault: _Fault) -> None:
        """Report the rows that break a rule."""
        relation, where = _q(name), fault.where
        try:
            files = self._rows_of(
                f"SELECT {FILE}, count(*) FROM {relation} WHERE {where} GROUP BY 1 ORDER BY 1"
            )
        except RuleError as exc:
            raise RuleError(f"tables.{name}.rules.{fault.rule}: {exc}") from exc
        if not files:
            return
        shown = dict.fromkeys(
            (*self.contract.tables[name].unique, *(fault.show or (fault.column,)))
        )
        keys = [key for key in shown if key in self.raw[name].good]
        order = ", ".join(_q(key) for key in (FILE, *keys))
        rows = self._db.sql(
            f"SELECT * FROM {relation} WHERE {where} ORDER BY {order} LIMIT {SAMPLE}"
        )
        sample = sample_rows(rows.to_arrow_table(), keys)
        count = sum(count for _, count in files)
        self.violations.append(
            Violation(
                fault.rule,
                name,
                fault.column,
                fault.message,
                count,
                tuple(f for f, _ in files),
                sample,
            )
        )

    def _unique(self, name: str, table: Table) -> None:
        keys = ", ".join(_q(key) for key in table.unique)
        bad = f"({keys}) IN (SELECT ({keys}) FROM {_q(name)} GROUP BY ALL HAVING count(*) > 1)"
        message = f"rows that share the key ({', '.join(table.unique)})"
        self._bad_rows(name, _Fault("unique", message, bad, ", ".join(table.unique)))

    def _reference(self, name: str, column: str, reference: Reference) -> None:
        there = f"SELECT {_q(reference.column)} FROM {_q(reference.table)}"
        bad = (
            f"{_q(column)} IS NOT NULL AND {_q(column)} NOT IN ({there} WHERE"
            f" {_q(reference.column)} IS NOT NULL)"
        )
        if reference.except_:
            bad += f" AND {_q(column)} NOT IN ({', '.join(map(_literal, reference.except_))})"
        total = self.raw[name].rows.num_rows
        share = self._rows_of(f"SELECT count(*) FROM {_q(name)} WHERE {bad}")[0][0] / max(total, 1)
        if share > reference.missing_share:
            bound = f"; {share:.1%} of the rows, at most {reference.missing_share:.0%} may"
            message = f"is not in {reference.to}{bound if reference.missing_share else ''}"
            self._bad_rows(name, _Fault("reference", message, bad, column))

    def _future(self, name: str, column: str, now: datetime) -> None:
        slack = self.contract.clock.slack_hours
        latest = now + timedelta(hours=slack)
        message = f"lies in the future: more than {slack:g} hours after {now.isoformat()}"
        bad = f"{_q(column)} > TIMESTAMPTZ {_literal(latest.isoformat())}"
        self._bad_rows(name, _Fault("future", message, bad, column))

    def _rows(self, name: str, table: Table) -> None:
        for file, count in self.raw[name].counts.items():
            for bounds, rule in ((table.rows, "rows"), (table.by_partition.rows, "partition_rows")):
                if rule == "partition_rows" and not table.period:
                    continue
                self.tried += 1
                if count not in bounds:
                    path = table.files.replace(f"{{{table.period}}}", file)
                    message = f"{count:,} rows, not {_between(bounds)}"
                    self.violations.append(Violation(rule, name, "", message, 1, (path,)))

    def _partitions(self, name: str, table: Table, period: str) -> None:
        there = self.raw[name].partitions
        others = {each for other, raw in self.raw.items() for each in raw.partitions
                  if self.contract.tables[other].period == period}  # fmt: skip
        self.tried += 1
        if missing := [each for each in _span(period, others) if each not in there]:
            said = f"a {period} is missing" if len(missing) == 1 else f"{period}s are missing"
            land = f"; land it: {self.land}" if self.land else ""
            message = f"{said} between {min(others)} and {max(others)}{land}"
            files = tuple(table.files.replace(f"{{{period}}}", each) for each in missing)
            self.violations.append(
                Violation("missing_partition", name, "", message, len(missing), files)
            )
        zone = _literal(self.contract.clock.timezone)
        if table.partition_by and self._can(name, "partition_by", {table.partition_by}):
            lies = sql_name(period, f"({_q(table.partition_by)} AT TIME ZONE {zone})")
            bad = (
                f"{lies} <> regexp_extract({FILE},"
                f" {_literal(path_pattern(table.files, period))}, 1)"
            )
            message = (
                f"lies in another {period} on the clocks of {self.contract.clock.timezone} than its"
                " file's"
            )
            self._bad_rows(name, _Fault("partition", message, bad, table.partition_by))
        for column, bounds in table.by_partition.null_share.items():
            if self._can(name, f"null share of {column}", {column}):
                self._share(name, "partition_null_share", column, f"{_q(column)} IS NULL", bounds)

        for label, share in table.by_partition.share.items():
            if self._can(name, f"share {label}", set(_words(share.of, table))):
                self._share(name, "partition_share", label, share.of, share)

    def _share(self, name: str, rule: str, label: str, condition: str, bounds: Bounds) -> None:
        """Report the partitions in which the share of rows that a condition holds for is out of bounds."""
        sql = (
            f"SELECT {FILE}, count(*) FILTER ({condition}) / count(*) FROM {_q(name)} GROUP BY 1"
            " ORDER BY 1"
        )
        try:
            off = [
                (str(file), float(share))
                for file, share in self._rows_of(sql)
                if share not in bounds
            ]
        except RuleError as exc:
            raise RuleError(f"tables.{name}.by_partition.share.{label}: {exc}") from exc
        if off:
            said = ", ".join(f"{share:.1%}" for _, share in off)
            what = f"{label} is null" if rule == "partition_null_share" else f"{label} is true"
            period = self.contract.tables[name].period
            message = (
                f"{what} in {said} of the {period}'s rows, not {_between(bounds, percent=True)}"
            )
            column = label if rule == "partition_null_share" else ""
            self.violations.append(
                Violation(rule, name, column, message, len(off), tuple(file for file, _ in off))
            )

    def _fresh(self, name: str, fresh: Fresh, now: datetime) -> None:
        sql = f"SELECT epoch(max({_q(fresh.column)})), max({FILE}) FROM {_q(name)}"
        ((newest, file),) = self._rows_of(sql)
        age = float("inf") if newest is None else (now.timestamp() - newest) / 3600
        if age > fresh.within_hours:
            message = (
                f"the newest is {age:.0f} hours before the end of the newest partition,"
                f" {now.isoformat()}; at most {fresh.within_hours:g} hours may be missing"
            )
            self.violations.append(Violation("fresh", name, fresh.column, message, 1, (str(file),)))

    def _covers(self, name: str, table: Table, covers: Coverage) -> None:
        """Find, by partition, the share of another table's rows for which there is no recent row of this one."""
        at = table.partition_by or (table.fresh.column if table.fresh else "")
        if not self._can(name, "covers", {*covers.by, at}) or not self._can(
            covers.table, f"covered by {name}", {*covers.by, covers.at}
        ):
            return
        keys = " AND ".join(f"o.{_q(key)} = t.{_q(key)}" for key in covers.by)
        minutes = f"INTERVAL {covers.within_hours * 60:.0f} MINUTE"
        lacking = f"t.{_q(at)} IS NULL OR o.{_q(covers.at)} - t.{_q(at)} > {minutes}"
        sql = (
            f"SELECT o.{FILE}, count(*) FILTER ({lacking}), count(*) FROM {_q(covers.table)} o ASOF"
            f" LEFT JOIN {_q(name)} t ON {keys} AND o.{_q(covers.at)} >= t.{_q(at)} GROUP BY 1"
            " ORDER BY 1"
        )
        off = [row for row in self._rows_of(sql) if row[1] > covers.missing_share * row[2]]
        if off:
            shares = ", ".join(f"{lost / rows:.1%}" for _, lost, rows in off)
            message = (
                f"{shares} of the rows of {covers.table} have none within {covers.within_hours:g}"
                f" hours before {covers.at}; at most {covers.missing_share:.0%} may"
            )
            files = tuple(file for file, _, _ in off)
            self.violations.append(
                Violation("covers", name, at, message, sum(row[1] for row in off), files)
            )


def _q(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """A text as SQL quotes it."""
    return "'" + text.replace("'", "''") + "'"


def _words(sql: str, table: Table) -> list[str]:
    """The columns that a condition names."""
    return [
        column for column in table.columns if re.search(rf"(?<!\w){re.escape(column)}(?!\w)", sql)
    ]


def _between(bounds: Bounds, *, percent: bool = False) -> str:
    least, most = (
        None if bound is None else (f"{bound:.0%}" if percent else f"{bound:,.0f}")
        for bound in (bounds.min, bounds.max)
    )
    if least and most:
        return f"{least} to {most}"
    return f"at least {least}" if least else f"at most {most}"


def _span(period: str, names: set[str]) -> list[str]:
    """Every partition from the first to the last.

    Those that there are, where one is of no day that there is.
    """
    try:
        return names_between(period, min(names), max(names)) if names else []
    except ValueError:
        return sorted(names)
