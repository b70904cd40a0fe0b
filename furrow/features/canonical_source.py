"""A syntax tree as source text, the same on every version of Python.

`ast.unparse` writes all but f-strings alike since 3.11: newer versions choose other quotes, and
nest them, which 3.11 can't read. Digests are taken of the text, so f-strings are written here, as
3.11 does: the first quotes that stand nowhere in them, and no backslash between braces.
"""

from __future__ import annotations

import ast
import copy
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["source_text"]

QUOTES = ("'", '"', '"""', "'''")
_LONG = ('"""', "'''")
_PLACE = re.compile(r"__furrow_text_(\d+)__")


def source_text(node: ast.AST) -> str:
    """The text of a syntax tree.

    Args:
        node: A statement, an expression or a module; it is not changed.

    Raises:
        ValueError: An f-string has a backslash between its braces, which Python 3.11 can't read.
    """
    return _written(node, inside=False)


def _written(node: ast.AST, *, inside: bool) -> str:
    """The text, its f-strings (inside of one: its texts, too) written by the rules here."""
    cut = _Cut(inside=inside)
    text = ast.unparse(ast.fix_missing_locations(cut.visit(copy.deepcopy(node))))
    return _PLACE.sub(lambda found: cut.texts[int(found[1])], text)


class _Cut(ast.NodeTransformer):
    """Puts a name in the place of each f-string, and keeps its text."""

    def __init__(self, *, inside: bool) -> None:
        self.inside = inside
        self.texts: list[str] = []

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return self.placed(f"f{_nested(node) if self.inside else _outermost(node)}")

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not (self.inside and isinstance(node.value, str)):
            return node
        return self.placed(("u" if node.kind == "u" else "") + _quoted(node.value))

    def placed(self, text: str) -> ast.AST:
        self.texts.append(text)
        return ast.Name(f"__furrow_text_{len(self.texts) - 1}__", ast.Load())


def _outermost(node: ast.JoinedStr) -> str:
    """An f-string that is in no other: its own texts may hold escapes."""
    parts = _parts(node)
    quotes: Sequence[str] = QUOTES
    texts = []
    for text, constant in parts:
        escaped, left = _escaped(text, quotes, white=constant)
        texts.append(escaped)
        if not {*left} & {*quotes}:  # no quotes do for all parts
            body = "".join(repr('"' + one)[2:-1] for one, _ in parts)
            return f"'''{body}'''"
        quotes = left
    return f"{quotes[0]}{''.join(texts)}{quotes[0]}"


def _nested(node: ast.JoinedStr) -> str:
    """An f-string between the braces of another."""
    return _quoted("".join(text for text, _ in _parts(node)))


def _quoted(text: str) -> str:
    """A text between quotes that need no backslash, if there are any."""
    escaped, quotes = _escaped(text, QUOTES, white=False)
    return f"{quotes[0]}{escaped}{quotes[0]}"


def _parts(node: ast.JoinedStr) -> list[tuple[str, bool]]:
    """The parts as they stand in the source, and whether each is text.

    Neighbors that are text are one.
    """
    found: list[tuple[str, bool]] = []
    for value in node.values:
        constant = isinstance(value, ast.Constant)
        text = _part(value)
        if constant and found and found[-1][1]:
            text = found.pop()[0] + text
        found.append((text, constant))
    return found


def _part(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value).replace("{", "{{").replace("}", "}}")
    if isinstance(value, ast.JoinedStr):
        return "".join(map(_part, value.values))
    assert isinstance(value, ast.FormattedValue)
    # As the test of a conditional: it binds as an expression between braces does.
    around = ast.IfExp(test=value.value, body=ast.Name("b"), orelse=ast.Name("e"))
    inner = _written(around, inside=True)[len("b if ") : -len(" else e")]
    if "\\" in inner:
        raise ValueError("a backslash between the braces of an f-string")
    conversion = f"!{chr(value.conversion)}" if value.conversion != -1 else ""
    spec = f":{_part(value.format_spec)}" if value.format_spec else ""
    return f"{{{' ' * inner.startswith('{')}{inner}{conversion}{spec}}}"


def _escaped(text: str, quotes: Sequence[str], *, white: bool) -> tuple[str, Sequence[str]]:
    """A text with few escapes, and the quotes that it may stand between.

    Args:
        text: As it is.
        quotes: Those to choose from.
        white: Escape line breaks and tabs, too.
    """

    def one(char: str) -> str:
        if char in "\n\t" and not white:
            return char
        if char == "\\" or not char.isprintable():
            return char.encode("unicode_escape").decode("ascii")
        return char

    escaped = "".join(map(one, text))
    left = [one for one in quotes if "\n" not in escaped or one in _LONG]
    left = [one for one in left if one not in escaped]
    if not left:
        whole = repr(text)
        return whole[1:-1], [next((one for one in quotes if whole[0] in one), whole[0])]
    if escaped:
        left.sort(key=lambda quote: quote[0] == escaped[-1])
        if left[0][0] == escaped[-1]:
            escaped = f"{escaped[:-1]}\\{escaped[-1]}"
    return escaped, left
