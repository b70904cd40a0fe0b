"""CI: what came of the commits that were run, each with its checks and report.

And where the other reports are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.ci.bare_hook import state
from furrow.ci.publish import read_status, runs_ci, subjects
from furrow.web.content import Field, Form, Link, Mark, Note, Page, Section, Table, Text
from furrow.web.moments import utc_minute
from furrow.web.plain_values import number

if TYPE_CHECKING:
    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["ci"]

_LISTED, _LONGEST = 50, 60_000
_KINDS = {"passed": "good", "failed": "bad", "warning": "warn", "skipped": "dim"}


def ci(site: Site, asked: Asked) -> Page:
    """The page: `?rev=` for one commit with its checks and report."""
    rev = asked.one("rev")
    commit = site.commit(rev) if rev else ""
    found = read_status(site.root, commit, limit=_LISTED)
    waiting: dict[str, Any] = state(site.root) if site.live else {}
    source = (
        "The record of this repository, which runs CI."
        if runs_ci(site.root)
        else "As Git notes say, which whoever may push notes may have written."
    )
    form = Form("ci", [Field("rev", "Commit", rev, "HEAD")])
    sections = [
        Section("", [form, *_under_way(waiting), _table(site, found)]),
        *(_one(found[0]) if commit and found else []),
        Section("Other reports", _others()),
    ]
    return Page("ci", "CI", sections, source)


def _under_way(waiting: dict[str, Any]) -> list[Block]:
    return [
        Note(f"{word}: {str(one.get('commit'))[:10]} of {one.get('branch', '?')}", "warn")
        for word in ("running", "waiting")
        for one in waiting.get(word, [])[:10]
        if isinstance(one, dict)
    ]


def _table(site: Site, found: list[dict[str, Any]]) -> Table:
    told = subjects(site.root, [str(one["commit"]) for one in found])
    rows: list[tuple[Cell, ...]] = [
        (
            Link(str(one["commit"])[:10], "ci", {"rev": str(one["commit"])}),
            utc_minute(one["started"]),
            str(one["branch"]),
            Mark("passed", "good") if one["passed"] else Mark("failed", "bad"),
            str(one["verdict"])[:200],
            number(one.get("seconds")),
            told.get(str(one["commit"])),
        )
        for one in found
    ]
    heads = ("commit", "when", "branch", "", "verdict", "seconds", "what")
    empty = (
        "CI has run no commit, as far as is known here. Next: furrow ci install BARE, or furrow ci"
    )
    return Table("commits", heads, rows, empty=empty)


def _one(line: dict[str, Any]) -> list[Section]:
    """One commit's checks, and its report as text: whoever wrote it, it commands nothing here."""
    checks = line.get("checks")
    rows = [
        (str(name), Mark(str(status), _KINDS.get(str(status), "dim")))
        for name, status in (checks.items() if isinstance(checks, dict) else ())
    ]
    parts: list[Block] = [Table("checks", ("check", "status"), rows, empty="No check is told.")]
    report = str(line.get("report") or "")
    if report:
        parts.append(Text("report.md", report[:_LONGEST]))
    return [Section(f"Commit {str(line['commit'])[:10]}", parts)]


def _others() -> list[Block]:
    return [
        Note("What the data look like:", link=Link("profile", "data", {"profile": "1"})),
        Note("What servers see:", link=Link("monitoring", "monitoring")),
        Note("As files: furrow ci --out DIR, furrow data profile, furrow monitor --html FILE"),
    ]
