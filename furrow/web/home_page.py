"""Home: what this project is, its problems and champions, what needs a person, what changed last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.features.manifest import parse
from furrow.ground.git import UnbornBranchError, current_branch
from furrow.ground.gitobjects import iso_date
from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.selection import Selection
from furrow.history.standings import standings
from furrow.layout import DVC_YAML, MANIFEST
from furrow.web.content import Facts, Link, Mark, Note, Page, Section, Table, Text
from furrow.web.local_servers import environments, not_believed, open_alarms, proposals
from furrow.web.recent_commits import recent
from furrow.web.shared_plans import plan_of_work_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.history.standings import Standing
    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["home"]

LAST = 12
_WORDS = 600
README = "README.md"


def home(site: Site, asked: Asked) -> Page:
    """The first page."""
    rev = asked.one("rev")
    try:
        commit = site.commit(rev)
    except UnbornBranchError:
        start = Note(
            "This repository has no commit yet. Next: furrow init FILES, then git commit", "warn"
        )
        return Page("home", site.name, notes=[start], lead="An empty repository.")
    state = {"rev": rev} if rev else {}
    known = standings(site.root, commit)
    problems = _problems(site, commit, state, known)
    about = Note("No gate has judged a run at this commit yet. Next: dvc repro", "dim")
    return Page(
        "home",
        site.name,
        [
            *([Section("", about_it)] if (about_it := _is(site, commit)) else []),
            Section("Problems and their champions", [problems] if problems.rows else [about]),
            Section("What needs a person", _needed(site, asked, known)),
            Section("Changed last", [_changes(site, commit)]),
        ],
        lead=f"At {rev or current_branch(site.root) or 'HEAD'}, commit {commit[:10]}.",
        data={"commit": commit},
        later=(
            None if rev or asked.on("plan") or not _plans(site) else Link("", "home", {"plan": "1"})
        ),
    )


def _problems(site: Site, commit: str, state: dict[str, str], known: Sequence[Standing]) -> Table:
    values = _values(site, commit)
    rows: list[tuple[Cell, ...]] = []
    for one in known:
        best = next((name for name, said in one.verdicts.items() if said == "champion"), "")
        low, high = one.intervals.get(best, (None, None))
        way = {1: "more is better", -1: "less is better", 0: ""}[one.way(one.metric)]
        champion: Cell = (
            Link(best, "run", {"run": f"{best}@{commit[:10]}", **state})
            if best
            else Mark("none passed", "bad")
        )
        passed = sum(said != "failed" for said in one.verdicts.values())
        value = values.get((best, one.metric))
        rows.append(
            (
                one.problem or "runs",
                champion,
                one.metric,
                value,
                low,
                high,
                way,
                f"{passed} of {len(one.verdicts)}",
            )
        )
    columns = (
        "problem",
        "champion",
        "metric",
        "value",
        "low",
        "high",
        "direction",
        "passed the gate",
    )
    return Table("problems", columns, rows)


def _values(site: Site, commit: str) -> dict[tuple[str, str], float | None]:
    answer = list_runs(site.root, Selection(commit), Query(columns=("name", "metrics"))).answer
    names = [column.name for column in answer.columns]
    return {
        (str(row[0]), names[at]): value
        for row in answer.rows
        for at, value in enumerate(row)
        if at and isinstance(value, int | float)
    }


def _needed(site: Site, asked: Asked, known: Sequence[Standing]) -> list[Note]:
    """What waits for somebody: stale stages, alarms, proposals, holds."""
    if not site.live or asked.one("rev"):
        return [
            *_failed_gates(known),
            Note(
                "Stale stages, alarms and proposals are facts of a work tree and of servers: see"
                " the live page."
            ),
        ]
    notes = [
        *_failed_gates(known),
        *(_stale(site) if asked.on("plan") else _unplanned(site)),
        *_proposals(site),
    ]
    if why := not_believed(site):
        notes.append(Note(f"Servers, holds and alarms of this machine are not shown: {why}", "bad"))
    for environment in environments(site):
        alarms = open_alarms(site, environment)
        if alarms:
            where = Link("look", "monitoring", {"environment": environment})
            notes.append(Note(f"{environment}: {len(alarms)} open alarms.", "bad", where))
    return notes or [
        Note("Nothing: stages are as declared, no alarm is open, nothing is proposed.", "good")
    ]


def _failed_gates(known: Sequence[Standing]) -> list[Note]:
    """Problems that no run may be released for."""
    return [
        Note(
            f"{one.problem or 'The gate'}: no run passed, of {len(one.verdicts)}. Next: furrow"
            " gate",
            "bad",
            Link("its runs", "runs"),
        )
        for one in known
        if one.verdicts and "champion" not in one.verdicts.values()
    ]


def _is(site: Site, commit: str) -> list[Block]:
    """What this project is: the first words of its README, and how much of what it declares."""
    texts = site.texts(commit, lambda path: path in {README, MANIFEST})
    blocks: list[Block] = []
    words = _first_words(texts.get(README, b"").decode(errors="replace"))
    if words:
        blocks.append(Text(README, words))
    try:
        manifest = parse(texts[MANIFEST], origin=MANIFEST) if MANIFEST in texts else None
    except FurrowError:
        manifest = None
    pairs: list[tuple[str, Cell]] = []
    if manifest:
        count = sum(len(view.features) for view in manifest.views.values())
        pairs = [
            ("feature views", Link(str(len(manifest.views)), "features")),
            ("features", count),
            ("feature services", ", ".join(manifest.services) or None),
        ]
    return [*blocks, Facts("project", pairs)] if pairs else blocks


def _first_words(text: str) -> str:
    """The first paragraph of a README that is no heading, badge or list."""
    for part in text[:20_000].replace("\r\n", "\n").split("\n\n"):
        plain = part.strip()
        if plain and plain[0] not in "#[!<|`-=*" and len(plain) > 20:
            return plain if len(plain) <= _WORDS else f"{plain[:_WORDS]}…"
    return ""


def _plans(site: Site) -> bool:
    return site.live and not site.bare and (site.root / DVC_YAML).is_file()


def _unplanned(site: Site) -> list[Note]:
    """Whether stages are stale takes a plan, which takes longer than a first page may."""
    if not _plans(site):
        return []
    where = Link("look for them", "home", {"plan": "1"})
    return [Note("Stale stages are not looked for yet.", link=where)]


def _stale(site: Site) -> list[Note]:
    if not _plans(site):
        return []
    try:
        plan = plan_of_work_tree(site.root)
    except FurrowError as exc:
        return [Note(f"The plan can't be made: {exc.message}", "bad")]
    where = Link("see the plan", "plan")
    stale = [stage.name for stage in plan.stages]
    broken = [
        Note(f"{one.model} no longer fits the declared features.", "bad", where)
        for one in plan.breaks
    ]
    if not stale:
        return broken
    return [
        *broken,
        Note(
            f"{len(stale)} stages are stale: {', '.join(stale[:6])}{'…' * (len(stale) > 6)}. Next:"
            " furrow apply",
            "warn",
            where,
        ),
    ]


def _proposals(site: Site) -> list[Note]:
    """Branches that Furrow proposes something on: a promotion or a retrained model."""
    where = Link("look", "models")
    return [
        Note(f"Proposed: the branch {one}. Merging it approves it.", "warn", where)
        for one in proposals(site)
    ]


def _changes(site: Site, commit: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in recent(site, commit, LAST):
        where = Link(one.oid[:10], "runs", {"rev": one.oid[:10]})
        rows.append((iso_date(one.time), one.author, one.subject, where))
    return Table("changes", ("date", "who", "what", "commit"), rows)
