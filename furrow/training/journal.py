"""The journal: how long each stage took here. A local fact, kept out of Git."""

from __future__ import annotations

import json
import resource
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from furrow.layout import FURROW
from furrow.parse import ParseError, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["JOURNAL", "read", "record"]

JOURNAL = f"{FURROW}/journal.jsonl"


@contextmanager
def record(root: Path, stage: str) -> Iterator[dict[str, Any]]:
    """Time a stage and append one line to the journal when it ends well.

    Args:
        root: The repository.
        stage: The stage's name as DVC shows it, such as "train@gbm".

    Yields:
        A mapping for facts that name the result, such as {"predictions_sha256": ...}.
    """
    facts: dict[str, Any] = {}
    started, clock = time.time(), time.perf_counter()
    yield facts
    own, children = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    line = {
        "stage": stage,
        "started": round(started, 3),
        "seconds": round(time.perf_counter() - clock, 3),
        "cpu_seconds": round(
            own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 3
        ),
        "peak_mb": round(max(own.ru_maxrss, children.ru_maxrss) / 1024, 1),
        **facts,
    }
    path = root / JOURNAL
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(line) + "\n")


def read(root: Path) -> list[dict[str, Any]]:
    """The journal's lines, oldest first; a line cut short by a kill is passed over."""
    path = root / JOURNAL
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = parse_json(text)
        except ParseError:
            continue
        if isinstance(line, dict) and "stage" in line and "seconds" in line:
            lines.append(line)
    return lines
