"""Stage `validate`.

Data/ keeps its contract, or the pipeline stops here with nothing overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.data.contract import load_contract
from furrow.data.data_check import check
from furrow.data.data_verdict import verdict
from furrow.data.raw_files import how_to_land
from furrow.files import write_json, write_text
from furrow.layout import CONTRACT, DATA, VALIDATED, VALIDATION
from furrow.stages.command import run_stage, say

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["validate"]


def validate(root: Path) -> int:
    """Check the data, say what was found, and leave the report and the marker if all is well.

    Returns:
        0 if the data keep the contract, else 1.
    """
    land = how_to_land(root)
    report = check(root / DATA, load_contract(root / CONTRACT), land=land)
    say(verdict(report, data_dir=root / DATA, contract=root / CONTRACT, land=land))
    if not report:
        return 1
    write_json(root / VALIDATION, report.to_json())
    write_text(root / VALIDATED, "the data keep their contract\n")
    return 0


if __name__ == "__main__":
    run_stage("validate", "Hold the raw data against their contract.", (), validate)
