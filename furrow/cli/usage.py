"""What click says of a command line that does not fit, in the one form that errors have, and in plain words."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Nouns", "told"]

ALIASES = {"ls": "list"}
_PLAIN = (
    (re.compile(r"is not a valid integer( range)?"), "is not an integer"),
    (re.compile(r"is not a valid float( range)?"), "is not a number"),
    (re.compile(r"(is not in the range .*)\.$"), r"\1"),
)


class Nouns(click.Group):
    """A group that knows `ls`, and suggests what was meant by a command that it does not have."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names.

        Raises:
            UsageError: There is none.
        """
        word = args[0]
        names = self.list_commands(ctx)
        if word not in names and ALIASES.get(word) in names:
            args = [ALIASES[word], *args[1:]]
        elif word not in names and not word.startswith("-") and self.get_command(ctx, word) is None:
            raise click.UsageError(no_command(word, names), ctx=ctx)
        return super().resolve_command(ctx, args)


def no_command(word: str, names: Iterable[str]) -> str:
    """What is said of a word that names no command.

    Args:
        word: As typed.
        names: Of the commands that there are.
    """
    close = get_close_matches(word, list(names), n=1, cutoff=0.5)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"No such command {word!r}{meant}"


def told(exc: click.ClickException) -> tuple[str, str]:
    """The message and the next step of an error of click's.

    Args:
        exc: The error.
    """
    message = exc.format_message()
    for pattern, plain in _PLAIN:
        message = pattern.sub(plain, message)
    ctx = getattr(exc, "ctx", None)
    if ctx is None:
        return message.rstrip("."), "`furrow help COMMAND` says how it is called"
    usage = " ".join(ctx.get_usage().split()).replace("Usage: ", "Usage: ", 1)
    return message.rstrip("."), f"{usage}\n  `{ctx.command_path} --help` says more"
