"""The keys of a file that a person declares something in.

A misspelt one is an error, not left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.parse import ParseError, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Collection

    from furrow.errors import FurrowError

__all__ = ["declared_keys"]


def declared_keys(
    content: bytes, where: str, known: Collection[str], error: type[FurrowError]
) -> dict[str, Any]:
    """Read a YAML mapping of known keys; nothing where the file is empty.

    Args:
        content: The file.
        where: Its path, for errors.
        known: The keys that there are.
        error: What to raise.

    Raises:
        FurrowError: Of that type: it is no YAML or no mapping, or has another key.
    """
    there = f"there are: {', '.join(known)}"
    try:
        value = parse_yaml(content) or {}
    except ParseError as exc:
        raise error(f"{where} is not valid YAML: {exc.reason}", hint="mend it") from exc
    if not isinstance(value, dict):
        raise error(f"{where} holds no mapping", hint=there)
    for key in value:
        if key not in known:
            raise error(f"{where}: there is no key {key}", hint=there)
    return value
