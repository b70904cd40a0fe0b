"""`furrow trace`: what a logged prediction was made of, and its score made again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render
from furrow.cli.terminal import say
from furrow.ground.project_place import project_root

if TYPE_CHECKING:
    from furrow.serving.trace import Trace


@click.command()
@click.argument("identity", metavar="ID")
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    help="The log's folder, where it is not this project's own server's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, identity: str, log: Path | None, as_json: bool) -> int:
    """Tell what the prediction ID was made of, and make its score again.

    Exits with 4 if the score is another one, or could not be made again.
    """
    from furrow.serving.trace import find_logged, trace  # noqa: PLC0415 - loads after --help

    root = project_root(Path.cwd())
    found = trace(root, find_logged(root, identity, log))
    if as_json:
        render.echo_json(to_json(found))
    else:
        show(found)
    return 0 if found.equal else 4


def show(found: Trace) -> None:
    """Print a trace."""
    record = found.record
    facts = [
        ["answered", f"{record.time:%Y-%m-%d %H:%M:%S} UTC by {record.version} ({record.variant})"],
        ["commit", record.commit or "none"],
        ["model", record.model_sha256],
        ["run", found.run],
        ["config", f"{found.config[0]} {found.config[1][:12]}" if found.config[0] else "unknown"],
        *([f"data {path}", value] for path, value in found.data.items()),
        ["features", f"{record.service} {record.features_digest[:12]}"],
        ["replay", "; ".join(map(_replay, found.replays)) or "never replayed"],
        *([name, value] for name, value in (*record.keys.items(), *record.request.items())),
        *([f"predicted {name}", _number(value)] for name, value in record.prediction.items()),
    ]
    render.table(facts, ["", record.id], right=[])
    seen = [
        [name, _text(value), record.statuses.get(name, ""), _text(record.event_times.get(name))]
        for name, value in record.features.items()
    ]
    render.table(seen, ["feature", "value", "status", "known since"], right=["value"])
    if found.rows:
        rows = [
            [
                one.view,
                _text(one.event_time),
                {True: "the same", False: "other", None: "unknown"}[one.same],
                one.why,
            ]
            for one in found.rows
        ]
        render.table(rows, ["source row of", "event time", "values", ""])
    for one in found.missing:
        say(f"missing: {one}")
    if found.equal is not None:
        said = "bit for bit equal" if found.equal else f"ANOTHER ONE: {found.again}"
        say(f"the score made again is {said}")


def to_json(found: Trace) -> dict[str, Any]:
    """A trace as plain values."""
    from dataclasses import asdict  # noqa: PLC0415 - loads after --help

    plain: dict[str, Any] = _plain(asdict(found))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN is no JSON
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _replay(one: dict[str, Any]) -> str:
    held = "" if one["holds"] else f" (the note does not hold: {'; '.join(one['problems'])})"
    return f"{one['verdict']}{held}"


def _number(value: Any) -> str:
    return "none" if value is None else repr(value)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else str(value)
