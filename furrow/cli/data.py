"""`furrow data`: check the raw data against its contract, and draw what it looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from furrow.cli import render

if TYPE_CHECKING:
    from furrow.data.profile import Profile
    from furrow.data.report import Report, Violation

__all__ = ["command", "show_report"]

_data_dir = click.option(
    "--data-dir", type=click.Path(path_type=Path), default=Path("data"), show_default=True, help="The raw data."
)
_contract = click.option(
    "--contract",
    type=click.Path(path_type=Path),
    default=Path("conf/data/contract.yaml"),
    show_default=True,
    help="What the data must keep.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")


@click.group()
def command() -> None:
    """Check the data against its contract, and draw what it looks like."""


@command.command("check")
@_data_dir
@_contract
@_json
def check_command(data_dir: Path, contract: Path, as_json: bool) -> int:
    """Hold the data against its contract; exits 1 if they break it."""
    from furrow.data.check import check  # noqa: PLC0415 - pandera and duckdb, only when the command runs
    from furrow.data.contract import load_contract  # noqa: PLC0415

    report = check(data_dir, load_contract(contract))
    if as_json:
        render.echo_json(report.to_json())
    else:
        show_report(report, data_dir=data_dir, contract=contract)
    return 0 if report else 1


def show_report(report: Report, *, data_dir: Path, contract: Path) -> None:
    """Print a verdict: what is wrong, how often, where, with a few of the rows."""
    rows = sum(sum(counts.values()) for counts in report.rows.values())
    if report:
        click.echo(f"{data_dir} keeps its contract: {report.rules} rules, {rows:,} rows in {_files(report)} files.")
        return
    breaches = len(report.violations)
    click.echo(f"{data_dir} breaks its contract {contract}: {breaches} violation{'s' * (breaches > 1)}.\n")
    for violation in report.violations:
        _show_violation(violation)
    if report.not_checked:
        click.echo(f"not checked, as a column or file is wanting: {len(report.not_checked)} rules")
        for rule in report.not_checked:
            click.echo(f"  {rule}")
        click.echo()
    click.echo(
        f"Next: mend the data (`python -m pipelines.ingest` lands what is missing or damaged, "
        f"`dvc checkout {data_dir}` brings back what was committed), or, if the change is meant, {contract}."
    )


def _files(report: Report) -> int:
    return sum(len(counts) for counts in report.rows.values())


def _show_violation(violation: Violation) -> None:
    single = violation.column and "," not in violation.column
    place = f"{violation.table}.{violation.column}" if single else violation.table
    many = f", {violation.count:,} rows" if violation.sample else ""
    click.secho(f"{place}: {violation.rule}{many}", bold=True)
    click.echo(f"  {violation.message}")
    if violation.files:
        more = f" and {len(violation.files) - 5} more" if len(violation.files) > 5 else ""
        click.echo(f"  in {', '.join(violation.files[:5])}{more}")
    for row in violation.sample:
        click.echo("    " + "  ".join(f"{key}={_value(value)}" for key, value in row.items() if key != "file"))
    click.echo()


def _value(value: Any) -> str:
    return "null" if value is None else str(value).removesuffix("+00:00")


@command.command("profile")
@_data_dir
@_contract
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("build/profile.html"),
    show_default=True,
    help="Where the page goes.",
)
@_json
def profile_command(data_dir: Path, contract: Path, out: Path, as_json: bool) -> None:
    """Print what each table holds, and draw it on one HTML page."""
    from furrow.data.contract import load_contract  # noqa: PLC0415 - duckdb, only when the command runs
    from furrow.data.page import write_page  # noqa: PLC0415
    from furrow.data.profile import profile  # noqa: PLC0415

    found = profile(data_dir, load_contract(contract))
    write_page(out, found)
    if as_json:
        render.echo_json(found.to_json())
        return
    _show_profile(found)
    click.echo(f"Drawn in {out}: open it in a browser; it needs no network. Next: furrow data check")


def _show_profile(found: Profile) -> None:
    for table in found.tables:
        rows = [
            (
                column.name,
                column.type,
                _share(column.null_share) if column.nulls else "",
                f"{column.distinct:,}",
                column.least,
                column.median,
                column.most,
                ", ".join(f"{value} {_share(share)}" for value, share in column.top[:3]),
            )
            for column in table.columns
        ]
        headings = ["column", "type", "null", "distinct", "min", "median", "max", "most frequent"]
        title = f"{table.name}: {table.rows:,} rows"
        if table.months:
            title += f", {table.months[0]} to {table.months[-1]}"
        render.table(rows, headings, title=title, right=["null", "distinct", "min", "median", "max"])
        for note in table.notes:
            click.echo(f"notice: {note}", err=True)


def _share(value: float) -> str:
    if value < 0.001:
        return "<0.1%"
    return f"{value:.0%}" if value >= 0.0995 else f"{value:.1%}"
