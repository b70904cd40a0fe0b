"""The run that logged predictions are of.

A server may ask for a model by its environment's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.layout import RUN_CONFIG, run_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run_of"]


def run_of(root: Path, model: str, version: str) -> str:
    """The run's name: the model's, where the project has such a run, else that of its version.

    Args:
        root: The project.
        model: As the log names it.
        version: Such as "gbm@v1.0.0".
    """
    named = version.rpartition("@")[0]
    if named and not (root / run_file(model, RUN_CONFIG)).is_file():
        return named
    return model
