"""Monitoring: what `furrow monitor` has written down: windows, drift by feature over time, alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.drawing.charts import lines
from furrow.errors import FurrowError
from furrow.layout import MONITORS
from furrow.web.content import Drawing, Field, Form, Link, Mark, Note, Page, Section, Table, Text
from furrow.web.local_servers import environments, monitored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.monitoring.monitor_state import MonitorState
    from furrow.web.asked import Asked
    from furrow.web.content import Block
    from furrow.web.site import Site

__all__ = ["monitoring"]

_DRAWN, _LISTED = 60, 200


def monitoring(site: Site, asked: Asked) -> Page:
    """The page: `?environment=`."""
    names = environments(site)
    name = asked.one("environment") or next(iter(names), "")
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
        sections = _sections(state)
    except (FurrowError, KeyError, TypeError, ValueError, AttributeError) as exc:
        note = Note(f"What monitoring has written down can't be read: {exc}", "bad")
        return Page("monitoring", f"Monitoring of {name}", [Section("", [form, note])])
    alarms = [one for one in state.book.alarms if one.open]
    health = (
        Note(f"{len(alarms)} open alarms.", "bad") if alarms else Note("No open alarm.", "good")
    )
    through = f"Looked at until {state.through}." if state.through else "It never ran."
    command = Text("look again", f"furrow monitor {name}")
    return Page(
        "monitoring",
        f"Monitoring of {name}",
        [Section("", [form, health]), *sections, Section("Next", [command])],
        through,
    )


def _sections(state: MonitorState) -> list[Section]:
    return [
        Section("Alarms", [_alarms(state)]),
        Section("Predictions by window", _windows(state.history)),
        Section("Drift by feature", [_drift(state.history)]),
        Section("Muted", [_mutes(state)]),
    ]


def _alarms(state: MonitorState) -> Table:
    ordered = sorted(state.book.alarms, key=lambda one: (not one.open, one.since))
    rows = [
        (Mark("open", "bad") if one.open else Mark("closed", "dim"), one.kind, one.subject, one.model,
         one.since, one.text, one.acknowledged or None, Mark(one.id, "code"))
        for one in ordered[:_LISTED]
    ]  # fmt: skip
    heads = ("state", "kind", "about", "version", "since", "what", "seen by", "id")
    return Table("alarms", heads, rows, empty="No alarm was ever raised.", total=len(ordered))


def _windows(history: Sequence[dict[str, Any]]) -> list[Block]:
    blocks: list[Block] = []
    for version in sorted({str(one["version"]) for one in history}):
        some = [one for one in history if str(one["version"]) == version][-_DRAWN:]
        step = max(1, len(some) // 8)
        names = [str(one["window"])[5:10] if at % step == 0 else "" for at, one in enumerate(some)]
        counts = [float(one["rows"]) for one in some]
        rows = [
            (
                str(one["window"])[:16],
                int(one["rows"]),
                one.get("latency_ms"),
                one.get("evidence"),
                ", ".join(one.get("drifted") or ()) or None,
            )
            for one in some
        ]
        table = Table(
            f"windows-{version}",
            ("window", "predictions", "ms", "evidence of drift", "drifted"),
            rows,
        )
        title = f"Predictions of {version} by window"
        where = Note(
            f"Version {version}:", link=Link("its evidence", "models", {"version": version})
        )
        blocks += [
            where,
            Drawing(
                title, lines(names, counts, text=lambda value: f"{value:,.0f}", title=title), table
            ),
            table,
        ]
    return blocks or [Note("No window has ended yet.")]


def _drift(history: Sequence[dict[str, Any]]) -> Table:
    """How often each feature drifted, and when last."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in history:
        for feature in one.get("drifted") or ():
            found.setdefault((str(feature), str(one["version"])), []).append(
                str(one["window"])[:16]
            )
    rows = [
        (feature, version, len(when), when[0], when[-1])
        for (feature, version), when in found.items()
    ]
    rows.sort(key=lambda one: (-one[2], one[0]))
    return Table(
        "drift",
        ("feature", "version", "windows", "first", "last"),
        rows,
        empty="No feature drifted.",
    )


def _mutes(state: MonitorState) -> Table:
    rows = [
        (one.kind, one.subject, one.until, one.who, one.why or None) for one in state.book.mutes
    ]
    return Table("mutes", ("kind", "about", "until", "who", "why"), rows, empty="Nothing is muted.")
