"""Furrow: a Git-native ML platform. What Git declares, it makes so, with proof."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # `typing` itself would double the time that this package takes
if TYPE_CHECKING:
    from typing import Any

    from furrow.features.client import AsyncFeatureClient, FeatureClient
    from furrow.history.frame import runs
    from furrow.history.named_run import run
    from furrow.training.log import log, log_to

__all__ = ["AsyncFeatureClient", "FeatureClient", "__version__", "log", "log_to", "run", "runs"]
__version__ = "0.1.0"

_LAZY = {
    "FeatureClient": "furrow.features.client",
    "AsyncFeatureClient": "furrow.features.client",
    "log": "furrow.training.log",
    "log_to": "furrow.training.log",
    "run": "furrow.history.named_run",
    "runs": "furrow.history.frame",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that importing the package costs nothing."""
    if name not in _LAZY:
        raise AttributeError(f"module 'furrow' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return found


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext furrow` asks for: the magic `%furrow COMMAND`."""
    import_module("furrow.cli.notebook").load(shell)


def __dir__() -> list[str]:
    """What is public."""
    return sorted(__all__)
