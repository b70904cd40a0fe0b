"""Text from outside made harmless for where it goes: a terminal, a log, Markdown, HTML, CSV, JSON.

A name, a subject, a metric or what a stage printed may hold anything: escape sequences, controls
that turn the direction of writing round, mentions, markup, formulas. Whoever writes text for others
passes it through here.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # `typing` itself would double the time that a list of runs takes
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "block",
    "csv_cell",
    "csv_text",
    "html_text",
    "json_text",
    "line",
    "markdown_code",
    "markdown_text",
]

_ODD = "\N{REPLACEMENT CHARACTER}"
_FORMULA = tuple("=+-@\t\n＝＋－＠")  # as spreadsheets read them
_SPACES = frozenset("\t\n\r\v\f\u00a0\u1680\u202f\u205f\u3000") | {
    chr(code) for code in range(0x2000, 0x200B)
}
_WORD = "A-Za-z0-9"
_MARKUP = re.compile(
    rf"([\\`*\[\]<>|~$]|&(?=[\w#])|(?<![{_WORD}])_|_(?![{_WORD}])|^[-+=#](?!\d)|(?<=^\d)[.)])"
)
_SCHEME = re.compile(r"(?i)\b(https?|ftps?|mailto|xmpp|www)(?=[:.])")


def line(text: str) -> str:
    """Text as one line that commands nothing.

    Args:
        text: From anywhere.

    Returns:
        The text; C0 and C1 controls, line and paragraph separators, bidirectional and other
        invisible controls, and halves of surrogates are replaced; line breaks, tabs and other
        spaces are spaces.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char in _SPACES else _ODD


def block(text: str) -> str:
    """Text of many lines that commands nothing: as `line`, but line feeds and tabs stay."""
    if text.isprintable():
        return text
    return "\n".join(
        "\t".join(map(line, each.split("\t"))) for each in text.replace("\r\n", "\n").split("\n")
    )


def markdown_code(text: str, *, longest: int = 600) -> str:
    """Text as a code span, which fits a cell of a table.

    Nothing in it is markup, a link or a mention.

    Args:
        text: From anywhere.
        longest: Cut after so many characters.
    """
    flat = line(re.sub(r"[\x00-\x1f\x7f]+", " ", text)).strip()[:longest] or " "
    flat = flat.replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall(r"`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def markdown_text(text: str) -> str:
    """Text as plain words of Markdown, in one line.

    Markup is escaped, addresses and mentions are broken.
    """
    escaped = _MARKUP.sub(r"\\\1", _SCHEME.sub("\\1\N{WORD JOINER}", line(text)))
    return re.sub(r"(?<=[@#])(?=\w)", "\N{WORD JOINER}", escaped)


def html_text(text: object) -> str:
    """Text as a text node or a quoted attribute of HTML."""
    from html import escape  # noqa: PLC0415 - a list of runs must not wait for it

    return escape(block(str(text)))


def csv_cell(value: Any) -> Any:
    """A cell that a spreadsheet doesn't take for a formula: such text gets an apostrophe before it.

    Args:
        value: A number stays one; text that is a number, too.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    shown = block(value)
    return (
        f"'{shown}" if shown.lstrip(' "').startswith(_FORMULA) and not _is_number(shown) else shown
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def csv_text(rows: Any) -> str:
    """Rows as CSV, each cell as `csv_cell` makes it."""
    import csv  # noqa: PLC0415 - a table must not wait for it
    import io  # noqa: PLC0415

    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(
        [csv_cell(value) for value in row] for row in rows
    )
    return sink.getvalue()


def json_text(value: Any, *, sort_keys: bool = True, indent: int | None = 1) -> str:
    """A value as JSON with a final newline: indented, or on one line.

    The exact value, written so that a terminal obeys none of it.

    Raises:
        ValueError: The value holds NaN or infinity.
    """
    import json  # noqa: PLC0415 - a table must not wait for it

    text = json.dumps(
        value, indent=indent, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False
    )
    return (
        "\n".join(
            each if each.isprintable() else "".join(map(_escaped, each))
            for each in text.split("\n")
        )
        + "\n"
    )


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
