"""The edge of a stage: its arguments, its errors, its exit code."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.safe_text import block

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["note", "run_stage", "say"]


def say(text: str) -> None:
    """Print lines that may hold names from the repository, made harmless."""
    sys.stdout.write(f"{block(text)}\n")


def note(text: str) -> None:
    """The same beside the result: to standard error."""
    sys.stderr.write(f"{block(text)}\n")


def run_stage(
    stage: str, about: str, names: tuple[str, ...], work: Callable[..., int | None]
) -> None:
    """Run a stage in the project that this process stands in, and end the process with its code.

    Args:
        stage: The module's name.
        about: What it does, for --help.
        names: Of its arguments.
        work: Called with the project's root and the arguments; what it returns is the exit code,
            None for 0.
    """
    parser = argparse.ArgumentParser(prog=f"python -m furrow.stages.{stage}", description=about)
    for name in names:
        parser.add_argument(name)
    arguments = vars(parser.parse_args())
    warnings.showwarning = _warn
    try:
        sys.exit(work(Path.cwd(), *(arguments[name] for name in names)) or 0)
    except FurrowError as exc:
        note(f"error: {exc}")
        sys.exit(exc.exit_code)


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    note(f"warning: {message}")
