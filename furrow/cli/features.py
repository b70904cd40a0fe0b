"""`furrow features`: list, show, search, diff, materialize, verify and fetch features."""

from __future__ import annotations

import re
from dataclasses import asdict
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.completed_names import feature_names
from furrow.cli.features_given import catalog_options, features_folder
from furrow.cli.features_store import COMMANDS as STORE_COMMANDS
from furrow.cli.patience import waiting
from furrow.cli.terminal import say
from furrow.cli.usage import Nouns

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.features.catalog import Catalog

__all__ = ["command"]


@click.group(cls=Nouns)
def command() -> None:
    """List, show, search, diff, materialize, verify and fetch features."""


@command.command("list")
@catalog_options
@click.option("--features", "each", is_flag=True, help="List each feature, not each view.")
def list_command(*, repo: Path | None, as_json: bool, each: bool) -> None:
    """List the feature views, on-demand views and feature services."""
    catalog = _catalog(repo)
    entries = catalog.features() if each else catalog.entries()
    if as_json:
        render.echo_json([_entry(entry) for entry in entries], "entries")
        return
    from furrow.cli import features_tables as tables  # noqa: PLC0415 - after --help

    tables.show_features(entries) if each else tables.show_entries(entries, catalog.experiments)


@command.command("show")
@click.argument("name", shell_complete=feature_names)
@catalog_options
@click.option("--no-statistics", is_flag=True, help="Do not read the offline files.")
def show_command(*, name: str, repo: Path | None, as_json: bool, no_statistics: bool) -> None:
    """Show a view, a feature (VIEW:FEATURE), a service or a feature table: what it is, how fresh, and who uses it."""
    # Arrow, DuckDB and SQLGlot, after --help
    from furrow.features.describe import describe  # noqa: PLC0415

    with waiting(f"reading {name}"):
        shown = describe(_catalog(repo), name, statistics=not no_statistics)
    if as_json:
        render.echo_json(shown)
        return
    from furrow.cli import features_tables as tables  # noqa: PLC0415 - after --help

    tables.show_description(shown)


@command.command("search")
@click.argument("words", nargs=-1, required=True)
@catalog_options
def search_command(*, words: tuple[str, ...], repo: Path | None, as_json: bool) -> int:
    """Search names, descriptions, tags, owners and raw columns.

    Every word must be found, the best fit comes first.
    """
    catalog = _catalog(repo)
    found = catalog.search(words)
    if as_json:
        render.echo_json(
            [_entry(each.entry) | {"score": round(each.score, 4)} for each in found], "entries"
        )
    elif found:
        from furrow.cli import features_tables as tables  # noqa: PLC0415 - after --help

        tables.show_found(found)
    else:
        names = [entry.name for entry in (*catalog.entries(), *catalog.features())]
        parts = {part for name in names for part in re.split(r"[:_]", name)} | set(names)
        close = [near for word in words for near in get_close_matches(word, sorted(parts), n=1)]
        meant = f"; did you mean {' '.join(close)}?" if close else ""
        say(f"nothing holds {' and '.join(words)}{meant}")
    return 0


@command.command("diff")
@click.argument("rev", default="HEAD")
@catalog_options
@click.option("--detailed-exitcode", is_flag=True, help="Exit 4 if there is a difference.")
def diff_command(*, rev: str, repo: Path | None, as_json: bool, detailed_exitcode: bool) -> int:
    """Tell what changed since a commit, in words, and which services, experiments and models it concerns."""
    from furrow.features.revision_compare import since  # noqa: PLC0415 - Git, after --help

    found = since(_catalog(repo), rev)
    if as_json:
        render.echo_json({"rev": rev, **found.to_json()})
    else:
        from furrow.cli import features_tables as tables  # noqa: PLC0415 - after --help

        tables.show_diff(found, rev)
    return 4 if found and detailed_exitcode else 0


@command.command("digest")
@click.argument("name", required=False, shell_complete=feature_names)
@catalog_options
def digest_command(*, name: str | None, repo: Path | None, as_json: bool) -> None:
    """Print the digest of a service, a view or a table.

    Of all services, and of the whole, without a NAME.
    """
    manifest = _catalog(repo).manifest
    services = {each: service.digest for each, service in sorted(manifest.services.items())}
    if name is None:
        if as_json:
            render.echo_json({"digest": manifest.digest, "services": services})
            return
        for each, digest in services.items():
            say(f"{digest}  {each}")
        say(f"{manifest.digest}  (all)")
        return
    known = {each: table.sql_digest for each, table in manifest.tables.items()}
    known |= {each: view.digest for each, view in manifest.views.items()}
    known |= {each: view.digest for each, view in manifest.on_demand.items()}
    known |= services
    if name not in known:
        from furrow.features.catalog import UnknownNameError  # noqa: PLC0415 - after --help

        raise UnknownNameError(name, known, "service, view or table")
    if as_json:
        render.echo_json({"name": name, "digest": known[name]})
    else:
        say(known[name])


for _each in STORE_COMMANDS:
    command.add_command(_each)


def _catalog(repo: Path | None) -> Catalog:
    from furrow.features.catalog import open_catalog  # noqa: PLC0415 - after --help

    return open_catalog(features_folder(repo), notify=lambda said: say(f"note: {said}", err=True))


def _entry(entry: Any) -> dict[str, Any]:
    """An entry as JSON, without what its kind does not have."""
    return {
        key: value
        for key, value in asdict(entry).items()
        if value not in ("", (), None) or key == "owner"
    }
