"""What a check of the data found: violations with counts, samples and files.

The same for the same data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

__all__ = ["Report", "Violation", "plain"]


@dataclass(frozen=True)
class Violation:
    """One rule of the contract that the data break.

    Attributes:
        rule: Its name: `null`, `range`, `unique`, `month_rows`, ...
        table: The table.
        column: The column or columns; empty where the rule is about the table or a file.
        message: What is wrong, in words, with the bound or value concerned.
        count: How many rows (or, where the rule is about files or months, how many of those).
        files: The files concerned, relative to the data folder.
        sample: Up to five of the rows: the key, the columns concerned, and the file.
    """

    rule: str
    table: str
    column: str
    message: str
    count: int = 1
    files: tuple[str, ...] = ()
    sample: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Report:
    """The outcome of a check. It is true when the data keep the contract.

    Attributes:
        violations: What is wrong, by table in the contract's order.
        not_checked: Rules that could not be tried, because a column they need is missing or of
            another type.
        rows: Rows by table and file name without its ending: {"orders": {"2013-01": 27004},
            "shops": {...}}.
        as_of: What "now" was, ISO 8601 in UTC; empty where no partition told.
        rules: How many rules were tried.
        contract: The digest of the contract.
        warnings: Values that are hard to believe, where they were looked for.
    """

    violations: tuple[Violation, ...]
    not_checked: tuple[str, ...]
    rows: dict[str, dict[str, int]] = field(hash=False)
    as_of: str
    rules: int
    contract: str
    warnings: tuple[Violation, ...] = ()

    def __bool__(self) -> bool:
        """Whether the data keep the contract."""
        return not self.violations

    def to_json(self) -> dict[str, Any]:
        """The report as values that JSON can hold."""
        body = asdict(self)
        body["violations"] = [
            {**asdict(v), "files": list(v.files), "sample": list(v.sample)} for v in self.violations
        ]
        if not self.warnings:
            del body["warnings"]
        body["not_checked"] = list(self.not_checked)
        return {"format": 1, "passed": bool(self), **body}


def plain(value: Any) -> Any:
    """A value as JSON holds it: times in ISO 8601, NaN as null."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    # NaN is what differs from itself
    if isinstance(value, float) and value != value:  # noqa: PLR0124
        return None
    return value
