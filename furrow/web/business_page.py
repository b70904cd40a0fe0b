"""For the business: what each model is for, how good it was, what it cost, who answers for it.

One page that prints.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.governance.owners import owners_at
from furrow.ground.git import show
from furrow.ground.gitobjects import iso_date
from furrow.history.named_run import run as load_run
from furrow.layout import CHAMPION, problem_yaml
from furrow.layout import run as run_folder
from furrow.models.deployment import current
from furrow.models.registry import versions
from furrow.parse import ParseError, parse_yaml
from furrow.training.champions import read_champions
from furrow.training.metric_registry import direction
from furrow.web.business_figures import cost_blocks, lately, month_before
from furrow.web.business_words import declared_limits, declared_purpose
from furrow.web.content import Facts, Note, Page, Section, Table
from furrow.web.local_servers import environments, open_alarms, proposals
from furrow.web.models_page import declared_environments
from furrow.web.recent_commits import recent

if TYPE_CHECKING:
    from furrow.history.load import Run
    from furrow.training.champions import Champion
    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["GLOSSARY", "business"]

GLOSSARY = (
    ("model", "A rule learned from past cases, like a clerk who has seen thousands of files."),
    (
        "champion",
        "The model that passed the exam and did best in it: the one that may be put to work.",
    ),
    (
        "gate",
        "The exam: what a model must reach before it may be used. No one can skip it quietly.",
    ),
    (
        "baseline",
        "What one gets without any model, by always giving the usual answer. A model must beat it.",
    ),
    ("interval", "How far a figure could be off by chance, as with a poll of a thousand people."),
    (
        "drift",
        (
            "The world has changed since the model learned: new customers, new prices, a broken"
            " sensor."
        ),
    ),
    ("alarm", "Something a person should look at; each tells since when and why."),
    ("canary", "A new version that answers a small part of the questions first, like a taster."),
    ("rollback", "Going back to the version before, at once."),
    ("replay", "Doing the whole work again from the records, to see that the result is the same."),
)
"""Words, in plain ones."""

_DIRECTIONS = {"maximize": "more is better", "minimize": "less is better"}


def business(site: Site, asked: Asked) -> Page:
    """The page."""
    commit = site.commit(asked.one("rev"))
    try:
        champions = read_champions(show(site.root, commit, CHAMPION))
    except FurrowError as exc:
        return Page(
            "business", "For the business", [Section("", [Note(exc.message, "bad")])], printed=True
        )
    sections = [
        *(
            Section(name or "The model", _problem(site, commit, one))
            for name, one in champions.items()
        ),
        Section("Waiting for a decision", _waiting(site)),
        Section("What it cost", cost_blocks(site, commit)),
        Section("Words", [Table("words", ("word", "what it means"), GLOSSARY, raw=True)]),
    ]
    if not champions:
        sections.insert(0, Section("", [Note("No model has been examined yet.")]))
    when = iso_date(_moment(site, commit))[:10]
    lead = f"State of {when}, in {len(champions)} tasks. Every figure is from the records."
    return Page("business", f"{site.name}: models at work", sections, lead, printed=True)


def _moment(site: Site, commit: str) -> int:
    return recent(site, commit, 1)[0].time


def _problem(site: Site, commit: str, one: Champion) -> list[Block]:
    declared = _declared(site, commit, one.problem)
    if not one.experiment:
        return [Note("No model passed the exam: none should be put to work.", "bad"), _tried(one)]
    value = (one.metrics or {}).get(one.metric)
    run = _run(site, commit, one.experiment)
    span, baseline = _span(run, one.metric), _baseline(site, commit, one)
    pairs: list[tuple[str, Cell]] = [
        ("what it tells", _about(declared, one)),
        *declared_purpose(site, commit, one.problem),
        ("known afterwards within", str(declared.get("known_after") or "") or None),
        ("model at the top", one.experiment),
        ("what it is", str(_read(run, "config").get("description") or "") or None),
        (f"how good: {one.metric}", value),
        ("which way is better", _DIRECTIONS.get(direction(one.metric, one.directions))),
        ("could be off by chance", f"{span[0]:.4g} to {span[1]:.4g}" if span else None),
        ("what it is held against", baseline),
        ("gained over that", _gain(value, baseline, one)),
        ("compared with a month before", _before(site, commit, one)),
        *lately(site, _serving(site, commit, one.experiment)),
        (
            "examined",
            (
                f"{len(one.verdicts)} candidates,"
                f" {sum(bool(said.get('passed')) for said in one.verdicts.values())} passed"
            ),
        ),
        ("at work in", ", ".join(_serving(site, commit, one.experiment)) or "nowhere yet"),
        ("answers for it", _owner(site, commit, one)),
    ]
    known = [pair for pair in pairs if pair[1] is not None]
    return [Facts(f"problem-{one.problem or 'model'}", known), *_risks(one),
            *declared_limits(site, commit, one.problem)]  # fmt: skip


def _declared(site: Site, commit: str, problem: str) -> dict[str, Any]:
    content = (
        show(site.root, commit, problem_yaml(problem)) if problem and "/" not in problem else None
    )
    try:
        value = parse_yaml(content) if content else {}
    except ParseError:
        return {}
    return value if isinstance(value, dict) else {}


def _about(declared: dict[str, Any], one: Champion) -> str:
    entity = declared.get("entity")
    about = f" of each {', '.join(map(str, entity))}" if isinstance(entity, list) else ""
    return f"{declared.get('label') or one.problem or 'the label'}{about}"


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _run(site: Site, commit: str, name: str) -> Run | None:
    """A run of the commit; None where it has none by this name."""
    try:
        return load_run(name, commit, repo=site.root)
    except FurrowError:
        return None


def _read(run: Run | None, what: str) -> dict[str, Any]:
    """A part of a run; nothing where it can't be read."""
    try:
        return dict(getattr(run, what)) if run else {}
    except FurrowError:
        return {}


def _span(run: Run | None, metric: str) -> tuple[float, float] | None:
    said = _read(run, "intervals").get(metric)
    low, high = (
        (_number(said.get("low")), _number(said.get("high")))
        if isinstance(said, dict)
        else (None, None)
    )
    return (low, high) if low is not None and high is not None else None


def _baseline(site: Site, commit: str, one: Champion) -> float | None:
    """The same metric of the run that the gate holds candidates against.

    None where it names none.
    """
    margin = one.gate.get("margin")
    over = margin.get("over") if isinstance(margin, dict) else None
    if not isinstance(over, str) or not over:
        return None
    return _number(_read(_run(site, commit, over), "metrics").get(one.metric))


def _gain(value: Any, baseline: float | None, one: Champion) -> str | None:
    number = _number(value)
    if number is None or not baseline:
        return None
    way = {"maximize": 1, "minimize": -1}.get(direction(one.metric, one.directions), 0)
    return f"{way * (number - baseline) / abs(baseline):+.0%}" if way else None


def _serving(site: Site, commit: str, name: str) -> list[str]:
    found = []
    for environment in declared_environments(site, commit):
        try:
            if (current(site.root, environment, commit) or "").rpartition("@")[0] == name:
                found.append(environment)
        except FurrowError:
            continue
    return found


def _owner(site: Site, commit: str, one: Champion) -> str | None:
    """Who is declared; else who registered its newest version; else who last committed the run."""
    name = str(one.experiment)
    try:
        declared = owners_at(site.root, commit).of("problems", one.problem).owner
    except FurrowError:
        declared = ""
    if declared:
        return declared
    registered = [each.by for each in versions(site.root, name) if each.by]
    if registered:
        return registered[0]
    last = recent(site, commit, 1, run_folder(name))
    return last[0].author if last else None


def _before(site: Site, commit: str, one: Champion) -> str | None:
    """The champion's figure as it was a month before the commit, and which way it went."""
    found = month_before(site, commit, one.problem)
    now = _number((one.metrics or {}).get(one.metric))
    if found is None or now is None:
        return None
    value = _number((found.metrics or {}).get(one.metric))
    if value is None or found.metric != one.metric:
        return None
    way = {"maximize": 1, "minimize": -1}.get(direction(one.metric, one.directions), 0)
    moved = way * (now - value)
    said = "the same" if now == value else "better" if moved > 0 else "worse" if way else "other"
    return f"{said}: it was {value:.4g}, of {found.experiment}"


def _risks(one: Champion) -> list[Block]:
    said = one.verdicts.get(str(one.experiment), {})
    return [Note(f"Risk: {_failure(each)}", "warn") for each in said.get("failures") or ()]


def _failure(said: Any) -> str:
    """Why a candidate did not pass, in words."""
    if not isinstance(said, dict):
        return str(said)
    rest = ", ".join(
        f"{key.replace('_', ' ')} {value}" for key, value in said.items() if key != "rule"
    )
    return f"{said.get('rule', 'a rule')}: {rest}"


def _tried(one: Champion) -> Table:
    rows = [
        (name, "; ".join(map(_failure, said.get("failures") or ())))
        for name, said in one.verdicts.items()
    ]
    return Table(f"tried-{one.problem or 'model'}", ("candidate", "why it did not pass"), rows)


def _waiting(site: Site) -> list[Block]:
    if not site.live:
        return [Note("What waits is a fact of the day: see the live page.")]
    notes: list[Block] = [
        Note(f"A new version is proposed: {name}. Somebody has to say yes or no.", "warn")
        for name in proposals(site)
    ]
    for name in environments(site):
        count = len(open_alarms(site, name))
        if count:
            notes.append(Note(f"{name}: {count} alarms are open.", "bad"))
    return notes or [Note("Nothing.", "good")]
