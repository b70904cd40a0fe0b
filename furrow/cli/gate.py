"""`furrow gate`: the verdict on every run, and the champion."""

from __future__ import annotations

import click

from furrow.cli import render
from furrow.errors import FurrowError
from furrow.files import read_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, as_json: bool) -> None:
    """Show which runs pass the gate, by how much the others fail, and the champion; exit 1 if there is none."""
    from furrow.plan.project_root import in_project  # noqa: PLC0415 - after --help

    path = in_project("runs/champion.json")
    if not path.is_file():
        raise FurrowError("there is no verdict yet: runs/champion.json is missing", hint="run `dvc repro`")
    record = read_json(path)
    if as_json:
        render.echo_json(record)
    else:
        _show(record)
    if record["experiment"] is None:
        raise FurrowError("no run passes the gate", hint="look at conf/gate, or try better models with `furrow try`")


def _show(record: dict[str, object]) -> None:
    rows = []
    verdicts = record["verdicts"]
    assert isinstance(verdicts, dict)
    for name, verdict in verdicts.items():
        mark = "champion" if name == record["experiment"] else "passed" if verdict["passed"] else "failed"
        rows.append([name, mark, *_failure(next(iter(verdict["failures"]), None)), len(verdict["failures"]) or None])
    render.table(rows, ["experiment", "verdict", "first rule failed", "value", "limit", "short by", "rules failed"])


def _failure(failure: dict[str, object] | None) -> list[object]:
    return [failure[key] for key in ("rule", "value", "limit", "short_by")] if failure else [None] * 4
