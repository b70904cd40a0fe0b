"""`furrow features`: list, show, search, diff, materialize, verify and fetch features."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.patience import waiting
from furrow.cli.terminal import say
from furrow.cli.usage import Nouns
from furrow.errors import FurrowError, UsageError
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from furrow.features.catalog import Catalog

__all__ = ["command"]


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every command takes: the folder, and JSON for scripts."""
    repo = click.option(
        "-C",
        "--repo",
        type=click.Path(path_type=Path),
        default=None,
        help="The Feast repository.  [default: features]",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
    return repo(as_json(function))


@click.group(cls=Nouns)
def command() -> None:
    """List, show, search, diff, materialize, verify and fetch features."""


@command.command("list")
@_options
@click.option("--features", "each", is_flag=True, help="List each feature, not each view.")
def list_command(*, repo: Path | None, as_json: bool, each: bool) -> None:
    """List the feature views, on-demand views and feature services."""
    catalog = _catalog(repo)
    entries = catalog.features() if each else catalog.entries()
    if as_json:
        render.echo_json([_entry(entry) for entry in entries])
        return
    from furrow.cli import features_tables as tables  # noqa: PLC0415 - after --help

    tables.show_features(entries) if each else tables.show_entries(entries, catalog.experiments)


@command.command("show")
@click.argument("name")
@_options
@click.option("--no-statistics", is_flag=True, help="Do not read the offline files.")
def show_command(*, name: str, repo: Path | None, as_json: bool, no_statistics: bool) -> None:
    """Show a view, a feature (VIEW:FEATURE), a service or a feature table: what it is, how fresh, and who uses it."""
    from furrow.features.describe import describe  # noqa: PLC0415 - Arrow, DuckDB and SQLGlot, after --help

    with waiting(f"reading {name}"):
        shown = describe(_catalog(repo), name, statistics=not no_statistics)
    if as_json:
        render.echo_json(shown)
        return
    from furrow.cli import features_tables as tables  # noqa: PLC0415 - after --help

    tables.show_description(shown)


@command.command("search")
@click.argument("words", nargs=-1, required=True)
@_options
def search_command(*, words: tuple[str, ...], repo: Path | None, as_json: bool) -> int:
    """Search names, descriptions, tags, owners and raw columns; every word must be found, the best fit comes first."""
    catalog = _catalog(repo)
    found = catalog.search(words)
    if as_json:
        render.echo_json([_entry(each.entry) | {"score": round(each.score, 4)} for each in found])
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
@_options
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
@click.argument("name", required=False)
@_options
def digest_command(*, name: str | None, repo: Path | None, as_json: bool) -> None:
    """Print the digest of a service, a view or a table; of all services, and of the whole, without a NAME."""
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


@command.command("materialize")
@click.argument("end", required=False)
@_options
@click.option("-v", "--views", multiple=True, help="Only this feature view; may be repeated.")
@click.option("--full", is_flag=True, help="Rebuild from nothing; mends a damaged store.")
def materialize_command(
    *, end: str | None, repo: Path | None, as_json: bool, views: tuple[str, ...], full: bool
) -> None:
    """Bring the online store up to the offline tables, up to END (now)."""
    from furrow.features.materialize import materialize  # noqa: PLC0415 - Arrow and LMDB, after --help

    folder, until = _folder(repo), _moment(end, "END")
    _known_views(folder, views)
    with render.progress("materialize") as advance:
        seen: dict[str, int] = {}

        def report(view: str, rows: int) -> None:
            advance(rows - seen.get(view, 0), view)
            seen[view] = rows

        done = materialize(folder, list(views) or None, full=full, end=until, progress=report)
    if as_json:
        render.echo_json([asdict(each) for each in done])
        return
    rows = [
        (d.view, d.mode, d.read, d.written, d.skipped, d.future, d.newest, f"{d.seconds:.2f}")
        for d in done
    ]
    columns = [
        "view",
        "mode",
        "rows read",
        "written",
        "skipped",
        "in the future",
        "newest event",
        "seconds",
    ]
    render.table(rows, columns, right=[*columns[2:6], "seconds"])
    for view in done:
        if view.kept:
            say(
                f"{view.view}: {view.kept:,} records that were pushed online only are served on, until newer rows come"
            )
        if view.dropped:
            say(
                f"{view.view}: {view.dropped:,} records that were pushed online only are gone: push them again"
            )


@command.command("verify")
@click.argument("service", required=False)
@_options
@click.option(
    "--rows",
    type=click.IntRange(1, 10_000_000),
    default=10_000,
    show_default=True,
    help="Rows to sample.",
)
@click.option("--at", help="The moment to answer for; that of the newest event, if not given.")
def verify_command(
    *, service: str | None, repo: Path | None, as_json: bool, rows: int, at: str | None
) -> int:
    """Compare the online store with the point-in-time join, value by value; exits 1 if they differ."""
    from furrow.features.manifest import load  # noqa: PLC0415 - after --help
    from furrow.features.store_verify import verify  # noqa: PLC0415 - Arrow, DuckDB and LMDB, after --help

    folder = _folder(repo)
    _may_compute(folder)
    names = [service] if service else sorted(load(folder).services)
    reports = []
    for name in names:
        with waiting(f"verifying {name}"):
            reports.append(verify(folder, name, rows=rows, at=_moment(at, "--at")))
    if as_json:
        render.echo_json([_jsonable(asdict(report)) for report in reports])
    for report in reports if not as_json else []:
        said = (
            f"{report.rows:,} rows, {report.features} features, {report.present:,} values present"
        )
        said += f", {report.online_only:,} pushed online only" if report.online_only else ""
        said += f", {report.newer:,} newer than the moment" if report.newer else ""
        wrong = len(report.differences)
        verdict = f"{wrong:,} values differ" if wrong else "all equal"
        say(f"{report.service}: {verdict} ({said}, at {report.at:%Y-%m-%d %H:%M:%S}Z)")
        shown = [
            (d.feature, d.online, d.offline, d.status, _row(d.row)) for d in report.differences[:20]
        ]
        if shown:
            render.table(shown, ["feature", "online", "offline", "status", "row"])
    return 0 if all(reports) else 1


@command.command("compare-stores")
@click.argument("service")
@click.argument("rows", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_options
def compare_command(*, service: str, rows: Path, repo: Path | None, as_json: bool) -> int:
    """Join SERVICE to ROWS (Parquet, CSV: keys, event_timestamp) by this repository's offline store and by Furrow's.

    For a Feast repository that is to be joined: which rows its store loses, and which values differ.
    Exits 1 if any do. Nothing is written.
    """
    from furrow.features.store_compare import FURROW_STORES, compare_stores, read_rows  # noqa: PLC0415
    from furrow.ground.trust import require_trust  # noqa: PLC0415 - after --help

    folder = _folder(repo)
    require_trust(folder, "this runs the feature definitions of this repository")
    found = compare_stores(folder, service, read_rows(rows))
    if as_json:
        render.echo_json(_jsonable(asdict(found)))
        return 1 if found else 0
    say(
        f"{found.rows:,} rows, {len(found.features)} features, by {found.store} and by Furrow's store"
    )
    say(
        f"lost: {found.lost:,} rows; repeated: {found.repeated:,}; values that differ: {found.differing:,}"
    )
    render.table(
        [(name, count) for name, count in found.features.items() if count], ["feature", "values"]
    )
    render.table(
        [(_row(one.row), one.feature, one.theirs, one.ours) for one in found.examples],
        ["row", "feature", found.store, "Furrow"],
    )
    say("to join it, in feature_store.yaml:")
    for line in FURROW_STORES:
        say(f"  {line}")
    return 1 if found else 0


@command.command("get")
@click.argument("service")
@_options
@click.option(
    "-e",
    "--entities",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key or request field of the row.",
)
@click.option(
    "--input", "source", type=click.File("r"), help="Rows as lines of JSON; - reads standard input."
)
@click.option("--at", help="The moment to answer for; now, if not given.")
@click.option("--full-feature-names", is_flag=True, help="Name features VIEW__FEATURE.")
def get_command(
    *,
    service: str,
    repo: Path | None,
    as_json: bool,
    pairs: tuple[str, ...],
    source: Any,
    at: str | None,
    full_feature_names: bool,
) -> None:
    """Read a service's features from the online store, with each value's status and age."""
    from furrow.features.client import FeatureClient  # noqa: PLC0415 - LMDB, after --help

    moment = _moment(at, "--at")
    _may_compute(_folder(repo))
    with FeatureClient.open(_folder(repo)) as client:
        plan = client.plan(service, full_names=full_feature_names or None)
        types = dict(plan.request) | {
            name: dtype for spec in plan.specs for name, _, dtype in spec.fields
        }
        rows = _rows(pairs, source, types)
        batch = client.get(service, rows, at=moment, full_feature_names=full_feature_names or None)
        values, status, age = batch.to_dict(), batch.status, batch.age
    answers = [
        {
            name: {
                "value": _jsonable(values[name][at]),
                "status": status[name][at],
                "age": age[name][at],
            }
            for name in batch.names
        }
        for at in range(len(rows))
    ]
    if as_json:
        render.echo_json({"service": service, "digest": batch.digest, "rows": answers})
        return
    for row, answer in zip(rows, answers, strict=True):
        from furrow.cli import features_tables as tables  # noqa: PLC0415 - after --help

        tables.show_answer(_row(row), answer)


@command.command("push")
@click.argument("view")
@_options
@click.option(
    "-e",
    "--entities",
    "pairs",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="A column of the event.",
)
@click.option(
    "--input",
    "source",
    type=click.File("r"),
    help="Events as lines of JSON; - reads standard input.",
)
def push_command(
    *, view: str, repo: Path | None, as_json: bool, pairs: tuple[str, ...], source: Any
) -> None:
    """Write events to a feature view, offline and online."""
    from furrow.features.manifest import load  # noqa: PLC0415 - after --help
    from furrow.features.push import push  # noqa: PLC0415 - Arrow and LMDB, after --help

    folder = _folder(repo)
    _known_views(folder, (view,))
    declared = load(folder).views[view]
    types = {column.name: column.dtype for column in (*declared.join_keys, *declared.features)}
    rows = _rows(pairs, source, types)
    newer = push(folder, view, rows)
    if as_json:
        render.echo_json({"view": view, "pushed": len(rows), "newer": newer})
    else:
        say(f"{view}: {len(rows)} pushed, {newer} newer than what the online store held")


def _folder(repo: Path | None) -> Path:
    """The features folder: the one named, else the project's, else the Feast repository around here."""
    from furrow.features.plain_compile import feast_folder  # noqa: PLC0415 - after --help
    from furrow.plan.project_root import in_project  # noqa: PLC0415 - after --help

    if repo is not None:
        return repo
    here = in_project("features")
    return here if here.exists() else feast_folder(Path.cwd()) or here


def _may_compute(folder: Path) -> None:
    """On-demand features are code of the manifest: running it needs trust, if there is any."""
    from furrow.features.manifest import load  # noqa: PLC0415 - after --help
    from furrow.ground.trust import require_trust  # noqa: PLC0415 - after --help

    if load(folder).on_demand:
        require_trust(folder, "this runs the code of on-demand features")


def _catalog(repo: Path | None) -> Catalog:
    from furrow.features.catalog import open_catalog  # noqa: PLC0415 - after --help

    return open_catalog(_folder(repo), notify=lambda said: say(f"note: {said}", err=True))


def _known_views(folder: Path, views: Iterable[str]) -> None:
    from furrow.features.catalog import UnknownNameError  # noqa: PLC0415 - after --help
    from furrow.features.manifest import load  # noqa: PLC0415 - after --help

    known = load(folder).views
    for view in views:
        if view not in known:
            raise UnknownNameError(view, known, "feature view")


def _moment(text: str | None, option: str) -> datetime | None:
    """A time that was typed: ISO 8601, UTC if it names no zone."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option}: {text!r} is not a time", hint="write 2013-09-30T18:00:00Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _rows(pairs: tuple[str, ...], source: Any, types: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows asked for: one from KEY=VALUE pairs, or many from lines of JSON."""
    if bool(pairs) == (source is not None):
        raise UsageError(
            "name one row with -e KEY=VALUE, or many with --input FILE",
            hint=f"keys: {', '.join(types)}",
        )
    if pairs:
        row = {}
        for pair in pairs:
            name, sign, text = pair.partition("=")
            if not sign:
                raise UsageError(
                    f"-e {pair}: should be KEY=VALUE", hint=f"keys: {', '.join(types)}"
                )
            row[name] = _typed(name, text, types.get(name, "String"))
        return [row]
    rows = []
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as exc:
            raise FurrowError(f"{source.name}: line {number} is not JSON: {exc}") from exc
        if not isinstance(row, dict):
            raise FurrowError(
                f"{source.name}: line {number}: should be an object",
                hint='write {"key": "value", ...}',
            )
        rows.append(row)
    if not rows:
        raise FurrowError(f"{source.name} holds no rows", hint="write a JSON object a line")
    return rows


def _typed(name: str, text: str, dtype: str) -> Any:
    """A value that was typed at the terminal, in the column's type."""
    try:
        if dtype.startswith("Int"):
            return int(text)
        if dtype.startswith("Float"):
            return float(text)
        if dtype == "Bool":
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise FurrowError(f"-e {name}: {text!r} is not of the type {dtype}") from None
    return text


def _entry(entry: Any) -> dict[str, Any]:
    """An entry as JSON, without what its kind does not have."""
    return {
        key: value
        for key, value in asdict(entry).items()
        if value not in ("", (), None) or key == "owner"
    }


def _row(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items())


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
