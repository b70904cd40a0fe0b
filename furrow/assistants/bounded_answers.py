"""Answers of a bounded size in which text from a repository commands nothing: data for an assistant to read."""

from __future__ import annotations

import json
from typing import Any

from furrow.safe_text import block

__all__ = ["LARGEST", "bounded"]

LARGEST = 60_000
"""Characters of an answer as JSON."""
_STEPS = ((200, 8_000), (50, 4_000), (20, 1_000), (5, 300), (2, 100), (1, 40))
_DEEPEST = 12


def bounded(value: dict[str, Any]) -> dict[str, Any]:
    """An answer cut to a size, without control characters; `cut` says so where something was left out.

    Args:
        value: Plain values.
    """
    whole = _cut(value, LARGEST, LARGEST, 0)
    if _size(whole) <= LARGEST:
        return {**whole, "cut": ""}
    for most, longest in _STEPS:
        less = _cut(value, most, longest, 0)
        if _size(less) <= LARGEST:
            break
    else:
        less = {name: _cut(inner, 1, 40, 0) for name, inner in list(value.items())[:20]}
        less = less if _size(less) <= LARGEST else {}
    said = f"lists after {most} items, texts after {longest} characters; ask for less to see all"
    return {**less, "cut": said}


def _size(value: Any) -> int:
    return len(json.dumps(value))


def _cut(value: Any, most: int, longest: int, depth: int) -> Any:
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, str):
        shown = block(value[: longest + 1])
        return shown if len(shown) <= longest else f"{shown[:longest]}…"
    if isinstance(value, dict):
        pairs = list(value.items())[: max(most, 40)]
        return {
            _cut(str(name), most, min(longest, 200) if most < LARGEST else longest, depth): _cut(
                inner, most, longest, depth + 1
            )
            for name, inner in pairs
        }
    if isinstance(value, list | tuple):
        return [_cut(inner, most, longest, depth + 1) for inner in value[:most]]
    return value
