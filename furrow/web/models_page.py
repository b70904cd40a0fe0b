"""Models and deployments.

Versions with their evidence, what serves where, canaries, promotions and rollbacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.layout import DEPLOYMENT, run_file
from furrow.layout import run as run_folder
from furrow.models.deployment import current, history
from furrow.models.register import refusal, replay_holds
from furrow.models.registry import find, shown_metrics, versions
from furrow.serving.environment_facts import facts
from furrow.web.content import Facts, Link, Mark, Note, Page, Section, Table, Text
from furrow.web.local_servers import environments, proposals
from furrow.web.moments import utc_minute
from furrow.web.release_evidence import canary_evidence, gate_evidence, traffic

if TYPE_CHECKING:
    from furrow.models.registry import Version
    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["declared_environments", "models"]

_CHANGES = 50
_CARD = 60_000


def models(site: Site, asked: Asked) -> Page:
    """The page: `?version=NAME@vX.Y.Z` for one of them."""
    commit = site.commit(asked.one("rev"))
    if asked.one("version"):
        return _version(site, commit, asked.one("version"))
    declared = declared_environments(site, commit)
    serves: dict[str, list[str]] = {}
    problems: list[Note] = []
    for name in declared:
        try:
            serves.setdefault(current(site.root, name, commit) or "", []).append(name)
        except FurrowError as exc:
            problems.append(Note(exc.message, "bad"))
    sections = [
        Section("What serves where", _environments(site, commit, declared)),
        Section("Waiting for a decision", _proposed(site)),
        Section("Versions", [_versions(site, serves)]),
        Section("Promotions and rollbacks", [_history(site, commit)]),
        Section("To change what is served", [Text("commands", _commands())]),
    ]
    kept = [one for one in sections if one.blocks]
    return Page(
        "models",
        "Models and deployments",
        kept,
        "Approval is a merge; this page changes nothing.",
        problems,
    )


def declared_environments(site: Site, commit: str) -> list[str]:
    """Environments that a commit declares."""
    return [
        path.rpartition("/")[2].removesuffix(".yaml")
        for path in site.files(commit, DEPLOYMENT)
        if path.endswith(".yaml")
    ]


def _environments(site: Site, commit: str, declared: list[str]) -> list[Block]:
    names = sorted({*declared, *environments(site)})
    if not names:
        return [
            Note(
                "Nothing is declared to be served yet. Next: furrow models promote VERSION --to"
                " production"
            )
        ]
    rows: list[tuple[Cell, ...]] = []
    blocks: list[Block] = []
    for name in names:
        here = facts(site.root, name) if site.live and not site.bare else {}
        try:
            meant = current(site.root, name, commit)
        except FurrowError:
            meant = None
        version: Cell = (
            Link(meant, "models", {"version": meant})
            if meant
            else Mark("nothing that can be read", "warn")
        )
        at: tuple[Cell, ...] = tuple(
            here.get(key) or None
            for key in ("serves", "canary", "shadow", "held", "asked", "not_served")
        )
        rows.append((name, version, *at))
        blocks += [*canary_evidence(site, commit, name), *traffic(site, name)]
    heads = (
        "environment",
        "declared",
        "served here",
        "canary",
        "shadow",
        "hold",
        "Git answered",
        "not served because",
    )
    return [Table("environments", heads, rows), *blocks]


def _proposed(site: Site) -> list[Block]:
    if not site.live:
        return []
    rows = [
        (Mark(name, "code"), f"git log -p HEAD..{name}", f"git merge --no-ff {name}")
        for name in proposals(site)
    ]
    return [
        Table(
            "proposals",
            ("branch", "look at it", "approve it"),
            rows,
            empty="Nothing is proposed.",
            raw=True,
        )
    ]


def _versions(site: Site, serves: dict[str, list[str]]) -> Table:
    found = versions(site.root)
    shown = shown_metrics(found)
    rows: list[tuple[Cell, ...]] = [
        (
            Link(str(one), "models", {"version": str(one)}),
            *(one.metrics.get(name) for name in shown),
            str(one.facts.get("service") or "") or None,
            Link(one.commit[:10], "run", {"run": f"{one.name}@{one.commit[:10]}"}),
            one.registered or None,
            one.by or None,
            ", ".join(serves.get(str(one), ())) or None,
        )
        for one in found
    ]
    columns = ("version", *shown, "features", "commit", "registered date", "by", "serves")
    return Table(
        "versions",
        columns,
        rows,
        empty="No version is registered yet. Next: furrow models register",
    )


def _history(site: Site, commit: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in history(site.root, rev=commit):
        if len(rows) == _CHANGES:
            break
        who, before = one.who.partition(" <")[0], one.before or "nothing"
        rows.append((utc_minute(one.when), who, one.environment, before, one.after or "nothing",
                     Mark(one.commit[:10], "code"), one.why, one.evidence))  # fmt: skip
    return Table(
        "changes",
        ("when", "who", "where", "from", "to", "commit", "why", "evidence"),
        rows,
        empty="Nothing has been deployed yet.",
    )


def _commands() -> str:
    return (
        "furrow models register                          make a version of the champion\n"
        "furrow models promote VERSION --to production   a branch to review and merge\n"
        "furrow models rollback production               go back, in Git\n"
        "furrow rollback production                      go back on the server's machine, at once"
    )


def _version(site: Site, commit: str, text: str) -> Page:
    found = find(site.root, text)
    refused = refusal(site.root, found)
    serving = [
        name
        for name in declared_environments(site, commit)
        if current(site.root, name, commit) == str(found)
    ]
    pairs: list[tuple[str, Cell]] = [
        ("commit", Link(found.commit[:10], "run", {"run": f"{found.name}@{found.commit[:10]}"})),
        ("registered", f"{found.registered} by {found.by}" if found.registered else None),
        ("gate", Mark(refused, "bad") if refused else Mark("passed", "good")),
        ("replayed", Mark("yes", "good") if replay_holds(site.root, found) else Mark("no", "dim")),
        ("serves", ", ".join(serving) or "nothing"),
        *(
            (key, str(value))
            for key, value in sorted(found.facts.items())
            if key not in {"metrics", "experiment"}
        ),
    ]
    notes = [
        Note(f"The tag claims another {key} than the commit bears out.", "bad")
        for key in found.invented
    ]
    metrics = Table(
        "metrics",
        ("metric", "value"),
        list(found.metrics.items()),
        empty="The commit records none.",
    )
    sections = [
        Section("", [Facts("version", pairs)]),
        Section("Metrics", [metrics]),
        Section("What the gate asked", gate_evidence(site, found)),
        *_card(site, found),
    ]
    promote = f"furrow models promote {found} --to production\nfurrow models get {found} --out DIR"
    return Page(
        "models",
        str(found),
        [*sections, Section("Next", [Text("commands", promote)])],
        "A registered version.",
        notes,
    )


def _card(site: Site, found: Version) -> list[Section]:
    card = run_file(found.name, "card.md")
    content = site.texts(found.commit, lambda path: path == card).get(card)
    if content:
        shown = content.decode(errors="replace")[:_CARD]
        return [Section("Card", [Text("Model card", shown)])]
    if card not in site.files(found.commit, run_folder(found.name)) or content is not None:
        return []
    said = f"The card is too large to be shown: git show {found.commit[:10]}:{card}"
    return [Section("Card", [Note(said, "warn")])]
