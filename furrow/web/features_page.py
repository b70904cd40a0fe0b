"""Features: the catalog with search, what each is made of down to raw columns, who uses it, its SQL and history."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from furrow.drawing.graphs import Node, graph
from furrow.errors import FurrowError
from furrow.features.catalog import Catalog
from furrow.features.describe import describe
from furrow.features.manifest import parse
from furrow.features.manifest_diff import diff
from furrow.ground.git import show
from furrow.ground.gitobjects import iso_date, read_objects
from furrow.ground.project_place import project_prefix
from furrow.layout import CONTRACT, EXPERIMENTS_YAML, FEATURES, MANIFEST, TABLE_SQL
from furrow.web.content import (
    Drawing,
    Facts,
    Field,
    Form,
    Link,
    Mark,
    Note,
    Page,
    Section,
    Table,
    Text,
)
from furrow.web.recent_commits import recent
from furrow.web.site import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from furrow.features.catalog import Entry
    from furrow.web.asked import Asked
    from furrow.web.content import Block, Cell
    from furrow.web.site import Site

__all__ = ["features", "needed"]

_HISTORY, _NODES = 15, 150
_KINDS = {
    "view": "feature view",
    "on_demand": "on-demand view",
    "service": "feature service",
    "feature": "feature",
}


def needed(path: str) -> bool:
    """Whether a file is one that a catalog is read from."""
    tables = path.startswith(f"{TABLE_SQL}/") and path.endswith(".sql")
    return tables or path in {MANIFEST, CONTRACT, EXPERIMENTS_YAML} or path.endswith("/record.json")


def features(site: Site, asked: Asked) -> Page:
    """The page: `?q=WORDS`, `?name=` for one of them, `?from=` for what changed since, `?stats=1`."""
    commit = site.commit(asked.one("rev"))
    if show(site.root, commit, MANIFEST) is None:
        note = Note(f"No features: {MANIFEST} is not in this commit. Next: furrow compile", "warn")
        return Page("features", "Features", [Section("", [note])])
    with _catalog(site, commit, stats=asked.on("stats")) as catalog:
        if asked.one("name"):
            return _one(site, catalog, commit, asked)
        return _all(site, catalog, commit, asked)


@contextmanager
def _catalog(site: Site, commit: str, *, stats: bool) -> Iterator[Catalog]:
    """The catalog of a commit.

    Of the work tree's files, where their figures are asked for and it stands there.
    """
    manifest = parse(show(site.root, commit, MANIFEST) or b"", origin=f"{commit[:10]}:{MANIFEST}")
    if stats and site.live and not site.bare and commit == site.commit("HEAD"):
        yield Catalog(site.root / FEATURES, site.root, manifest)
        return
    with site.laid_out(commit, needed) as root:
        yield Catalog(root / FEATURES, root, manifest)


def _all(site: Site, catalog: Catalog, commit: str, asked: Asked) -> Page:
    words = tuple(asked.one("q").split())
    entries = (
        [one.entry for one in catalog.search(words)]
        if words
        else [*catalog.entries(), *catalog.features()]
    )
    fields = [
        Field("q", "Search names, words, columns, owners", asked.one("q"), "wind speed", wide=True),
        Field("rev", "At", asked.one("rev"), "HEAD"),
        Field("from", "What changed since", asked.one("from"), "main~1"),
    ]
    sections = [Section("", [Form("features", fields)])]
    if asked.one("from"):
        sections.append(
            Section(
                f"What changed since {asked.one('from')}",
                [_changed(site, catalog, asked.one("from"))],
            )
        )
    sections.append(Section("", [_table("features", entries, asked)]))
    lead = (
        f"{len(catalog.entries())} views and services, {len(catalog.features())} features at commit"
        f" {commit[:10]}."
    )
    return Page("features", "Features", sections, lead)


def _table(name: str, entries: Sequence[Entry], asked: Asked) -> Table:
    state = {"rev": asked.one("rev")} if asked.one("rev") else {}
    rows: list[tuple[Cell, ...]] = [
        (
            Link(one.name, "features", {**state, "name": one.name}),
            _KINDS.get(one.kind, one.kind),
            one.dtype or None,
            one.unit or None,
            one.description or None,
            one.owner or None,
            ", ".join(one.services) or None,
            Mark(one.digest[:10], "code") if one.digest else None,
        )
        for one in entries
    ]
    return Table(
        name,
        ("name", "kind", "type", "unit", "what it is", "owner", "used by", "digest"),
        rows,
        empty="Nothing fits these words.",
    )


def _changed(site: Site, catalog: Catalog, rev: str) -> Block:
    before = site.commit(rev)
    data = show(site.root, before, MANIFEST)
    if data is None:
        return Note(f"{rev} has no {MANIFEST}.", "warn")
    old = parse(data, origin=f"{rev}:{MANIFEST}")
    found = diff(old, catalog.manifest, experiments=catalog.experiments, models=catalog.models)
    rows = [(one.kind, one.name, one.what, one.meaning) for one in found.changes]
    return Table(
        "changed", ("kind", "name", "what", "changes values"), rows, empty="Nothing changed."
    )


def _one(site: Site, catalog: Catalog, commit: str, asked: Asked) -> Page:
    name, stats = asked.one("name"), asked.on("stats")
    found = _within(describe(catalog, name, statistics=stats), site)
    kind = str(found.get("kind", ""))
    facts: list[tuple[str, Cell]] = [
        (key, _shown(value))
        for key, value in found.items()
        if key not in {"name", "features", "description", "views", "tags", "offline", "online"}
        and value not in (None, "", [], {})
    ]
    sections = [
        Section("", [Facts("about", facts), _switch(asked, site)]),
        Section("How fresh", _fresh(found) if stats else []),
        Section("Features", _columns(found, asked)),
        Section("What it is made of", _lineage(catalog, found)),
        Section("Definition", _definition(site, commit, found)),
        Section("History of its definition", [_history(site, commit, found)]),
    ]
    kept = [one for one in sections if one.blocks]
    lead = str(found.get("description") or "")
    return Page(
        "features",
        f"{_KINDS.get(kind, kind)} {found.get('name', name)}",
        kept,
        lead,
        data={"described": found},
    )


def _shown(value: Any) -> Cell:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return ", ".join(f"{key}: {inner}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(
            (
                str(one.get("name") or one.get("experiment") or one)
                if isinstance(one, dict)
                else str(one)
            )
            for one in value
        )
    return str(value)


def _switch(asked: Asked, site: Site) -> Block:
    if asked.on("stats") or not site.live or site.bare:
        return Note("Statistics and freshness are read where the offline files are, at HEAD.")
    return Note(
        "Statistics and freshness read the offline files.",
        link=Link("read them", "features", asked.but(stats="1")),
    )


def _fresh(found: dict[str, Any]) -> list[Block]:
    pairs: list[tuple[str, Cell]] = []
    for side in ("offline", "online"):
        value = found.get(side)
        if isinstance(value, dict):
            pairs += [(f"{side} {key}", _shown(inner)) for key, inner in value.items()]
        elif value is not None:
            pairs.append((side, _shown(value)))
    return [Facts("fresh", pairs)] if pairs else [Note("Nothing is known here.")]


def _within(value: Any, site: Site) -> Any:
    """Paths of the project as they are called in it.

    A page tells nothing of the machine's other folders.
    """
    if isinstance(value, dict):
        return {key: _within(inner, site) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_within(inner, site) for inner in value]
    if not isinstance(value, str):
        return value
    return value.replace(f"{site.root}/{FEATURES}/../", "").replace(f"{site.root}/", "")


def _columns(found: dict[str, Any], asked: Asked) -> list[Block]:
    columns = [one for one in found.get("features") or [] if isinstance(one, dict)]
    if not columns:
        return []
    measured = [one.get("statistics") for one in columns]
    heads = list(dict.fromkeys(key for one in measured if isinstance(one, dict) for key in one))[:8]
    rows = [
        (
            str(one.get("name")),
            str(one.get("dtype") or "") or None,
            str(one.get("unit") or "") or None,
            str(one.get("description") or "") or None,
            ", ".join(one.get("lineage") or ()) or None,
            ", ".join(one.get("services") or ()) or None,
            *(_shown((one.get("statistics") or {}).get(head)) for head in heads),
        )
        for one in columns
    ]
    del asked
    return [
        Table(
            "columns",
            ("feature", "type", "unit", "what it is", "raw columns", "used by", *heads),
            rows,
        )
    ]


def _lineage(catalog: Catalog, found: dict[str, Any]) -> list[Block]:
    """From raw columns through the feature table and the view to services and experiments.

    The nearest alone.
    """
    view = str(found.get("view") or "")
    columns = [one for one in found.get("features") or [] if isinstance(one, dict)]
    raw = sorted({part for one in columns for part in one.get("lineage") or ()})
    if not raw or not view:
        return []
    table = str(found.get("table") or found.get("source") or "table")
    services = [str(name) for name in found.get("services") or ()]
    users = [
        (f"experiment {name}", service)
        for name, service in catalog.experiments.items()
        if service in services
    ]
    middle = [str(one["name"]) for one in columns]
    nodes = [
        *(Node(part) for part in raw),
        Node(f"table {table}", "", tuple(raw)),
        *(Node(name, "", (f"table {table}",)) for name in middle),
        *(Node(f"service {name}", "", tuple(middle)) for name in services),
        *(Node(name, "", (f"service {service}",)) for name, service in users),
    ]
    rows = [(str(one["name"]), part) for one in columns for part in one.get("lineage") or ()]
    title = "From raw columns to experiments"
    drawn = graph(nodes[:_NODES], title=title)
    table_of = Table("lineage", ("feature", "raw column"), rows)
    return [Drawing(title, drawn, table_of, broad=True)]


def _definition(site: Site, commit: str, found: dict[str, Any]) -> list[Block]:
    table = str(
        found.get("table") or (found.get("name") if found.get("kind") == "table" else "") or ""
    )
    if not table:
        return []
    texts = site.texts(
        commit,
        lambda path: path.startswith(f"{TABLE_SQL}/") and path.rpartition("/")[2] == f"{table}.sql",
    )
    return [
        Text(path, content.decode(errors="replace")[:60_000]) for path, content in texts.items()
    ]


@lru_cache(maxsize=64)
def _digests(content: bytes) -> dict[str, str] | None:
    """The digests in a manifest by name.

    None where it can't be read. Every page of a view asks for the same few.
    """
    try:
        manifest = parse(content, origin=MANIFEST)
    except FurrowError:
        return None
    kinds = (manifest.services, manifest.on_demand, manifest.views)
    return {name: str(one.digest) for kind in kinds for name, one in kind.items()}


def _history(site: Site, commit: str, found: dict[str, Any]) -> Table:
    """The commits at which the digest became another one."""
    name, rows, last = str(found.get("view") or found.get("name") or ""), [], ""
    commits = recent(site, commit, _HISTORY, MANIFEST)[::-1]
    place = f"{project_prefix(site.root)}{MANIFEST}"
    answers = read_objects(site.root, [f"{one.oid}:{place}" for one in commits], largest=LARGEST)
    for one, (_, _, content, _) in zip(commits, answers, strict=True):
        known = _digests(content or b"")
        digest = "" if known is None else known.get(name, "")
        if known is not None and digest != last:
            where = Link(one.oid[:10], "features", {"rev": one.oid[:10], "name": name})
            rows.append((where, iso_date(one.time), one.author,
                         one.subject, Mark(digest[:10] or "gone", "code")))  # fmt: skip
            last = digest
    return Table(
        "history",
        ("commit", "date", "who", "what", "digest"),
        rows[::-1],
        empty="No commit holds it.",
    )
