"""How often each class was taken for which.

Counted from the predictions that a run keeps, where they are here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.training.class_columns import PREFIX, class_names
from furrow.web.content import Note, Table

if TYPE_CHECKING:
    from furrow.history.load import Run
    from furrow.web.content import Block

__all__ = ["confusion"]

_MOST = 40
THRESHOLD = 0.5


def confusion(run: Run) -> list[Block]:
    """A row for each true class, a column for each predicted one.

    Of a binary label at a threshold of one half.

    Args:
        run: The run.

    Returns:
        The table, or why there is none.
    """
    try:
        frame = run.predictions()
    except FurrowError as exc:
        return [Note(f"{exc.message}. {exc.hint}", "warn")]
    except (OSError, ValueError) as exc:
        return [Note(f"The predictions can't be read: {str(exc)[:200]}", "bad")]
    names = class_names(frame.columns)
    if "label" not in frame or not (names or "probability" in frame):
        return [
            Note("These predictions are numbers: there are no classes to be taken for another.")
        ]
    known = frame[frame["label"].notna()]
    if names:
        said = known[[PREFIX + name for name in names]].idxmax(axis=1).str.removeprefix(PREFIX)
        true = known["label"].astype(str)
    else:
        said = (known["probability"] >= THRESHOLD).map({True: "yes", False: "no"})
        true = (known["label"] == 1).map({True: "yes", False: "no"})
        names = ("no", "yes")
    counts = true.groupby([true, said]).size().to_dict()
    names = names[:_MOST]
    rows = []
    for one in names:
        row = [int(counts.get((one, other), 0)) for other in names]
        right = counts.get((one, one), 0) / sum(row) if sum(row) else None
        rows.append((one, *row, right))
    heads = ("in truth", *(f"said {name}" for name in names), "share said right")
    about = (
        "Of a binary label: yes from one half on."
        if "probability" in frame
        else "The likeliest class counts."
    )
    return [Table("confusion", heads, rows), Note(about)]
