"""What a client answered, as a notebook shows it.

The first rows of each feature, and how many have a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.drawing.moves import moves
from furrow.drawing.notebook_drawings import notebook_drawing
from furrow.drawing.notebook_tables import notebook_table
from furrow.plurals import number_of

if TYPE_CHECKING:
    from furrow.features.batch import Batch

__all__ = ["batch_html", "plain_value"]

_ROWS = 8


def batch_html(batch: Batch) -> str:
    """A batch of features as HTML.

    Args:
        batch: What `FeatureClient.get` gave.
    """
    shown = range(min(len(batch), _ROWS))
    heads = ("feature", *(f"row {at}" for at in shown))
    rows = [
        (name, *(plain_value(some[at]) for at in shown)) for name, some in batch.to_dict().items()
    ]
    present = [
        (name, sum(one == "present" for one in said) / max(1, len(said)))
        for name, said in batch.status.items()
    ]
    title = "Share of rows with a value"
    table = notebook_table(
        f"{number_of(len(batch), 'row')} of {number_of(len(batch.names), 'feature')}", heads, rows
    )
    return f"{table}{notebook_drawing([(title, moves(present, title=title))])}"


def plain_value(value: Any) -> str | float | None:
    """A value as a cell of a notebook's table."""
    return value if value is None or isinstance(value, str | float) else str(value)
