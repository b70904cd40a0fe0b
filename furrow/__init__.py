"""Furrow: a Git-native ML platform. What Git declares, it makes so, with proof."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # `typing` itself would double the time that this package takes
if TYPE_CHECKING:
    from typing import Any

    from furrow import runs
    from furrow.features.client import AsyncFeatureClient, FeatureClient
    from furrow.runs.load import run
    from furrow.runs.log import log, log_to

__all__ = ["AsyncFeatureClient", "FeatureClient", "__version__", "log", "log_to", "run", "runs"]
__version__ = "0.1.0"

_LAZY = {
    "FeatureClient": "furrow.features.client",
    "AsyncFeatureClient": "furrow.features.client",
    "log": "furrow.runs.log",
    "log_to": "furrow.runs.log",
    "run": "furrow.runs.load",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that importing the package costs nothing."""
    if name == "runs":  # a package that can be called; a name of its own would be hidden by it
        return import_module("furrow.runs")
    if name not in _LAZY:
        raise AttributeError(f"module 'furrow' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return found
