"""The report as Markdown: fits a pull-request comment, whatever the number of experiments.

The verdict comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.ci.what_to_do import what_to_do
from furrow.safe_text import markdown_code as code
from furrow.safe_text import markdown_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from furrow.ci.outcome import Measure, Outcome, RunReport

__all__ = ["LIMIT", "change", "importance", "markdown", "number", "reality", "seconds", "span"]

LIMIT = 65_536
"""What a pull-request comment may hold: counted in bytes of UTF-8, the strictest way to count."""
_RESERVE = 900
WORDS = {
    "better": "better",
    "worse": "worse",
    "luck": "may be luck",
    "same": "the same",
    "new": "new",
    "untested": "not tested",
}
SIGNS = {"passed": "✅", "warning": "⚠️", "failed": "❌", "skipped": "➖"}


def number(value: float | None) -> str:
    """A metric for a person."""
    return "–" if value is None else f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"


def span(value: tuple[float, float] | None) -> str:
    """An interval for a person; empty when there is none."""
    return "" if value is None else f"{value[0]:.4f} to {value[1]:.4f}"


def change(one: Measure) -> str:
    """How much a metric changed, with the interval of that: +0.0206 [0.0156, 0.0256].

    Empty where nothing is compared.

    Args:
        one: The metric before and here.
    """
    if one.before is None or one.after is None:
        return ""
    return f"{one.after - one.before:+.4f}" + (
        f" [{one.span[0]:.4f}, {one.span[1]:.4f}]" if one.span else ""
    )


def seconds(value: float | None) -> str:
    """A duration for a person."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60} s"
        if whole < 3600
        else f"{whole // 3600} h {whole % 3600 // 60} min"
    )


def reality(measure: Measure) -> str:
    """Whether a difference is real, in words."""
    return WORDS.get(measure.verdict, measure.verdict)


def importance(run: RunReport) -> tuple[int, int, str]:
    """What to show first: the champion, what got worse, what is new or changed.

    The rest by name.
    """
    worse = any(one.verdict == "worse" for one in run.measures[:1])
    rank = (
        0
        if run.champion
        else 1
        if worse
        else {"new": 2, "changed": 3, "gone": 4}.get(run.status, 5)
    )
    return (rank, 0 if run.passed is False else 1, run.experiment)


@dataclass(frozen=True)
class _Section:
    """A part of the report that may be cut after any line.

    Attributes:
        head: Lines that come with the first one of the body.
        body: Lines, the most important first.
        what: What a line is, for the words that tell how many are left out.
        share: At most this share of the limit.
    """

    head: tuple[str, ...]
    body: tuple[str, ...]
    what: str = "lines"
    share: float = 1.0


def markdown(outcome: Outcome, *, limit: int = LIMIT) -> str:
    """The report of an outcome.

    Args:
        outcome: What CI found.
        limit: The most bytes that it may have.
    """
    room = limit - _RESERVE
    parts: list[str] = []
    for section in _sections(outcome):
        text, cut = _fit(section, min(room, int(limit * section.share)))
        if cut:
            text += f"\n\n_and {cut:,} more {section.what}: report.html has them all_"
        if text:
            parts.append(text)
            room -= len(text.encode()) + 2
    return "\n\n".join(parts) + "\n"


def _fit(section: _Section, room: int) -> tuple[str, int]:
    """As many lines of a section as there is room for, and how many are left out."""
    if not section.body:
        return "", 0
    lines = list(section.head)
    used = sum(len(line.encode()) + 1 for line in lines) + 100
    for place, line in enumerate(section.body):
        used += len(line.encode()) + 1
        if used > room:
            return ("\n".join(lines) if place else ""), len(section.body) - place
        lines.append(line)
    return "\n".join(lines), 0


def _sections(outcome: Outcome) -> Iterable[_Section]:
    yield _Section((), _top(outcome))
    steps = tuple(f"- {_ticked(step)}" for step in what_to_do(outcome))
    yield _Section(("### What to do", ""), steps, "steps", 0.1)
    yield _Section(
        ("| | check | finding | time |", "|---|---|---|---:|"),
        tuple(_checks(outcome)),
        "checks",
        0.3,
    )
    yield _Section(("### What failed", ""), tuple(_details(outcome)), "lines", 0.3)
    runs = sorted(outcome.runs, key=importance)
    head = "| experiment | | metric | {} | here | change, 95 % | is it real? |".format(
        code(outcome.target) if outcome.target else "before"
    )
    yield _Section(
        ("### Metrics", "", head, "|---|---|---|---:|---:|---:|---|"),
        tuple(_metrics(runs)),
        "rows of metrics",
        0.45,
    )
    methods = dict.fromkeys(run.method for run in runs if run.method)
    lines = tuple(f"- {code(method)}" for method in methods)
    yield _Section(("How the differences were tested:", ""), lines, "ways to test", 0.05)
    for kind in ("data", "features", "config", "code"):
        lines = outcome.changes.get(kind, ())
        yield _Section(
            (f"### What changed in {kind}", ""),
            tuple(f"- {code(line)}" for line in lines),
            "changes",
            0.08,
        )
    yield _Section(
        (
            "### Replay",
            "",
            "| experiment | verdict | stages | why | time |",
            "|---|---|---:|---|---:|",
        ),
        tuple(
            f"| {code(one.experiment)} | {one.status} | {one.stages} | {_joined(one.reasons)} "
            f"| {seconds(one.seconds)} |"
            for one in sorted(
                outcome.replays, key=lambda one: (one.status == "identical", one.experiment)
            )
        ),
        "replays",
        0.12,
    )
    slices = [line for run in runs[:1] for line in _slices(run)]
    yield _Section(
        (f"### Slices of {code(runs[0].experiment)}" if runs else "", "",
         "| slice | rows | metric | before | here | 95 % |", "|---|---:|---|---:|---:|---|"),
        tuple(slices), "slices", 0.15,
    )  # fmt: skip
    yield _Section(
        ("### Stages", "", "| stage | | why | time |", "|---|---|---|---:|"),
        tuple(
            f"| {code(one.name)} | {one.action} | {_joined(one.why)} | {seconds(one.seconds)} |"
            for one in sorted(outcome.stages, key=lambda one: -(one.seconds or 0))
        ),
        "stages",
        0.12,
    )
    yield _Section((), (_foot(outcome),))


def _joined(words: Sequence[str]) -> str:
    return "; ".join(code(word) for word in words[:3]) + (
        f" and {len(words) - 3} more" if len(words) > 3 else ""
    )


def _top(outcome: Outcome) -> tuple[str, ...]:
    sign = "✅" if outcome else "❌"
    lines = [f"## {sign} Furrow: {outcome.verdict}", ""]
    words = (
        f"{code(outcome.commit[:10])} {code(outcome.subject)}"
        if outcome.subject
        else code(outcome.commit[:10])
    )
    if outcome.base:
        words += f" against {code(outcome.target)} at {code(outcome.base[:10])}"
    lines.append(f"{words}. {_champion(outcome)}".strip())
    if outcome.offered:
        lines += [
            "",
            (
                "The stages had not been run. CI ran them; the results are commit"
                f" {code(outcome.offered[:10])}."
            ),
        ]
    if outcome.untrusted:
        lines += [
            "",
            (
                "Run as a branch from outside:"
                f" {markdown_text(outcome.isolation or 'no credentials')}, nothing pushed."
            ),
        ]
    return tuple(lines)


def _ticked(step: str) -> str:
    """A step as Markdown: what stands between backticks is code, the rest is text."""
    parts = step.split("`")
    return "".join(
        code(part) if at % 2 else markdown_text(part) for at, part in enumerate(parts) if part
    )


def _champion(outcome: Outcome) -> str:
    for run in outcome.runs:
        if run.champion and run.measures:
            first = run.measures[0]
            words = f"Champion: {code(run.experiment)}, {code(first.metric)} {number(first.after)}"
            if first.before is not None and first.verdict not in {"same", "untested", "new"}:
                words += f" (before {number(first.before)}: {reality(first)})"
            return f"{words}."
    return ""


def _checks(outcome: Outcome) -> Iterable[str]:
    for check in outcome.checks:
        yield (
            f"| {SIGNS[check.status]} | {markdown_text(check.name)} | {code(check.text)} |"
            f" {seconds(check.seconds)} |"
        )


def _details(outcome: Outcome) -> Iterable[str]:
    for check in outcome.checks:
        if check.status in {"failed", "warning"}:
            for line in check.details:
                yield f"- {markdown_text(check.name)}: {code(line)}"


def _metrics(runs: Iterable[RunReport]) -> Iterable[str]:
    """The first metric of every run before the second of any.

    What is cut is the least important.
    """
    ordered = list(runs)
    deep = [run for run in ordered if run.champion or run.status in {"new", "changed"}][:8]
    for run in deep:
        yield from (_metric(run, one) for one in run.measures)
    for run in ordered:
        if run not in deep:
            yield from (_metric(run, one) for one in run.measures[:1])


def _metric(run: RunReport, one: Measure) -> str:
    name = code(run.experiment) + (" **champion**" if run.champion else "")
    before = number(one.before) + (f" ({span(one.before_span)})" if one.before_span else "")
    after = number(one.after) + (f" ({span(one.after_span)})" if one.after_span else "")
    gate = " failed the gate" if run.passed is False else ""
    return (
        f"| {name} | {run.status}{gate} | {code(one.metric)} | {before} | {after} | {change(one)} "
        f"| {reality(one)} |"
    )


def _slices(run: RunReport) -> Iterable[str]:
    for one in run.slices:
        where = code(f"{one.name}={one.value}")
        yield (
            f"| {where} | {one.rows:,} | {code(one.metric)} | {number(one.before)} |"
            f" {number(one.after)} | {span(one.after_span)} |"
        )


def _foot(outcome: Outcome) -> str:
    place = " ".join(
        filter(
            None,
            ["Furrow", outcome.furrow, f"on {code(outcome.machine)}" if outcome.machine else ""],
        )
    )
    return f"_{place}, {outcome.started}, {seconds(outcome.seconds)}_"
