"""What the commands share to speak to a person or a script: tables, progress, JSON."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

__all__ = ["console", "echo_json", "progress", "table"]

_PIPE_WIDTH = 160  # where there is no terminal to ask, rows are not squeezed into 80 columns


def console(*, stderr: bool = False) -> Console:
    """A rich console on standard output (or standard error), wide when it is piped."""
    from rich.console import Console  # noqa: PLC0415 - rich is loaded only by commands that draw

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in made._environ:
        made.width = _PIPE_WIDTH
    return made


def table(
    rows: Sequence[Sequence[Any]],
    columns: Sequence[str],
    *,
    title: str = "",
    right: Sequence[str] | None = None,
    stderr: bool = False,
) -> None:
    """Print rows under headings; columns of numbers are set to the right.

    Args:
        rows: One sequence per row, as long as `columns`. None prints as a dash, a float with four decimals.
        columns: The headings.
        title: A line above the table.
        right: Headings to set to the right; by default those whose values are all numbers or None.
        stderr: Print to standard error.
    """
    from rich import box  # noqa: PLC0415 - rich is loaded only by commands that draw
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for place, name in enumerate(columns):
        values = [row[place] for row in rows]
        numeric = bool(values) and all(
            value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values
        )
        to_right = numeric if right is None else name in right
        drawn.add_column(name, justify="right" if to_right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(value if isinstance(value, Text) else Text(_cell(value)) for value in row))
    console(stderr=stderr).print(drawn)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Show a progress bar on standard error for as long as the block runs.

    Args:
        description: What is being done.
        total: How many steps there are; None for a bar that only pulses.

    Yields:
        A function `advance(steps=1, description=None)`. Without a terminal nothing is drawn.
    """
    if not sys.stderr.isatty():
        yield lambda steps=1, description=None: None  # noqa: ARG005 - the bar's signature
        return
    from rich.progress import (  # noqa: PLC0415 - rich is loaded only by commands that draw
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*parts, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)

        def advance(steps: int = 1, description: str | None = None) -> None:
            bar.update(task, advance=steps, description=description)

        yield advance


def echo_json(value: Any) -> None:
    """Print a value as JSON for a script: indented, keys sorted, no NaN."""
    click.echo(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False))
