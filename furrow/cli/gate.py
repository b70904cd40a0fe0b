"""`furrow gate`: the verdict on every run, and the champion."""

from __future__ import annotations

from typing import Any

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
    if not isinstance(record, dict) or not isinstance(record.get("verdicts"), dict):
        raise FurrowError(
            "runs/champion.json holds no verdicts", hint="the stage `select` writes them: run `dvc repro`"
        )
    if as_json:
        render.echo_json(record)
    else:
        _show(record)
    if record.get("experiment") is None:
        raise FurrowError("no run passes the gate", hint="look at conf/gate, or try better models with `furrow try`")


def _show(record: dict[str, Any]) -> None:
    rows = []
    for name, said in record["verdicts"].items():
        verdict = said if isinstance(said, dict) else {}
        failures = verdict.get("failures")
        failures = [one for one in failures if isinstance(one, dict)] if isinstance(failures, list) else []
        mark = "champion" if name == record.get("experiment") else "passed" if verdict.get("passed") else "failed"
        rows.append([name, mark, *_failure(next(iter(failures), {})), len(failures) or None])
    render.table(rows, ["experiment", "verdict", "first rule failed", "value", "limit", "short by", "rules failed"])


def _failure(failure: dict[str, Any]) -> list[Any]:
    return [failure.get(key) for key in ("rule", "value", "limit", "short_by")]
