"""Opening pickled models, of this version and of older ones whose modules have moved since."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import joblib

from furrow.training import fit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["unpickled"]

MOVED = {"furrow.runs": ModuleType("furrow.runs"), "furrow.runs.fit": fit}
"""Where older versions had what a pickle names, and what it is now."""


def unpickled(content: bytes) -> Any:
    """The object in a joblib file.

    This may run code: the caller has checked where the bytes come from.
    """
    with _old_names():
        return joblib.load(io.BytesIO(content))


@contextmanager
def _old_names() -> Iterator[None]:
    added = [name for name in MOVED if name not in sys.modules]
    sys.modules.update({name: MOVED[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]
