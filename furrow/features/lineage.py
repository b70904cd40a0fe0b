"""Lineage: from a feature down to the raw columns that it is made of."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from furrow.features.spelled_columns import spelled_columns
from furrow.features.sql import DIALECT, PARSING, parse_query, reads
from furrow.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.features.schema import Manifest

__all__ = ["feature_lineage", "query_lineage"]

Columns = dict[str, tuple[str, ...]]


def query_lineage(tree: exp.Query, schema: Mapping[str, Mapping[str, str]]) -> Columns:
    """The raw columns behind each column that a query gives, as "relation.column".

    A column that counts rows stands on no raw column: it has "relation.*" for each relation read.

    Args:
        tree: The query.
        schema: Declared columns and types by relation; needed for `SELECT *` and for columns
            without a prefix.
    """
    known = {name: dict(columns) for name, columns in schema.items()}
    relations = reads(tree)
    try:
        return _found(tree, known, relations)
    except (SqlglotError, ValueError, KeyError, RecursionError):
        return {}


@lru_cache(maxsize=256)
def _remembered(text: str, schema: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> Columns:
    """`query_lineage` of a text: a server and an export ask for the same tables with every page."""
    return query_lineage(
        parse_query(text, origin="a table"), {name: dict(of) for name, of in schema}
    )


@lru_cache(maxsize=256)
def _relations(text: str, origin: str) -> tuple[str, ...]:
    """The relations that the SQL of a table reads, remembered likewise."""
    return reads(parse_query(text, origin=origin))


def _found(
    tree: exp.Query, known: dict[str, dict[str, str]], relations: tuple[str, ...]
) -> Columns:
    """`query_lineage`, with SQLGlot's own errors.

    Raises:
        TooLongError: The query is made to be followed for ever.
    """
    whole = tuple(f"{name}.*" for name in relations)
    with time_limit(PARSING, "finding what the columns of a query are made of"):
        written = _spelled_out(spelled_columns(tree, known))
        resolved = qualify(
            written, dialect=DIALECT, schema=known, validate_qualify_columns=False, identify=False
        )
        scope = build_scope(resolved)
        names = [name for name in resolved.named_selects if name != "*"]
        nodes = {
            name: lineage(
                name,
                resolved,
                schema=known,
                scope=scope,
                dialect=DIALECT,
                copy=False,
                trim_selects=False,
            )
            for name in names
        }
        return {name: _leaves(node, relations) or whole for name, node in nodes.items()}


def _spelled_out(tree: exp.Query) -> exp.Query:
    """The query with its named windows written out where they are used.

    SQLGlot's lineage looks only there.
    """
    copied = tree.copy()
    for select in copied.find_all(exp.Select):
        named = {window.name.lower(): window for window in select.args.get("windows") or ()}
        for window in select.find_all(exp.Window):
            spec = named.get(window.alias.lower()) if window.alias else None
            if spec is not None and spec is not window and window.parent_select is select:
                for part in ("partition_by", "order", "spec"):
                    held = spec.args.get(part)
                    window.set(
                        part,
                        (
                            [each.copy() for each in held]
                            if isinstance(held, list)
                            else held and held.copy()
                        ),
                    )
                window.set("alias", None)
    return copied


def _leaves(node: Node, relations: tuple[str, ...]) -> tuple[str, ...]:
    found = set()
    for part in node.walk():
        if (
            not part.downstream
            and isinstance(part.source, exp.Table)
            and part.source.name in relations
        ):
            column = part.name.rpartition(".")[2].strip('"')
            found.add(f"{part.source.name}.{column}")
    return tuple(sorted(found))


def feature_lineage(
    manifest: Manifest, repo_dir: Path, schema: Mapping[str, Mapping[str, str]]
) -> Columns:
    """The raw columns behind every feature of a manifest, by "view:feature".

    Args:
        manifest: The definitions.
        repo_dir: The features folder, with tables/*.sql.
        schema: Declared columns and types of the raw relations.

    Returns:
        The raw columns; a feature whose source no SQL builds has its source's path, a request field
        "request.NAME".

    Raises:
        SqlError: A table's SQL can't be read.
    """
    tables = _Tables(manifest, repo_dir, schema)
    found: Columns = {}
    for name, view in manifest.views.items():
        given = {new: old for old, new in view.field_mapping.items()}
        for feature in view.features:
            column = given.get(feature.name, feature.name)
            behind = tables.columns(view.table).get(column, ()) if view.table else ()
            found[f"{name}:{feature.name}"] = behind or (f"{view.table or view.source}.{column}",)
    for name, on_demand in manifest.on_demand.items():
        parts = set()
        for part in on_demand.inputs:
            parts |= (
                {f"request.{part.name}"}
                if part.view == "request"
                else {*found[f"{part.view}:{part.name}"]}
            )
        found |= {f"{name}:{feature.name}": tuple(sorted(parts)) for feature in on_demand.features}
    return found


class _Tables:
    """The lineage of feature tables, each worked out once, down through the feature tables that it reads."""

    def __init__(
        self, manifest: Manifest, repo_dir: Path, schema: Mapping[str, Mapping[str, str]]
    ) -> None:
        self.manifest = manifest
        self.files = {path.stem: path for path in (repo_dir / "tables").rglob("*.sql")}
        self.schema = schema
        self.known: dict[str, Columns] = {}

    def columns(self, table: str) -> Columns:
        if table in self.known or table not in self.files:
            return self.known.get(table, {})
        self.known[table] = {}
        path = self.files[table]
        text = path.read_text(encoding="utf-8")
        upstream = {
            name: self.columns(name)
            for name in _relations(text, f"{path.parent.name}/{path.name}")
            if name in self.files
        }
        schema = {
            **self.schema,
            **{name: dict.fromkeys(columns, "") for name, columns in upstream.items()},
        }
        found = {}
        declared = tuple((name, tuple(columns.items())) for name, columns in schema.items())
        for column, behind in _remembered(text, declared).items():
            raw: set[str] = set()
            for part in behind:
                relation, _, name = part.rpartition(".")
                raw |= set(upstream.get(relation, {}).get(name, (part,)))
            found[column] = tuple(sorted(raw))
        self.known[table] = found
        return found
