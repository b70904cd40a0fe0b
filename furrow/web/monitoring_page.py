"""Monitoring: what `furrow monitor` has written down.

Windows, drift by feature over time, alarms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import git
from furrow.layout import MONITORS
from furrow.web.content import Field, Form, Note, Page, Section, Table, Text
from furrow.web.local_servers import environments, monitored, not_believed, proposals
from furrow.web.monitoring_sections import alarm_table, label_sections, over_time, window_sections

if TYPE_CHECKING:
    from furrow.monitoring.monitor_state import MonitorState
    from furrow.web.asked import Asked
    from furrow.web.content import Block
    from furrow.web.site import Site

__all__ = ["monitoring"]

_LONGEST = 20_000


def monitoring(site: Site, asked: Asked) -> Page:
    """The page: `?environment=`."""
    names = environments(site)
    name = asked.one("environment") or next(iter(names), "")
    if why := not_believed(site):
        return Page("monitoring", "Monitoring", [Section("", [Note(f"Not shown: {why}", "bad")])])
    if not name:
        where = (
            "It is read where a server keeps its log"
            if site.live
            else "An exported site holds no machine's state"
        )
        declared = [
            path
            for path in site.files(site.commit(asked.one("rev")), MONITORS)
            if path.endswith(".yaml")
        ]
        about = [
            Table(
                "declared",
                ("declared",),
                [(path,) for path in declared],
                empty="No conf/monitor/ENV.yaml is declared.",
            )
        ]
        return Page(
            "monitoring", "Monitoring", [Section("", about)], f"{where}; there is none here."
        )
    if name not in names:
        return Page(
            "monitoring",
            "Monitoring",
            [Section("", [Note(f"No server of {name[:80]} has its state here.", "warn")])],
        )
    options = [(one, one) for one in names]
    form = Form("monitoring", [Field("environment", "Environment", name, options=options)])
    try:
        state = monitored(site, name)
        sections = _sections(site, name, state)
    except (FurrowError, KeyError, TypeError, ValueError, AttributeError) as exc:
        note = Note(f"What monitoring has written down can't be read: {exc}", "bad")
        return Page("monitoring", f"Monitoring of {name}", [Section("", [form, note])])
    alarms = [one for one in state.book.alarms if one.open]
    health = (
        Note(f"{len(alarms)} open alarms.", "bad") if alarms else Note("No open alarm.", "good")
    )
    late = [
        Note(
            f"{one.rows:,} predictions of {version} came too late to be watched: from"
            f" {one.first[:16]} to {one.last[:16]}.",
            "warn",
        )
        for version, one in sorted((state.arrivals.late or {}).items())
    ]
    through = f"Looked at until {state.through}." if state.through else "No window has ended yet."
    command = Text("look again", f"furrow monitor {name}")
    return Page(
        "monitoring",
        f"Monitoring of {name}",
        [Section("", [form, health, *late]), *sections, Section("Next", [command])],
        through,
    )


def _sections(site: Site, name: str, state: MonitorState) -> list[Section]:
    alarms = [alarm_table(state.book.alarms), *_proposed(site, name)]
    return [
        Section("Alarms and proposals", alarms),
        *window_sections(state.history),
        Section("Performance over time, by late labels", _performance(state)),
        *label_sections(state.labels),
        Section("Muted", [_mutes(state)]),
    ]


def _performance(state: MonitorState) -> list[Block]:
    return over_time(state.performance) or [
        Note("Labels have not come in two runs of monitoring yet. Next: furrow labels land")
    ]


def _proposed(site: Site, environment: str) -> list[Block]:
    """Branches that wait for a person, each with the evidence that its commit gives."""
    found: list[Block] = []
    for name in proposals(site):
        if environment not in name.split("/"):
            continue
        said = git(site.root, "log", "-1", "--format=%B", "--end-of-options", name, "--")
        found += [
            Note(f"Proposed: {name}. Merging it approves it: git merge --no-ff {name}", "warn"),
            Text(f"evidence of {name}", said.decode(errors="replace")[:_LONGEST]),
        ]
    return found


def _mutes(state: MonitorState) -> Table:
    rows = [
        (one.kind, one.subject, one.until, one.who, one.why or None) for one in state.book.mutes
    ]
    return Table("mutes", ("kind", "about", "until", "who", "why"), rows, empty="Nothing is muted.")
