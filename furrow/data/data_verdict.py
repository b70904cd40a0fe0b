"""A check's report in words, for a terminal or a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.plurals import number_of

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.data.check_report import Report, Violation

__all__ = ["verdict"]


def verdict(report: Report, *, data_dir: Path, contract: Path, land: str = "") -> str:
    """Say what is wrong, how often, where, with a few of the rows, and what to do next (`land`: what lands data)."""
    warned = "".join(f"\n\nhard to believe: {_violation(one)}" for one in report.warnings)
    if report:
        rows = sum(sum(counts.values()) for counts in report.rows.values())
        files = sum(len(counts) for counts in report.rows.values())
        return (
            f"{data_dir} keeps its contract: {number_of(report.rules, 'rule')},"
            f" {number_of(rows, 'row')} in {number_of(files, 'file')}."
            f"{warned}"
        )
    breaches = len(report.violations)
    parts = [
        f"{data_dir} breaks its contract {contract}: {breaches} violation{'s' * (breaches > 1)}."
    ]
    parts += [_violation(violation) for violation in report.violations]
    if report.not_checked:
        rules = "\n".join(f"  {rule}" for rule in report.not_checked)
        parts.append(
            "not checked, as a column or file is wanting:"
            f" {number_of(len(report.not_checked), 'rule')}\n{rules}"
        )
    lands = f"`{land}` lands what is missing or damaged, " if land else ""
    parts.append(
        f"Next: mend the data ({lands}`dvc checkout {data_dir}` brings back what was committed),"
        f" or, if the change is meant, {contract}."
    )
    return "\n\n".join(parts) + warned


def _violation(violation: Violation) -> str:
    single = violation.column and "," not in violation.column
    place = f"{violation.table}.{violation.column}" if single else violation.table
    rows = f"{violation.count:,} row{'s' * (violation.count != 1)}"
    many = f", {rows}" if violation.sample else ""
    lines = [f"{place}: {violation.rule}{many}", f"  {violation.message}"]
    if violation.files:
        more = f" and {len(violation.files) - 5} more" if len(violation.files) > 5 else ""
        lines.append(f"  in {', '.join(violation.files[:5])}{more}")
    lines += [
        "    " + "  ".join(f"{key}={_value(value)}" for key, value in row.items() if key != "file")
        for row in violation.sample
    ]
    return "\n".join(lines)


def _value(value: Any) -> str:
    return "null" if value is None else str(value).removesuffix("+00:00")
