"""The `furrow` command: runs what is asked for, renders errors, sets the exit code.

A list of runs, which people and scripts ask for all the time, is answered by `furrow.cli.runs_list`
alone; everything else goes through click, whose loading takes longer than that answer.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from furrow.cli.spelling import spelled
from furrow.cli.terminal import say_block
from furrow.errors import FurrowError
from furrow.ground.interrupts import kept_interrupts

TYPE_CHECKING = False  # `typing` itself would double the time that a list of runs takes
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def main() -> None:
    """Run the command line and exit: 0 done, 1 a known error, 2 usage, 3 a bug in Furrow, 130 interrupt."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and turn its errors into a message and an exit code."""
    _prepare_streams()
    try:
        words, folder = spelled(arguments)
        with _in_folder(folder), kept_interrupts():
            return _run(words)
    except FurrowError as exc:
        return _failed(exc.message, exc.hint, exc.exit_code, arguments)
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except BrokenPipeError:
        _say_no_more()
        return 0
    except OSError as exc:
        if exc.errno not in _FULL:
            return _bug(arguments)
        _say_no_more()
        where = f" ({exc.filename})" if exc.filename else ""
        return _say(f"error: {exc.strerror}{where}\n  free some space, then run again", 1)
    except Exception:  # noqa: BLE001 - the outermost edge: whatever gets here is a bug, and is reported as one
        return _bug(arguments)


@contextmanager
def _in_folder(folder: str) -> Iterator[None]:
    """As if started in a folder."""
    if not folder:
        yield
        return
    try:
        before = Path.cwd()
        os.chdir(folder)
    except OSError as exc:
        raise FurrowError(
            f"-C {folder}: {exc.strerror}", hint="name a folder that is there"
        ) from exc
    try:
        yield
    finally:
        os.chdir(before)


def _failed(
    message: str, hint: str, code: int, arguments: list[str], *, said: str = "error: "
) -> int:
    """Say what failed: in words, and as JSON to a script that asked for JSON."""
    if "--json" in arguments:
        from furrow.safe_text import json_text  # noqa: PLC0415 - only for scripts

        error = {"message": message, "hint": hint, "exit_code": code}
        say_block(json_text({"format": 1, "error": error}))
    return _say(f"{said}{message}" + (f"\n  {hint}" if hint else ""), code)


def _prepare_streams() -> None:
    """See that whatever is written arrives, or fails with an error."""
    if sys.stderr is None:
        # for as long as the process lives
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:  # `>&-`
        sys.exit(
            _say(
                "error: standard output is closed\n  send it somewhere: to /dev/null if it isn't"
                " wanted",
                1,
            )
        )
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return
    raw = sys.stdout.buffer
    if isinstance(
        raw, io.RawIOBase
    ):  # PYTHONUNBUFFERED; a write that takes only a part would go unnoticed
        whole = io.BufferedWriter(raw)
        sys.stdout = io.TextIOWrapper(whole, sys.stdout.encoding, write_through=True)
    sys.stdout.reconfigure(
        errors="backslashreplace"
    )  # what the terminal's encoding lacks is written out, as on errors


def _run(arguments: list[str]) -> int:
    """Run one command, whose errors are still exceptions, and give its exit code."""
    try:
        Path.cwd()
    except FileNotFoundError as exc:
        raise FurrowError(
            "the folder that this was started in is gone", hint="go to another one, run again"
        ) from exc
    if arguments[:1] == ["runs"]:
        from furrow.cli import runs_list  # noqa: PLC0415 - see above

        asked = runs_list.read(arguments[1:])
        if asked is not None:
            runs_list.show(**asked)
            return 0
    import click  # noqa: PLC0415 - see above

    from furrow.cli.group import cli  # noqa: PLC0415
    from furrow.cli.paged import paging  # noqa: PLC0415

    try:
        with paging(arguments):
            result = cli.main(arguments, prog_name="furrow", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        return _say("interrupted", 130)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.exceptions.NoArgsIsHelpError as exc:
        say_block(f"{exc.format_message()}\n")
        return exc.exit_code
    except click.ClickException as exc:
        from furrow.cli.usage import told  # noqa: PLC0415 - see above

        message, hint = told(exc)
        return _failed(message, hint, exc.exit_code, arguments)


def _bug(arguments: list[str]) -> int:
    """Report the exception that is being handled as a bug."""
    import tempfile  # noqa: PLC0415 - loaded for a bug's report alone
    import traceback  # noqa: PLC0415

    opened, log = tempfile.mkstemp(
        prefix="furrow-", suffix=".log"
    )  # 0600, by a name that nobody can foresee
    os.close(opened)
    Path(log).write_text(traceback.format_exc(), encoding="utf-8", errors="backslashreplace")
    message = f"a bug in Furrow: {traceback.format_exc(limit=0).strip()}"
    return _failed(message, f"the log is {log}", 3, arguments, said="")


def _say_no_more() -> None:
    """Standard output takes nothing more.

    What is left of it must not fail again when the interpreter ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str, code: int) -> int:
    say_block(f"{text}\n", err=True)
    return code


if __name__ == "__main__":
    main()
