"""Holding the data against the contract: everything that is wrong, at once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from furrow.data.check_report import Report, Violation
from furrow.data.columns import check_columns
from furrow.data.contract import ContractError, digest_of
from furrow.data.file_periods import end_of
from furrow.data.plausible import implausible
from furrow.data.raw_tables import NoDataError, Raw, read_tables
from furrow.data.relations import Relations, RuleError

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.data.contract import Contract

__all__ = ["NoDataError", "Report", "Violation", "check"]


def check(
    data_dir: Path,
    contract: Contract,
    *,
    as_of: datetime | None = None,
    land: str = "",
    warn: bool = False,
) -> Report:
    """Hold a data folder against a contract.

    Args:
        data_dir: The folder.
        contract: What it must keep.
        as_of: What "now" is, aware; None: what the contract says.
        land: The command that lands data, for hints; may be empty.
        warn: Look for implausible values, too; they break nothing.

    Returns:
        A report, true when nothing is wrong; the same for the same data and contract.

    Raises:
        NoDataError: The folder holds none of the contract's files.
        ContractError: A rule's SQL can't be run.
    """
    raw = read_tables(data_dir, contract, land=land)
    now = as_of or _as_of(contract, raw)
    relations = Relations(contract, raw, now, land)
    try:
        relations.run()
    except RuleError as exc:
        raise ContractError(
            f"{exc}", path=data_dir, hint="correct the rule's SQL in the contract, then run again"
        ) from exc
    violations = [
        violation for table in raw.values() for violation in table.violations
    ] + relations.violations
    tried = relations.tried
    not_checked = list(relations.not_checked)
    for name, table in contract.tables.items():
        not_checked += [
            f"{name}: the rules on {column} alone" for column in sorted(raw[name].broken)
        ]
        found, rules = check_columns(name, table, raw[name])
        violations += found
        tried += rules
    return Report(
        violations=tuple(_ordered(violations, contract)),
        not_checked=tuple(not_checked),
        rows={name: dict(sorted(table.counts.items())) for name, table in raw.items()},
        as_of=now.isoformat() if now else "",
        rules=tried,
        warnings=implausible(raw, contract) if warn else (),
        contract=digest_of(contract),
    )


def _as_of(contract: Contract, raw: dict[str, Raw]) -> datetime | None:
    """The end of the newest partition there is a file for, or the declared time."""
    clock = contract.clock
    if isinstance(clock.as_of, datetime):
        return clock.as_of
    zone, ends = ZoneInfo(clock.timezone), []
    for name, table in contract.tables.items():
        if table.period and raw[name].partitions:
            newest = max(raw[name].partitions)
            try:
                ends.append(end_of(table.period, newest, zone))
            except ValueError as exc:
                said = f"{name}: no {table.period} is called {newest}"
                raw[name].violations.append(
                    Violation("partition_name", name, "", f"{said} ({exc})")
                )
    return max(ends, default=None)


def _ordered(violations: list[Violation], contract: Contract) -> list[Violation]:
    """By table, files first, then by column in the contract's order."""
    tables = list(contract.tables)

    def place(violation: Violation) -> tuple[int, int, str, str, str]:
        columns = list(contract.tables[violation.table].columns)
        first = violation.column.partition(",")[0]
        at = (
            columns.index(first) + 1
            if first in columns
            else (len(columns) + 1 if violation.column else 0)
        )
        return (
            tables.index(violation.table),
            at,
            violation.column,
            violation.rule,
            violation.message,
        )

    return sorted(violations, key=place)
