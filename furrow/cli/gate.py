"""`furrow gate`: the verdict on every run, and the champion."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from furrow.cli import render
from furrow.errors import FurrowError
from furrow.files import read_json
from furrow.layout import CHAMPION
from furrow.training.champions import Champion, read_champions


@click.command()
@click.option(
    "--sign", is_flag=True, help="Sign HEAD's verdicts with the SSH key that Git signs with."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def command(*, sign: bool, as_json: bool) -> int:
    """Show which runs pass the gate, by how much others fail, and each problem's champion.

    Exit 1 if one has none.
    """
    from furrow.plan.project_root import in_project  # noqa: PLC0415 - after --help

    path = in_project(CHAMPION)
    if not path.is_file():
        raise FurrowError(f"there is no verdict yet: {CHAMPION} is missing", hint="run `dvc repro`")
    champions = read_champions(path.read_bytes())
    if sign:
        from furrow.models.trusted_version import sign_gate  # noqa: PLC0415 - after --help

        sign_gate(path.resolve().parent.parent, now=datetime.now(UTC))
    if not as_json:
        for one in champions.values():
            _show(one)
    without = [one.problem for one in champions.values() if one.experiment is None]
    of = f" of problem {without[0]}" if without and without[0] else ""
    message, hint = (
        f"no run{of} passes the gate",
        "look at conf/gate, or try better models with `furrow try`",
    )
    if as_json:
        error = {"message": message, "hint": hint, "exit_code": 1}
        render.echo_json(read_json(path) | ({"error": error} if without else {}))
        return 1 if without else 0
    if without:
        raise FurrowError(message, hint=hint)
    return 0


def _show(one: Champion) -> None:
    rows = []
    for name, said in one.verdicts.items():
        verdict = said if isinstance(said, dict) else {}
        failures = verdict.get("failures")
        failures = (
            [each for each in failures if isinstance(each, dict)]
            if isinstance(failures, list)
            else []
        )
        mark = (
            "champion"
            if name == one.experiment
            else "passed"
            if verdict.get("passed")
            else "failed"
        )
        rows.append([name, mark, *_failure(next(iter(failures), {})), len(failures) or None])
    columns = [
        "experiment",
        "verdict",
        "first rule failed",
        "value",
        "limit",
        "short by",
        "rules failed",
    ]
    render.table(rows, columns, title=f"Problem {one.problem}" if one.problem else "")


def _failure(failure: dict[str, Any]) -> list[Any]:
    return [failure.get(key) for key in ("rule", "value", "limit", "short_by")]
