"""The `furrow` command: runs what is asked for, renders errors, sets the exit code.

A list of runs, which people and scripts ask for all the time, is answered by `furrow.cli.runs_list` alone; everything
else goes through click, whose loading takes longer than that answer.
"""

from __future__ import annotations

import os
import sys

from furrow.errors import FurrowError

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit: 0 done, 1 a known error, 2 usage, 3 a bug in Furrow, 130 interrupt."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and turn its errors into a message and an exit code."""
    try:
        return _run(arguments)
    except FurrowError as exc:
        return _say(f"error: {exc}", exc.exit_code)
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:  # noqa: BLE001 - the outermost edge: whatever gets here is a bug, and is reported as one
        import tempfile  # noqa: PLC0415 - loaded for a bug's report alone
        import traceback  # noqa: PLC0415

        log = os.path.join(tempfile.gettempdir(), f"furrow-{os.getpid()}.log")
        with open(log, "w", encoding="utf-8") as handle:
            handle.write(traceback.format_exc())
        return _say(f"a bug in Furrow: {traceback.format_exc(limit=0).strip()}\n  the log is {log}", 3)


def _run(arguments: list[str]) -> int:
    """Run one command, whose errors are still exceptions, and give its exit code."""
    if arguments[:1] == ["runs"]:
        from furrow.cli import runs_list  # noqa: PLC0415 - see above

        asked = runs_list.read(arguments[1:])
        if asked is not None:
            runs_list.show(**asked)
            return 0
    import click  # noqa: PLC0415 - see above

    from furrow.cli.group import cli  # noqa: PLC0415

    try:
        result = cli.main(arguments, prog_name="furrow", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        return _say("interrupted", 130)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    main()
