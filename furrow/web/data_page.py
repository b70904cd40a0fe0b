"""Data: the contract, versions and what changed between two, the profile by partition, sample rows behind a switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.data.contract import load_contract
from furrow.data.profile import profile
from furrow.drawing.charts import bars, lines, spark
from furrow.errors import FurrowError
from furrow.ground.gitobjects import iso_date
from furrow.history.raw_data import data_listing, raw_data, raw_outputs
from furrow.layout import CONTRACT, DATA, DATA_DVC
from furrow.web.content import (
    Choice,
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
)
from furrow.web.data_state import contract_state, partition_drift
from furrow.web.recent_commits import recent
from furrow.web.sample_rows import sample

if TYPE_CHECKING:
    from furrow.data.contract import Column, Contract
    from furrow.data.contract import Table as Declared
    from furrow.data.profile import TableProfile
    from furrow.web.asked import Asked
    from furrow.web.content import Block
    from furrow.web.site import Site

__all__ = ["data"]

VERSIONS = 30
_FILES = 500


def data(site: Site, asked: Asked) -> Page:
    """The page: `?rev=`, `?from=` for what changed since, `?profile=1` and `?sample=TABLE` for data here."""
    commit = site.commit(asked.one("rev"))
    contract, problem = _contract(site, commit)
    here = (
        site.live
        and not site.bare
        and (site.root / DATA).is_dir()
        and commit == site.commit("HEAD")
    )
    sections = [
        Section("", [_form(asked, contract, here=here)]),
        Section("Version", _version(site, commit, asked)),
        *(
            [Section("Does it hold?", contract_state(site, commit, contract, here=here))]
            if contract
            else []
        ),
        Section("Contract", _declared(contract) if contract else [Note(problem, "warn")]),
        *_profiled(site, contract, asked, here=here),
        *_sampled(site, contract, asked, here=here),
        Section("Versions", [_versions(site, commit)]),
    ]
    return Page("data", "Data", sections, f"At {asked.one('rev', 'HEAD')}, commit {commit[:10]}.")


def _contract(site: Site, commit: str) -> tuple[Contract | None, str]:
    with site.laid_out(commit, lambda path: path == CONTRACT) as root:
        if not (root / CONTRACT).is_file():
            return None, f"No contract: {CONTRACT} is not in this commit."
        try:
            return load_contract(root / CONTRACT), ""
        except FurrowError as exc:
            return None, exc.message.replace(f"{root}/", "")


def _form(asked: Asked, contract: Contract | None, *, here: bool) -> Form:
    fields = [
        Field("rev", "At", asked.one("rev"), "HEAD"),
        Field("from", "What changed since", asked.one("from"), "main~1"),
    ]
    if not here:
        return Form("data", fields)
    names = [("", "none"), *((name, name) for name in (contract.tables if contract else {}))]
    fields.append(Field("sample", "Sample rows of", asked.one("sample"), options=names))
    return Form("data", fields, choices=[Choice("profile", "1", "profile", asked.on("profile"))])


def _version(site: Site, commit: str, asked: Asked) -> list[Block]:
    found, parts = raw_data(site.root, commit), raw_outputs(site.root, commit)
    if found is None:
        said = f"No .dvc file of this commit names data: neither {DATA_DVC} nor one in {DATA}/."
        blocks: list[Block] = [Note(said, "warn")]
    elif len(parts) > 1:
        rows = [(path, Mark(one.md5, "code"), one.size, one.files) for path, one in parts.items()]
        blocks = [Table("version", ("path", "md5", "bytes", "files"), rows)]
    else:
        pairs = [("md5", found.md5), ("bytes", found.size), ("files", found.files)]
        blocks = [
            Facts(
                "version",
                [
                    (name, value if isinstance(value, int) else Mark(str(value), "code"))
                    for name, value in pairs
                ],
            )
        ]
    if asked.one("from"):
        blocks.append(_changed(site, site.commit(asked.one("from")), commit))
    return blocks


def _changed(site: Site, before: str, after: str) -> Block:
    """The files that differ between two versions of the data."""
    (old, old_files), (new, new_files) = (
        data_listing(site.root, before),
        data_listing(site.root, after),
    )
    if old == new:
        return Note(f"The same data as at {before[:10]}.", "good")
    if old_files is None or new_files is None:
        return Note(
            f"Other data; the lists of files are not here: dvc fetch --all-commits {new.path if new else DATA}",
            "warn",
        )
    rows = [
        (
            path,
            (
                Mark("added", "good")
                if path not in old_files
                else Mark("removed", "bad")
                if path not in new_files
                else "changed"
            ),
        )
        for path in sorted({*old_files, *new_files})
        if old_files.get(path) != new_files.get(path)
    ]
    return Table("changed", ("file", "what"), rows[:_FILES], total=len(rows))


def _declared(contract: Contract) -> list[Block]:
    rows = [
        (name, table.files, len(table.columns), ", ".join(table.unique), len(_rules(table)))
        for name, table in contract.tables.items()
    ]
    blocks: list[Block] = [Table("tables", ("table", "files", "columns", "unique", "rules"), rows)]
    every = [
        (name, *_column(key, column))
        for name, table in contract.tables.items()
        for key, column in table.columns.items()
    ]
    blocks.append(
        Table(
            "columns",
            ("table", "column", "type", "null allowed", "least", "most", "allowed"),
            every[:2000],
            total=len(every),
        )
    )
    rules = [
        (name, rule, said)
        for name, table in contract.tables.items()
        for rule, said in _rules(table)
    ]
    blocks.append(
        Table(
            "rules",
            ("table", "rule", "what must hold"),
            rules,
            empty="No rules across columns or tables.",
            raw=True,
        )
    )
    return blocks


def _column(name: str, column: Column) -> tuple[str, str, bool, str | None, str | None, str | None]:
    allowed = ", ".join(map(str, column.allowed)) if column.allowed else column.pattern
    ends = [None if value is None else str(value) for value in (column.min, column.max)]
    return name, column.type, column.nullable, ends[0], ends[1], allowed


def _rules(table: Declared) -> list[tuple[str, str]]:
    found = [*table.rules.items()]
    found += [
        (f"reference {name}", f"is found in {one.to}") for name, one in table.references.items()
    ]
    if table.fresh:
        found.append(
            (
                "fresh",
                f"the newest {table.fresh.column} within {table.fresh.within_hours:g} h of the end",
            )
        )
    if table.covers:
        found.append(
            ("covers", f"every row of {table.covers.table}, by {', '.join(table.covers.by)}")
        )
    return found


def _profiled(site: Site, contract: Contract | None, asked: Asked, *, here: bool) -> list[Section]:
    if contract is None or not here:
        return []
    if not asked.on("profile"):
        where = Link("profile the data here", "data", asked.but(profile="1"))
        return [
            Section(
                "Profile", [Note("It reads every row: seconds, for some millions.", link=where)]
            )
        ]
    try:
        known = profile(site.root / DATA, contract)
    except FurrowError as exc:
        return [Section("Profile", [Note(exc.message, "bad")])]
    return [
        part
        for one in known.tables
        for part in (
            Section(f"Profile of {one.name}", _table_profile(one)),
            Section(
                f"Drift between partitions of {one.name}",
                partition_drift(site.root / DATA, one.name, contract.tables[one.name]),
            ),
        )
        if part.blocks
    ]


def _table_profile(one: TableProfile) -> list[Block]:
    notes: list[Block] = [Note(text, "warn") for text in one.notes]
    notes += [
        Note(f"{each.name}: {each.doubted:,} hard to believe, up to {each.most}.", "warn")
        for each in one.columns
        if each.doubted
    ]
    parts = list(one.partitions)
    drawn: list[Block] = []
    if parts:
        rows = list(zip(parts, one.rows_by_partition, strict=True))
        title = f"Rows by {one.period}"
        chart = bars(parts, one.rows_by_partition, text=lambda value: f"{value:,.0f}", title=title)
        drawn.append(
            Drawing(title, chart, Table(f"{one.name}-rows", (one.period or "part", "rows"), rows))
        )
        for label, values in one.share_by_partition.items():
            title = f"Share of {label} by {one.period}"
            chart = lines(parts, values, text=lambda value: f"{value:.0%}", title=title)
            drawn.append(
                Drawing(
                    title,
                    chart,
                    Table(
                        f"{one.name}-{label}",
                        (one.period or "part", label),
                        list(zip(parts, values, strict=True)),
                    ),
                )
            )
    columns = [
        (each.name, each.type, round(each.null_share, 5), each.distinct, each.least, each.median, each.most,
         ", ".join(f"{value} {share:.0%}" for value, share in each.top[:4]))
        for each in one.columns
    ]  # fmt: skip
    heads = ("column", "type", "null", "distinct", "min", "median", "max", "most frequent")
    figures: list[Block] = [
        Drawing(
            f"{each.name} [{each.unit}]" if each.unit else each.name,
            spark(
                each.histogram.counts,
                title=(
                    f"{each.name}: {each.histogram.below:,} below and {each.histogram.above:,}"
                    " above: hollow ends"
                ),
                tails=(each.histogram.below > 0, each.histogram.above > 0),
            ),
        )
        for each in one.columns
        if each.histogram and each.distinct > 40
    ]
    return [*notes, *drawn, Table(f"{one.name}-columns", heads, columns), *figures]


def _sampled(site: Site, contract: Contract | None, asked: Asked, *, here: bool) -> list[Section]:
    name = asked.one("sample")
    if not (name and here and contract):
        return []
    if name not in contract.tables:
        return [Section("Sample rows", [Note(f"The contract has no table {name[:80]!r}.", "warn")])]
    return [
        Section(f"Sample rows of {name}", [sample(site.root / DATA, name, contract.tables[name])])
    ]


def _versions(site: Site, commit: str) -> Table:
    rows = []
    for one in recent(site, commit, VERSIONS, DATA_DVC, DATA):
        found = raw_data(site.root, one.oid)
        state = {"rev": one.oid[:10], **({"from": one.parents[0][:10]} if one.parents else {})}
        rows.append((Link(one.oid[:10], "data", state), iso_date(one.time), one.author, one.subject,
                     Mark(found.md5[:10], "code") if found else None, found.files if found else None))  # fmt: skip
    return Table(
        "versions",
        ("commit", "date", "who", "what", "md5", "files"),
        rows,
        empty="No commit names data.",
    )
