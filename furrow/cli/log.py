"""`furrow log`: ask a prediction log in SQL, while it grows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import click

from furrow.cli import render
from furrow.cli.terminal import say
from furrow.errors import UsageError

_USUAL = """select time, id, version, variant, to_json(keys) as keys, to_json(prediction) as prediction
from predictions order by time desc, id desc limit 20"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("sql", default=_USUAL)
@click.option("--since", help="From this time on (ISO 8601, UTC if it has no zone).")
@click.option("--until", help="Up to this time, without it.")
@click.option("--model", help="Only of this model.")
@click.option(
    "--forget",
    "forgotten",
    multiple=True,
    metavar="NAME=VALUE[,NAME=VALUE]",
    help=(
        "Take somebody out, as `furrow audit --key` names them; says how many records without"
        " --yes."
    ),
)
@click.option("--yes", is_flag=True, help="With --forget: do it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(
    *,
    folder: Path,
    sql: str,
    since: str | None,
    until: str | None,
    model: str | None,
    forgotten: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """Ask the prediction log in FOLDER in DuckDB's SQL: the table is `predictions`.

    Without SQL, the last 20.

    --forget customer=42 --yes: records about them keep id, time, version and score, and lose keys,
    request and features; they can't be traced any more.

    Sealed and live records are in it. Example: furrow log .furrow/serving/production/log "select
    version, count(*) from predictions group by 1"
    """
    if forgotten:
        _forget(folder, forgotten, yes=yes, as_json=as_json)
        return
    import duckdb  # noqa: PLC0415 - loads after --help

    from furrow.serving.log_reader import query, read_losses  # noqa: PLC0415 - the same

    try:
        found = query(folder, sql, _moment(since), _moment(until), model=model)
        names, rows = found.columns, found.fetchall()
    except duckdb.Error as exc:
        hint = (
            ""
            if re.search(r"\bpredictions\b", sql, re.IGNORECASE)
            else "the table is `predictions`"
        )
        raise UsageError(f"the query is wrong: {str(exc).splitlines()[0]}", hint=hint) from exc
    if as_json:
        render.echo_json([dict(zip(names, map(_plain, row), strict=True)) for row in rows], "rows")
        return
    render.table([[_plain(value) for value in row] for row in rows], names)
    lost = read_losses(folder)
    if lost.dropped or lost.damaged:
        say(
            f"not in the log: {lost.dropped} records dropped ({lost.why}), {lost.damaged} bytes"
            " damaged"
        )


def _forget(folder: Path, texts: tuple[str, ...], *, yes: bool, as_json: bool) -> None:
    from furrow.governance.key_search import parse_key  # noqa: PLC0415 - loads after --help
    from furrow.serving.log_redact import redact_log  # noqa: PLC0415 - the same
    from furrow.serving.log_search import records_about  # noqa: PLC0415 - the same

    keys = parse_key(texts)
    if not yes:
        count = sum(one for key in keys for one in records_about(folder, key)[0].values())
        if as_json:
            render.echo_json([{"redacted": 0, "left": count, "unread": []}], "rows")
        else:
            say(f"{count:,} records are about them; nothing was changed: --yes takes them out")
        return
    done = redact_log(folder, keys)
    if as_json:
        told = {"redacted": done.records, "left": done.left, "unread": list(done.unread)}
        render.echo_json([told], "rows")
        return
    say(f"{done.records:,} records name nobody any more")
    if done.left:
        say(f"{done.left:,} are in a segment that a server still writes: again when it is sealed")
    for one in done.unread:
        say(f"{one} can't be read")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as exc:
        raise UsageError(f"{text!r} is not a time", hint="write it as 2026-03-01T12:00Z") from exc
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
