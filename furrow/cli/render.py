"""What the commands share to speak to a person or a script: tables, progress, JSON."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from furrow.cli.grid import print_grid
from furrow.cli.terminal import Ink, on_terminal, say, say_block
from furrow.safe_text import json_text, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console, RenderableType
    from rich.progress import Progress

__all__ = ["above", "bar", "console", "draw", "echo_json", "progress", "table"]

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
        rows: One sequence per row, as long as `columns`. None prints as a dash, a float with four
            decimals; an Ink keeps its colour.
        columns: The headings.
        title: A line above the table.
        right: Headings to set to the right; by default those whose values are all numbers or None.
        stderr: Print to standard error.
    """
    sides = []
    for place, name in enumerate(columns):
        values = [row[place] for row in rows]
        numeric = bool(values) and all(
            value is None or (isinstance(value, int | float) and not isinstance(value, bool))
            for value in values
        )
        sides.append(numeric if right is None else name in right)
    if title:
        say(title, err=stderr)
    cells = [[value if isinstance(value, Ink) else _cell(value) for value in row] for row in rows]
    print_grid(columns, cells, right=sides, err=stderr)


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    return f"{value:.4f}" if isinstance(value, float) else line(str(value))


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Show a progress bar on standard error for as long as the block runs.

    Args:
        description: What is being done.
        total: How many steps there are; None for a bar that only pulses.

    Yields:
        A function `advance(steps=1, description=None)`. Without a terminal nothing is drawn.
    """
    if not on_terminal(err=True):
        yield lambda steps=1, description=None: None  # noqa: ARG005 - the bar's signature
        return
    with bar() as drawn:
        task = drawn.add_task(line(description), total=total)

        def advance(steps: int = 1, description: str | None = None) -> None:
            drawn.update(
                task, advance=steps, description=None if description is None else line(description)
            )

        yield advance


def bar() -> Progress:
    """A bar on standard error; it is gone when it is done."""
    from rich.progress import (  # noqa: PLC0415 - rich is loaded only by commands that draw
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    words = TextColumn("{task.description}", markup=False)
    parts = (words, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*parts, console=console(stderr=True), transient=True)


def above(drawn: Progress, text: str) -> None:
    """Print a line above a bar."""
    drawn.console.print(line(text), markup=False)


def draw(what: RenderableType, *, stderr: bool = False) -> None:
    """Print what rich draws; the texts in it have gone through `furrow.safe_text`."""
    console(stderr=stderr).print(what)


def echo_json(value: Any, named: str = "items") -> None:
    """Print a value as JSON for a script: indented, keys sorted, no NaN.

    Whatever is printed is one object with a `format`; `furrow schema outputs` says what else.

    Args:
        value: A mapping, or a list.
        named: The key that a list gets.
    """
    fields = {named: value} if isinstance(value, list | tuple) else value
    say_block(json_text({"format": 1, **fields}))


def echo_json_line(value: Mapping[str, Any]) -> None:
    """Print one of several values as JSON on a line of its own, for a script that reads along."""
    lines = json_text({"format": 1, **value}).split(
        "\n"
    )  # none is within a text: those are escaped
    say_block("".join(line.lstrip() for line in lines) + "\n")
