"""The one way in which Furrow starts Python: never with a module from the folder that it works in.

A clone may hold `furrow/`, `dvc.py`, `json.py` or `sitecustomize.py`. `python -m NAME` takes such a
file before what is installed, and so does an entry of PYTHONPATH that is empty or relative. So:
this very interpreter by its absolute path, -P, and a PYTHONPATH of absolute folders alone.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["child_environment", "closed_python", "furrow_in_shell", "python", "stage_python"]


def python(*arguments: str) -> list[str]:
    """A command of this Python, which takes no module from the folder that it runs in."""
    return [sys.executable, "-P", *arguments]


def closed_python(*arguments: str) -> list[str]:
    """A command of this Python that hears neither PYTHON* variables nor the user's own packages."""
    return [sys.executable, "-I", *arguments]


def stage_python(*arguments: str) -> list[str]:
    """A command of the Python that a stage's PATH names, with the same care."""
    return ["python", "-P", *arguments]


def furrow_in_shell() -> str:
    """`furrow` for a hook or a merge driver.

    Words for a shell, which hang on neither PATH nor PYTHON* variables.
    """
    return f"{shlex.quote(sys.executable)} -P -E -m furrow"


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a Python that works in a clone: of PYTHONPATH, absolute folders alone.

    Args:
        environment: The one to start from.
    """
    found = dict(environment)
    folders = [
        path
        for path in found.pop("PYTHONPATH", "").split(os.pathsep)
        if os.path.isabs(path)  # noqa: PTH117
    ]
    return {**found, "PYTHONPATH": os.pathsep.join(folders)} if folders else found
