"""Filters: one boolean SQL expression over known columns, and nothing else.

Text from a person, or from a web page, never reaches SQLite as it was typed. It is cut into tokens,
each of which must be a known column, a literal, or one of the operators and functions below;
parentheses must close what they open; and the statement is put together from the tokens. So there
is no way to write a second statement, a sub-query, a comment or a call that reads a file. SQLite's
authorizer forbids them once more.
"""

from __future__ import annotations

import re
import sqlite3
from difflib import get_close_matches
from typing import TYPE_CHECKING

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["FilterError", "UnknownColumnError", "guard", "translate"]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>'(?:[^']|'')*')
  | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<name>[A-Za-z_][\w]*(?:[.\-][A-Za-z_0-9][\w]*)*)
  | (?P<operator><>|<=|>=|!=|==|\|\||[-+*/%<>=(),])
  )""",
    re.VERBOSE,
)
_WORDS = frozenset(
    "AND OR NOT IN BETWEEN LIKE GLOB IS NULL TRUE FALSE CASE WHEN THEN ELSE END ESCAPE ISNULL NOTNULL".split()  # noqa: SIM905
)
_FUNCTIONS = frozenset(
    "abs coalesce ifnull iif instr length lower max min nullif round substr trim upper".split()  # noqa: SIM905
)
_FORBIDDEN = frozenset(
    "SELECT UNION FROM JOIN WHERE ORDER GROUP HAVING LIMIT INSERT UPDATE DELETE DROP CREATE ALTER ATTACH DETACH "  # noqa: SIM905
    "PRAGMA REPLACE VACUUM WITH VALUES EXISTS MATCH REGEXP COLLATE CAST EXCEPT INTERSECT".split()
)
_LONGEST = 10_000
_DEEPEST = 100


class FilterError(FurrowError):
    """A filter is no expression that can be allowed."""

    def __init__(self, message: str, *, hint: str = "", text: str = "") -> None:
        super().__init__(message, hint=hint)
        self.text = text


class UnknownColumnError(FilterError):
    """A name is no column; close names are suggested."""

    def __init__(self, name: str, columns: Iterable[str], *, where: str) -> None:
        names = list(columns)
        lower = {known.lower(): known for known in names}
        tails = {known.lower().rsplit(".", 1)[-1]: known for known in names}
        close = [lower[match] for match in get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
        close += [
            tails[match]
            for match in get_close_matches(name.lower().rsplit(".", 1)[-1], tails, n=2, cutoff=0.75)
        ]
        hint = "`furrow runs --columns '*'` shows every column; text takes single quotes"
        if close:
            hint = f"did you mean {' or '.join(dict.fromkeys(close))}? Text takes single quotes: '{name}'"
        super().__init__(f"{where}: there is no column {name!r}", hint=hint, text=name)
        self.name = name
        self.suggestions = tuple(dict.fromkeys(close))


def translate(
    text: str, columns: Mapping[str, str], *, where: str = "--where"
) -> tuple[str, set[str]]:
    """Check a filter and translate it.

    Args:
        text: What was typed, such as "roc_auc > 0.75 and model = 'gbm'".
        columns: The SQL expression behind each column's name.
        where: What to call the filter in an error.

    Returns:
        The SQL, and the names of the columns in it.

    Raises:
        UnknownColumnError: A name is no column.
        FilterError: Something else than an expression over columns was typed.
    """
    if not text.strip():
        raise FilterError(f"{where} is empty", hint="for example: roc_auc > 0.75 and model = 'gbm'")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise FilterError(
            f"{where} holds bytes that are no text", hint="type it in the terminal's encoding"
        )
    if len(text) > _LONGEST:
        raise FilterError(f"{where} has {len(text):,} characters", hint=f"at most {_LONGEST:,}")
    parts: list[str] = []
    used: set[str] = set()
    depth = 0
    at = 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if not found:
            rest = text[at:].strip()[:20]
            hint = "only comparisons over columns: and, or, not, in, between, like, is null, + - * /, and parentheses"
            raise FilterError(f"{where}: {rest!r} can't be in a filter", hint=hint, text=rest)
        at = found.end()
        kind, piece = found.lastgroup, found[0].strip()
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth -= 1
        if depth < 0 or depth > _DEEPEST:
            problem = "is closed that was not opened" if depth < 0 else "too many is nested"
            raise FilterError(f"{where}: a parenthesis {problem}", hint=f"in: {text}", text=text)
        calls = text[at:].lstrip()[:1] == "("
        parts.append(_one(kind or "", piece, columns, used, calls=calls, where=where))
    if depth:
        raise FilterError(f"{where}: a parenthesis is not closed", hint=f"in: {text}", text=text)
    return " ".join(parts), used


def _one(
    kind: str, token: str, columns: Mapping[str, str], used: set[str], *, calls: bool, where: str
) -> str:
    """The SQL of one token."""
    if kind not in {"name", "quoted"}:
        return token
    name = token[1:-1].replace('""', '"') if kind == "quoted" else token
    if kind == "name":
        if name.upper() in _WORDS:
            return name.upper()
        if calls:
            if name.lower() in _FUNCTIONS:
                return name.lower()
            hint = f"functions that may: {', '.join(sorted(_FUNCTIONS))}"
            raise FilterError(
                f"{where}: the function {name} can't be in a filter", hint=hint, text=name
            )
    if name not in columns and kind == "name" and "-" in name and name.split("-")[0] in columns:
        raise FilterError(
            f"{where}: is {name!r} a difference?", hint="write spaces around the minus", text=name
        )
    if name not in columns:
        name = {known.lower(): known for known in columns}.get(name.lower(), name)
    if name not in columns:
        if kind == "name" and name.upper() in _FORBIDDEN:
            hint = "a filter is one expression over columns, no query of its own"
            raise FilterError(f"{where}: {name} can't be in a filter", hint=hint, text=name)
        raise UnknownColumnError(name, columns, where=where)
    used.add(name)
    return columns[name]


def guard(connection: sqlite3.Connection) -> Callable[[], None]:
    """Let a connection do nothing but read, with the functions that filters may use.

    Returns how to lift it.
    """
    allowed = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}
    functions = _FUNCTIONS | {"count", "hex", "like", "glob", "strftime", "group_concat", "typeof"}

    def decide(
        action: int, one: str | None, two: str | None, _database: str | None, _inner: str | None
    ) -> int:
        del one
        if action in allowed or (
            action == sqlite3.SQLITE_FUNCTION and (two or "").lower() in functions
        ):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    connection.set_authorizer(decide)
    return lambda: connection.set_authorizer(None)
