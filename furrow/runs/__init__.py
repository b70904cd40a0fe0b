"""Runs: declare (compile), record, read history, compare, search, replay.

The package can be called: `furrow.runs(where="roc_auc > 0.75", revs="all")` is `furrow.runs.frame.runs(...)`. It is a
package and a function under one name; so the call is a method of the module's class, which holds in whatever order the
package, its modules and `furrow` are imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class _Runs(ModuleType):
    """This package, which can also be called."""

    def __call__(self, where: str = "", revs: str | list[str] = "", **options: Any) -> pd.DataFrame:
        """List runs of any history as a DataFrame; the arguments are those of `furrow.runs.frame.runs`."""
        found: pd.DataFrame = import_module("furrow.runs.frame").runs(where, revs, **options)
        return found


sys.modules[__name__].__class__ = _Runs
