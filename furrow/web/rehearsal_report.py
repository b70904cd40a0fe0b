"""A simulation with a server as one file.

Each day, what was decided, and how good the answers were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.web.content import Mark, Note, Page, Section, Table
from furrow.web.page_forms import as_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.monitoring.labelled_performance import Tracked
    from furrow.rehearsal.rehearsed_days import RehearsedDay
    from furrow.rehearsal.rehearsed_quality import Stretch
    from furrow.web.content import Cell

__all__ = ["rehearsal_report"]


def rehearsal_report(
    environment: str, days: Sequence[RehearsedDay], found: Sequence[Stretch]
) -> str:
    """The page of a simulation.

    Args:
        environment: Such as "production".
        days: All of it.
        found: How good the answers were.
    """
    sections = [
        Section("Quality", [_quality(found)]),
        *([Section("Calibration", tables)] if (tables := _calibration(found)) else []),
        Section("What happened", [_happened(days)]),
        Section("Day by day", [_by_day(days)]),
    ]
    title = (
        f"{environment} from {days[0].day} to {days[-1].day}, lived through"
        if days
        else environment
    )
    notes = [Note("A simulation: a server of its own, by a clock of its own.")]
    return as_document(Page("monitoring", title, sections, notes=notes))


def _quality(found: Sequence[Stretch]) -> Table:
    names = list(
        dict.fromkeys(one.metric for some in found for one in some.tracked if not one.slice)
    )
    rows = []
    for one in found:
        judged = [_span(one.metric(name)) for name in names]
        rows.append((one.version, one.variant, one.part, one.first, one.last, one.rows, one.labelled,
                     *judged, one.off, Mark(one.example, "code")))  # fmt: skip
    heads = ("version", "as", "the first alarm", "from", "to", "answers", "labelled", *names,
             "calibration off by", "an answer, for furrow trace")  # fmt: skip
    return Table("quality", heads, rows, empty="Nothing was answered.")


def _span(one: Tracked | None) -> str:
    if one is None:
        return ""
    if one.low is None or one.high is None:
        return f"{one.value:.4f}"
    return f"{one.value:.4f} [{one.low:.4f}, {one.high:.4f}]"


def _calibration(found: Sequence[Stretch]) -> list[Table]:
    tables = []
    for place, one in enumerate(found):
        rows = [
            (f"{one.version} ({one.variant}) {one.part}", bin_.predicted, bin_.observed, bin_.low, bin_.high, bin_.rows)
            for bin_ in one.calibration
        ]  # fmt: skip
        if rows:
            heads = ("answers of", "predicted", "observed", "low", "high", "rows")
            tables.append(Table(f"calibration-{place}", heads, rows))
    return tables


def _happened(days: Sequence[RehearsedDay]) -> Table:
    rows: list[Sequence[Cell]] = []
    for day in days:
        when = day.day.isoformat()
        rows += [
            (when, Mark("alarm", "bad"), f"{one.kind}: {one.text}")
            for one in day.found.alarms
            if one.id in day.found.fresh
        ]
        if day.retrained is not None and day.retrained.result != "waiting":
            kind = "good" if day.retrained else "warn"
            said = f"{day.retrained.result}: {day.retrained.text}"
            rows.append((when, Mark("retraining", kind), said))
        rows += [(when, Mark("merged", "good"), one) for one in day.merged]
    return Table("happened", ("day", "what", ""), rows, empty="Nothing but answers.")


def _by_day(days: Sequence[RehearsedDay]) -> Table:
    rows = [
        (one.day.isoformat(), one.serves, one.tried, one.asked, one.answered, one.labels, len(one.found.alarms))
        for one in days
    ]  # fmt: skip
    heads = ("day", "serves", "beside it", "asked", "answered", "labels came", "open alarms")
    return Table("days", heads, rows)
