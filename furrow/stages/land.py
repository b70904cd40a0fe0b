"""What a project's pipelines/ingest.py calls: its tables landed, and what became of each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.intake.project_data import land_all
from furrow.stages.command import note, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["land_project"]


def land_project(
    sources: Mapping[str, Sequence[str]],
    *,
    timezone: str = "UTC",
    numbered: Mapping[str, str] | None = None,
) -> None:
    """Land the tables of the project that the running script is of.

    The process ends with 1 where one can't be landed.

    Args:
        sources: Where each table comes from, as for `furrow.intake.project_data.land_all`.
        timezone: Of moments that name no zone.
        numbered: Tables whose rows are counted from 1, in the order of their source, because no
            column of theirs names them; and what the column of the count is called.
    """
    root = Path(sys.argv[0]).resolve().parent.parent
    try:
        for one in land_all(root, sources, timezone=timezone, numbered=numbered):
            for line in one.notes:
                note(f"note: {one.name}: {line}")
            say(f"{one.name}: {one.rows:,} rows, {'landed' if one.changed else 'unchanged'}")
    except FurrowError as exc:
        note(f"error: {exc}")
        sys.exit(exc.exit_code)
