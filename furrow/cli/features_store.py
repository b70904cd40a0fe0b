"""`furrow features` at the stores: materialize, verify, compare-stores, get and push."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from furrow.cli import render
from furrow.cli.completed_names import service_names
from furrow.cli.features_given import (
    catalog_options,
    check_views,
    features_folder,
    given_rows,
    jsonable,
    may_compute,
    row_text,
    typed_moment,
)
from furrow.cli.patience import waiting
from furrow.cli.terminal import say
from furrow.plurals import number_of

__all__ = ["COMMANDS"]


@click.command("materialize")
@click.argument("end", required=False)
@catalog_options
@click.option("-v", "--views", multiple=True, help="Only this feature view; may be repeated.")
@click.option("--full", is_flag=True, help="Rebuild from nothing; mends a damaged store.")
def materialize_command(
    *, end: str | None, repo: Path | None, as_json: bool, views: tuple[str, ...], full: bool
) -> None:
    """Bring the online store up to the offline tables, up to END (now)."""
    # Arrow and LMDB, after --help
    from furrow.features.materialize import materialize  # noqa: PLC0415

    folder, until = features_folder(repo), typed_moment(end, "END")
    check_views(folder, views)
    with render.progress("materialize") as advance:
        seen: dict[str, int] = {}

        def report(view: str, rows: int) -> None:
            advance(rows - seen.get(view, 0), view)
            seen[view] = rows

        done = materialize(folder, list(views) or None, full=full, end=until, progress=report)
    if as_json:
        render.echo_json([asdict(each) for each in done], "views")
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
                f"{view.view}: {view.kept:,} records that were pushed online only are served on,"
                " until newer rows come"
            )
        if view.dropped:
            say(
                f"{view.view}: {view.dropped:,} records that were pushed online only are gone: push"
                " them again"
            )


@click.command("verify")
@click.argument("service", required=False, shell_complete=service_names)
@catalog_options
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
    """Compare the online store with the point-in-time join, value by value.

    Exits 1 if they differ.
    """
    from furrow.features.manifest import load  # noqa: PLC0415 - after --help

    # Arrow, DuckDB and LMDB, after --help
    from furrow.features.store_verify import verify  # noqa: PLC0415

    folder = features_folder(repo)
    may_compute(folder)
    names = [service] if service else sorted(load(folder).services)
    reports = []
    for name in names:
        with waiting(f"verifying {name}"):
            reports.append(verify(folder, name, rows=rows, at=typed_moment(at, "--at")))
    if as_json:
        render.echo_json([jsonable(asdict(report)) for report in reports], "reports")
    for report in reports if not as_json else []:
        said = (
            f"{report.rows:,} rows, {number_of(report.features, 'feature')}, {report.present:,}"
            " values present"
        )
        said += f", {report.online_only:,} pushed online only" if report.online_only else ""
        said += f", {report.newer:,} newer than the moment" if report.newer else ""
        wrong = len(report.differences)
        verdict = f"{wrong:,} values differ" if wrong else "all equal"
        say(f"{report.service}: {verdict} ({said}, at {report.at:%Y-%m-%d %H:%M:%S}Z)")
        shown = [
            (d.feature, d.online, d.offline, d.status, row_text(d.row))
            for d in report.differences[:20]
        ]
        if shown:
            render.table(shown, ["feature", "online", "offline", "status", "row"])
    return 0 if all(reports) else 1


@click.command("compare-stores")
@click.argument("service", required=False, default="", shell_complete=service_names)
@click.argument(
    "rows", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@catalog_options
@click.option(
    "--sample",
    type=click.IntRange(1, 1_000_000),
    default=2_000,
    show_default=True,
    help="Without ROWS: how many to make of the sources' keys and moments.",
)
def compare_command(
    *, service: str, rows: Path | None, repo: Path | None, as_json: bool, sample: int
) -> int:
    """Join SERVICE to ROWS (Parquet, CSV: keys, event_timestamp) by this repository's offline store and by Furrow's.

    For a Feast repository that is to be joined: which rows its store loses, which values differ,
    and why. Without ROWS they are made of what the sources hold; without SERVICE all views are
    joined. Exits 1 if anything differs. Nothing is written.
    """
    from furrow.features.store_compare import FURROW_STORES, compare_stores, read_rows  # noqa: PLC0415
    from furrow.ground.trust import require_trust  # noqa: PLC0415 - after --help

    folder = features_folder(repo)
    require_trust(folder, "this runs the feature definitions of this repository")
    with waiting("joining twice"):
        found = compare_stores(folder, service, read_rows(rows) if rows else sample)
    if as_json:
        render.echo_json(jsonable(asdict(found)))
        return 1 if found else 0
    made = "" if rows else ", made of the sources' own keys and moments"
    say(
        f"{found.rows:,} rows{made}, {number_of(len(found.features), 'feature')}, by"
        f" {found.store} and by"
        " Furrow's store"
    )
    say(
        f"lost: {found.lost:,} rows; repeated: {found.repeated:,}; values that differ:"
        f" {found.differing:,}"
    )
    if found.written_later:
        say(
            f"in {found.written_later:,} rows both give a value that was written only after the"
            " row's moment (backfilled: training knows it too early)"
        )
    if not found:
        say("the two stores agree")
    render.table(
        [(name, count) for name, count in found.features.items() if count], ["feature", "values"]
    )
    render.table([(count, why) for why, count in found.reasons.items()], ["of these", "because"])
    render.table(
        [(row_text(one.row), one.feature, one.theirs, one.ours) for one in found.examples],
        ["row", "feature", found.store, "Furrow"],
    )
    say("to join it, in feature_store.yaml:")
    for line in FURROW_STORES:
        say(f"  {line}")
    return 1 if found else 0


@click.command("get")
@click.argument("service", shell_complete=service_names)
@catalog_options
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

    moment = typed_moment(at, "--at")
    may_compute(features_folder(repo))
    with FeatureClient.open(features_folder(repo)) as client:
        plan = client.plan(service, full_names=full_feature_names or None)
        types = dict(plan.request) | {
            name: dtype for spec in plan.specs for name, _, dtype in spec.fields
        }
        rows = given_rows(pairs, source, types)
        batch = client.get(service, rows, at=moment, full_feature_names=full_feature_names or None)
        values, status, age = batch.to_dict(), batch.status, batch.age
    answers = [
        {
            name: {
                "value": jsonable(values[name][at]),
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

        tables.show_answer(row_text(row), answer)


@click.command("push")
@click.argument("view")
@catalog_options
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

    folder = features_folder(repo)
    check_views(folder, (view,))
    declared = load(folder).views[view]
    types = {column.name: column.dtype for column in (*declared.join_keys, *declared.features)}
    rows = given_rows(pairs, source, types)
    newer = push(folder, view, rows)
    if as_json:
        render.echo_json({"view": view, "pushed": len(rows), "newer": newer})
    else:
        say(f"{view}: {len(rows)} pushed, {newer} newer than what the online store held")


COMMANDS = (materialize_command, verify_command, compare_command, get_command, push_command)
"""Each a command of `furrow features`."""
