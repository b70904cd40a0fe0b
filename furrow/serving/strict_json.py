"""Bodies of requests: JSON as the standard has it, within bounds.

What parsers disagree on is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.parse import Limits, ParseError, parse_json
from furrow.serving.http_problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["decode", "members"]

DEPTH = 16


def decode(content: bytes | bytearray) -> Any:
    """The value of a body.

    Raises:
        Problem: It is no JSON, holds a key twice, NaN or an infinity, or nests too deep.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as exc:
        raise _malformed("it is not UTF-8") from exc
    try:
        return parse_json(
            text,
            limits=Limits(size=len(text), depth=DEPTH),
            object_pairs_hook=_once,
            parse_constant=_no_number,
        )
    except ParseError as exc:
        raise _malformed(exc.reason) from exc


def members(value: Any, needed: str, optional: Iterable[str] = ()) -> dict[str, Any]:
    """An object that has one member for certain, and no others than these.

    Raises:
        Problem: It is none, or has others.
    """
    known = {needed, *optional}
    if not isinstance(value, dict):
        raise _malformed(f'it must be an object with "{needed}", not {_kind(value)}')
    if needed not in value:
        raise Problem(400, "body", f'the body lacks "{needed}"', field=needed)
    other = next((name for name in value if name not in known), None)
    if other is not None:
        said = f"the body has a member {ascii(other)[:60]} that means nothing here"
        raise Problem(
            400, "body", said, field=other[:60], hint=f"it may have: {', '.join(sorted(known))}"
        )
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {ascii(twice)[:60]} stands twice in one object")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number in JSON: write null")


def _malformed(reason: str) -> Problem:
    return Problem(400, "json", f"the body is not what it should be: {reason}")


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a text", bool: "a truth", type(None): "null"}
    return kinds.get(type(value), "a number")
