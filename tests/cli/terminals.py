"""A terminal of a given width inside this process, and a pipe: what a command writes to either."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from furrow.cli.main import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

INK = re.compile(r"\x1b\[[\d;]*[mK]|\r")


class Said(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


class _Stream(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@contextlib.contextmanager
def output(
    monkeypatch: pytest.MonkeyPatch, *, width: int = 0, **environment: str
) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Standard output and standard error, of which the first is a terminal of a width, or a pipe (0)."""
    with monkeypatch.context() as patched:
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            patched.delenv(name, raising=False)
        patched.setenv("TERM", "xterm")
        if width:
            patched.setenv("COLUMNS", str(width))
        for name, value in environment.items():
            patched.setenv(name, value)
        out, err = _Stream(terminal=width > 0), _Stream(terminal=False)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield out, err


def said(monkeypatch: pytest.MonkeyPatch, *words: str, width: int = 0, **environment: str) -> Said:
    """Run a command in this process.

    Args:
        monkeypatch: Of the test.
        words: The command line, without `furrow`.
        width: Of the terminal; 0 for a pipe.
        environment: Variables such as NO_COLOR.
    """
    with output(monkeypatch, width=width, **environment) as (out, err):
        code = run(list(words))
    return Said(code, out.getvalue(), err.getvalue())
