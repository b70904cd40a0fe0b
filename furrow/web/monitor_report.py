"""A run of monitoring as one file.

The page of `furrow ui`, which needs no network and runs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.web.content import Note, Page, Section
from furrow.web.monitoring_sections import (
    alarm_table,
    label_sections,
    shift_sections,
    window_sections,
)
from furrow.web.page_forms import as_document

if TYPE_CHECKING:
    from furrow.monitoring.monitor_run import Monitored

__all__ = ["monitor_report"]


def monitor_report(environment: str, found: Monitored) -> str:
    """The page of a run of monitoring.

    Args:
        environment: Such as "production".
        found: What the run found.
    """
    count = len(found.alarms)
    state = f"{count} open alarm{'s' * (count != 1)}" if count else "no open alarm"
    notes = [Note(one, "warn") for one in found.notes]
    labels = {version: one.to_json() for version, one in found.labels.items()}
    sections = [
        *([Section("Alarms", [alarm_table(found.alarms)])] if count else []),
        *shift_sections(found.shifts),
        *window_sections(found.windows),
        *label_sections(labels),
    ]
    return as_document(
        Page("monitoring", f"Monitoring of {environment}: {state}", sections, notes=notes)
    )
