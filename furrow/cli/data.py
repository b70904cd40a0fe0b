"""`furrow data`: check the raw data against its contract, and draw what it looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from furrow.cli import render
from furrow.cli.terminal import say, say_block
from furrow.cli.usage import Nouns
from furrow.layout import BUILD, CONTRACT, DATA

if TYPE_CHECKING:
    from furrow.data.check_report import Report
    from furrow.data.profile import Profile

__all__ = ["command"]

_data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="The raw data.  [default: the project's data]",
)
_contract = click.option(
    "--contract",
    type=click.Path(path_type=Path),
    help="What the data must keep.  [default: the project's conf/data/contract.yaml]",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")


@click.group(cls=Nouns)
def command() -> None:
    """Check the data against its contract, and draw what it looks like."""


@command.command("check")
@_data_dir
@_contract
@_json
def check_command(data_dir: Path | None, contract: Path | None, as_json: bool) -> int:
    """Hold the data against its contract; exits 1 if they break it.

    Values that are hard to believe (outside of a column's `plausible`, or far beyond all others) are
    told, and break nothing.
    """
    from furrow.data.contract import load_contract  # noqa: PLC0415

    # pandera and duckdb, only when the command runs
    from furrow.data.data_check import check  # noqa: PLC0415
    from furrow.data.data_verdict import verdict  # noqa: PLC0415
    from furrow.data.raw_files import how_to_land  # noqa: PLC0415
    from furrow.plan.project_root import in_project  # noqa: PLC0415

    data_dir, contract = data_dir or in_project(DATA), contract or in_project(CONTRACT)
    land = how_to_land(in_project("."))
    report = check(data_dir, load_contract(contract), land=land, warn=True)
    if as_json:
        render.echo_json(report.to_json())
    else:
        say_block(f"{verdict(report, data_dir=data_dir, contract=contract, land=land)}\n")
    return 0 if report else 1


@command.command("profile")
@_data_dir
@_contract
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the page goes.  [default: the project's build/profile.html]",
)
@_json
def profile_command(
    data_dir: Path | None, contract: Path | None, out: Path | None, as_json: bool
) -> None:
    """Print what each table holds, and draw it on one HTML page."""
    # duckdb, only when the command runs
    from furrow.data.contract import load_contract  # noqa: PLC0415
    from furrow.data.data_check import check  # noqa: PLC0415
    from furrow.data.profile import profile  # noqa: PLC0415
    from furrow.data.profile_page import write_page  # noqa: PLC0415
    from furrow.files import machine_file  # noqa: PLC0415
    from furrow.plan.project_root import in_project  # noqa: PLC0415

    data_dir, declared = (
        data_dir or in_project(DATA),
        load_contract(contract or in_project(CONTRACT)),
    )
    found = profile(data_dir, declared)
    out = out or machine_file(in_project("."), f"{BUILD}/profile.html")
    report = check(data_dir, declared)
    write_page(out, found, _about(data_dir, report), kept=bool(report))
    if as_json:
        render.echo_json(found.to_json())
        return
    _show_profile(found)
    say(f"Drawn in {out}: open it in a browser; it needs no network. Next: furrow data check")


def _about(data_dir: Path, report: Report) -> list[tuple[str, str]]:
    """What a profile is of: the commit, the data that it names, the contract and what it says of them."""
    from furrow.errors import FurrowError  # noqa: PLC0415 - after --help
    from furrow.ground.git import resolve  # noqa: PLC0415
    from furrow.ground.project_place import project_root  # noqa: PLC0415
    from furrow.history.raw_data import raw_data  # noqa: PLC0415

    said = []
    try:
        root = project_root(Path.cwd())
        commit = resolve(root, "HEAD")
        said.append(("commit", commit[:10]))
        version = raw_data(root, commit)
        if version and data_dir.resolve() == (root / DATA).resolve():
            said.append((f"hash in {version.path}.dvc", version.md5))
    except FurrowError:
        said.append(("commit", "none: not in a repository with one"))
    broken = len(report.violations)
    verdict = f"broken: {broken} violation{'s' * (broken != 1)}" if broken else "kept"
    said += [("contract", report.contract[:10]), ("verdict", f"{verdict} ({report.rules} rules)")]
    return said


def _show_profile(found: Profile) -> None:
    for table in found.tables:
        rows = [
            (
                column.name,
                column.type,
                column.unit or None,
                _share(column.null_share) if column.nulls else "",
                f"{column.distinct:,}",
                column.least,
                column.median,
                column.most,
                ", ".join(f"{value} {_share(share)}" for value, share in column.top[:3]),
            )
            for column in table.columns
        ]
        headings = [
            "column",
            "type",
            "unit",
            "null",
            "distinct",
            "min",
            "median",
            "max",
            "most frequent",
        ]
        title = f"{table.name}: {table.rows:,} rows"
        if table.partitions:
            title += f", {table.partitions[0]} to {table.partitions[-1]}"
        render.table(
            rows, headings, title=title, right=["null", "distinct", "min", "median", "max"]
        )
        for column in table.columns:
            if column.doubted:
                many = f"{column.doubted:,} value{'s' * (column.doubted != 1)}"
                say(
                    f"hard to believe: {table.name}.{column.name}: {many}; furrow data check shows"
                    " them",
                    err=True,
                )
        for note in table.notes:
            say(f"notice: {note}", err=True)


def _share(value: float) -> str:
    if value < 0.001:
        return "<0.1%"
    return f"{value:.0%}" if value >= 0.0995 else f"{value:.1%}"


@command.command("card")
@click.argument("problem")
@click.option("--rev", default="HEAD", show_default=True, help="The commit.")
@_json
def card_command(problem: str, rev: str, as_json: bool) -> None:
    """Print the datasheet of PROBLEM's data: what is known, and the sentences of conf/card."""
    from furrow.governance.standard_card import data_card  # noqa: PLC0415
    from furrow.ground.git import resolve  # noqa: PLC0415
    from furrow.ground.project_place import project_root  # noqa: PLC0415

    root = project_root(Path.cwd())
    commit = resolve(root, rev)
    card = data_card(root, commit, problem)
    if as_json:
        render.echo_json({"problem": problem, "commit": commit, "card": card})
        return
    say_block(card)
