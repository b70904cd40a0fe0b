"""The list of runs: `furrow runs` without a subcommand.

It needs no click, so that it comes at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.cli.runs_render import FORMATS, notes, print_runs
from furrow.cli.terminal import clear, on_terminal, say, say_block
from furrow.history.folding import folded
from furrow.history.listing import list_runs
from furrow.history.query import Query
from furrow.history.selection import Selection
from furrow.history.standings import WHOLE, ranked, standings
from furrow.plurals import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.history.standings import Standing

__all__ = ["SUBCOMMANDS", "USUAL", "read", "show"]

SUBCOMMANDS = {
    "diff": "Compare two runs: config, metrics (better, or luck?), features, data, code.",
    "history": "Draw a metric of an experiment over commits.",
    "note": "Write about a run, and tag it.",
    "show": "Everything about one run.",
    "watch": "Live curves while a model trains.",
}
USUAL = 50

_FLAGS = {"--all": "everything", "--distinct": "distinct"}
_TEXTS = ("--since", "--where", "--sort", "--columns")
_FORMS = {f"--{form}": form for form in FORMATS}


def read(words: Sequence[str]) -> dict[str, Any] | None:
    """Read a command line of the list.

    Args:
        words: What follows `furrow runs`.

    Returns:
        The arguments of `show`; None when it is no list, asks for help or holds a mistake, which
        click then tells.
    """
    found: dict[str, Any] = {
        "revision": "", "everything": False, "branch": (), "since": "", "where": "", "sort": "", "columns": "",
        "limit": None, "distinct": False, "form": "table",
    }  # fmt: skip
    if words and (words[0] in SUBCOMMANDS or words[0] in {"list", "ls"}):
        return None
    rest = iter(words)
    revisions = []
    for word in rest:
        name, attached, value = word.partition("=")
        if not word.startswith("-"):
            revisions.append(word)
        elif word in _FLAGS:
            found[_FLAGS[word]] = True
        elif word in _FORMS:
            found["form"] = _FORMS[word]
        else:
            if not attached:
                value = next(rest, "-")
                if value.startswith("-"):
                    return None
            if name in _TEXTS:
                found[name[2:]] = value
            elif name == "--branch":
                found["branch"] = (*found["branch"], value)
            elif name == "--limit" and value.isdecimal():
                found["limit"] = int(value)
            else:
                return None
    if len(revisions) > 1:
        return None
    return {**found, "revision": "".join(revisions)}


def show(
    *,
    revision: str,
    everything: bool,
    branch: tuple[str, ...],
    since: str,
    where: str,
    sort: str,
    columns: str,
    limit: int | None,
    distinct: bool,
    form: str,
) -> None:
    """Print a list of runs; the arguments are the command's options."""
    selection = Selection(revision, everything, branch, since)
    most = limit if limit is not None or form in {"json", "csv"} else USUAL
    query = Query(where, _words(sort), _words(columns), None if distinct else most)
    usual = not (sort or columns)
    known: list[Standing] = []
    if usual and selection.single:
        known = standings(Path.cwd(), revision)
        query = query._replace(limit=None, columns=WHOLE if known else ())
    shown = on_terminal(err=True)
    found = list_runs(Path.cwd(), selection, query, progress=_progress if shown else None)
    clear()
    if distinct or (form == "table" and not columns and not selection.single):
        found = found._replace(answer=folded(found.answer))
    if usual and selection.single:
        found = ranked(found, known)
    if most is not None:
        found = found._replace(answer=found.answer._replace(rows=found.answer.rows[:most]))
    if form == "table":
        print_runs(found, known)
    else:
        say_block(FORMATS[form](found))
    for note in notes(found):
        say(note, err=True)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _progress(count: int) -> None:
    say(f"indexing: {number_of(count, 'run')} ", err=True, end="", over=True)
