"""Stage `validate`: data/ keeps its contract, or the pipeline stops here with nothing overwritten."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from furrow.data.contract import load_contract
from furrow.data.data_check import check
from furrow.data.data_verdict import verdict
from furrow.errors import FurrowError
from furrow.files import write_json, write_text

__all__ = ["main", "validate"]

DATA, CONTRACT = Path("data"), Path("conf/data/contract.yaml")
REPORT, MARKER = Path("build/validation.json"), Path("runs/.validated")


def validate() -> bool:
    """Check the data, say what was found, and leave the report and the marker if all is well.

    Returns:
        Whether the data keep the contract.
    """
    report = check(DATA, load_contract(CONTRACT))
    click.echo(verdict(report, data_dir=DATA, contract=CONTRACT))
    if report:
        write_json(REPORT, report.to_json())
        write_text(MARKER, "the data keep their contract\n")
    return bool(report)


def main() -> None:
    """Run the stage."""
    try:
        sys.exit(0 if validate() else 1)
    except FurrowError as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(exc.exit_code)


if __name__ == "__main__":
    main()
