"""`furrow man`: every command in one manual page, made of their help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from furrow.cli.terminal import say_block
from furrow.layout import CONF, FEATURES, FURROW, RUNS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["command", "manual"]

_FILES = (
    (f"{CONF}/", "what is declared: problems, experiments, models, gates, the data contract"),
    (f"{FEATURES}/", "the Feast repository: definitions, feature tables, spines, manifest.json"),
    (
        f"{RUNS}/NAME/",
        "the record of an experiment: config, metrics, intervals, slices, plots, card",
    ),
    ("dvc.yaml, dvc.lock", "the stages, and what they made of what"),
    (f"{FURROW}/", "what this machine keeps; nothing that Git has not"),
)
_ENVIRONMENT = (
    ("NO_COLOR, FORCE_COLOR", "no colors; colors in a pipe, too"),
    ("FURROW_PAGER, PAGER, NO_PAGER", "what long output on a terminal goes through"),
    ("FURROW_PROGRESS", "0: what takes long says nothing of it"),
    ("FURROW_TRUST", "1: the code of this repository may run"),
    ("FURROW_SCHEDULER", "tcp://HOST:PORT of the Dask cluster of the engine `cluster`"),
    (
        "FURROW_SPARK",
        "the master of the engine `spark`, such as spark://HOST:7077; this machine, if unset",
    ),
)
_EXITS = (
    ("0", "done, or nothing to do"),
    ("1", "a known error"),
    ("2", "a command line that means nothing"),
    ("3", "a bug in Furrow; the message names the log"),
    ("4", "differences, where a command tells them so"),
    ("5", "a replay equal in what it predicts, of other bytes"),
    ("130", "interrupted"),
)


@click.command()
def command() -> None:
    """Print the manual page of every command.

    `man furrow` shows it where Furrow is installed; `furrow man > furrow.1` keeps it.
    """
    say_block(manual())


def manual() -> str:
    """The page in roff, the same on every machine."""
    from furrow.cli.group import EXAMPLES, SECTIONS, cli  # noqa: PLC0415 - it loads this module

    context = click.Context(cli, info_name="furrow")
    lines = ['.TH FURROW 1 "" "Furrow" "Furrow"', ".SH NAME"]
    lines += [_text("furrow - experiments and features that Git declares, made so, with proof")]
    lines += [".SH SYNOPSIS", ".B furrow", _text("[-C DIR] COMMAND [OPTIONS] [ARGUMENTS]")]
    sections = {title: list(names) for title, names in SECTIONS.items()}
    told = {name for names in sections.values() for name in names}
    sections["More"] = [name for name in cli.list_commands(context) if name not in told]
    for title, names in sections.items():
        lines.append(f".SH {_text(title.upper())}")
        for name in names:
            found = cli.get_command(context, name)
            assert found is not None
            lines += _command(found, f"furrow {name}")
    for title, pairs in (("FILES", _FILES), ("ENVIRONMENT", _ENVIRONMENT), ("EXIT STATUS", _EXITS)):
        lines.append(f".SH {title}")
        for term, words in pairs:
            lines += [".TP", f".B {_text(term)}", _text(words)]
    lines += [".SH EXAMPLES", ".nf", *map(_text, _plain(EXAMPLES)[1:]), ".fi"]
    return "\n".join(lines) + "\n"


def _command(found: click.Command, name: str) -> Iterator[str]:
    """A command: how it is called, what it does, its options; then the commands in it."""
    context = click.Context(found, info_name=name)
    yield f".SS {_text(name)}"
    pieces = [*found.collect_usage_pieces(context)]
    yield from (f".B {_text(name)}", _text(" ".join(pieces)), ".PP")
    for line in _plain(found.help or ""):
        yield _text(line) if line else ".PP"
    for option in found.params:
        record = option.get_help_record(context)
        if record is not None and record[1] and not getattr(option, "hidden", False):
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]))
    if isinstance(found, click.Group):
        for inner in found.list_commands(context):
            part = found.get_command(context, inner)
            if part is not None and not part.hidden:
                yield from _command(part, f"{name} {inner}")


def _plain(text: str) -> list[str]:
    """A help text in lines, without click's marks and the indent."""
    lines = [line.strip() for line in text.replace("\b", "").strip().splitlines()]
    return [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]


def _text(text: str) -> str:
    """A text as roff prints it: no character of it is an instruction."""
    safe = re.sub(r"\s+", " ", text).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{safe}" if safe[:1] in (".", "'") else safe
