"""Home: what this project is, its problems and champions, what needs a person, what changed last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import UnbornBranchError, current_branch
from furrow.ground.gitobjects import iso_date
from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.selection import Selection
from furrow.history.standings import standings
from furrow.layout import DVC_YAML
from furrow.plan.make_plan import make_plan
from furrow.web.content import Link, Mark, Note, Page, Section, Table
from furrow.web.local_servers import environments, open_alarms, proposals
from furrow.web.recent_commits import recent

if TYPE_CHECKING:
    from furrow.web.asked import Asked
    from furrow.web.content import Cell
    from furrow.web.site import Site

__all__ = ["home"]

LAST = 12


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
    problems = _problems(site, commit, state)
    about = Note("No gate has judged a run at this commit yet. Next: dvc repro", "dim")
    return Page(
        "home",
        site.name,
        [
            Section("Problems and their champions", [problems] if problems.rows else [about]),
            Section("What needs a person", _needed(site, asked)),
            Section("Changed last", [_changes(site, commit)]),
        ],
        lead=f"At {rev or current_branch(site.root) or 'HEAD'}, commit {commit[:10]}.",
        data={"commit": commit},
        later=None
        if rev or asked.on("plan") or not _plans(site)
        else Link("", "home", {"plan": "1"}),
    )


def _problems(site: Site, commit: str, state: dict[str, str]) -> Table:
    known = standings(site.root, commit)
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


def _needed(site: Site, asked: Asked) -> list[Note]:
    """What waits for somebody: stale stages, alarms, proposals, holds."""
    if not site.live or asked.one("rev"):
        return [
            Note(
                "Stale stages, alarms and proposals are facts of a work tree and of servers: see the live page."
            )
        ]
    notes = [*(_stale(site) if asked.on("plan") else _unplanned(site)), *_proposals(site)]
    for environment in environments(site):
        alarms = open_alarms(site, environment)
        if alarms:
            where = Link("look", "monitoring", {"environment": environment})
            notes.append(Note(f"{environment}: {len(alarms)} open alarms.", "bad", where))
    return notes or [
        Note("Nothing: stages are as declared, no alarm is open, nothing is proposed.", "good")
    ]


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
        plan = make_plan(site.root, local=False)
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
            f"{len(stale)} stages are stale: {', '.join(stale[:6])}{'…' * (len(stale) > 6)}. Next: furrow apply",
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
