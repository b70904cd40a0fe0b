"""A process that goes on beside this one, and is ended with it."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.start_python import child_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Background", "BackgroundError", "in_background"]

_GRACE = 30.0


class BackgroundError(FurrowError):
    """A process beside this one can't be started, or has ended."""


@dataclass(frozen=True)
class Background:
    """A process that goes on.

    Attributes:
        process: It.
        output: The file of what it prints.
        errors: The file of what it says besides.
    """

    process: subprocess.Popen[bytes]
    output: Path
    errors: Path

    def said(self) -> str:
        """What it has printed so far.

        Raises:
            BackgroundError: It has ended; the last lines that it said are told.
        """
        if (code := self.process.poll()) is not None:
            last = self.errors.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            raise BackgroundError(
                f"the process {self.process.args!r} ended with {code}: {' / '.join(last)}",
                hint=f"all of it: {self.errors}",
            )
        return self.output.read_text(encoding="utf-8", errors="replace")


@contextmanager
def in_background(command: Sequence[str], root: Path, folder: Path) -> Iterator[Background]:
    """Start a command, and end it when the block ends: SIGTERM first.

    Args:
        command: It, from `start_python`.
        root: Where it works.
        folder: Where what it says is kept.

    Raises:
        BackgroundError: It can't be started.
    """
    folder.mkdir(parents=True, exist_ok=True)
    output, errors = folder / "said", folder / "errors"
    environment = child_environment(os.environ)
    with output.open("wb") as out, errors.open("wb") as err:
        try:
            process = subprocess.Popen(command, cwd=root, stdout=out, stderr=err, env=environment)
        except OSError as exc:
            raise BackgroundError(f"{command[0]} can't be started: {exc.strerror}") from exc
    try:
        yield Background(process, output, errors)
    finally:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
