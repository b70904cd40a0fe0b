"""What a feature means, and its unit.

Told by its Field, or by a comment beside it in the table's SQL.

    wind_speed as weather_wind_speed,  -- mean wind of the hour [mph]

An on-demand view says it in its tags, by the feature's name: Feast 0.67 forgets the description and
the tags of such a Field in its registry, and then does not find it again.

    tags={"departure_hour": "hour of the scheduled departure [h]"}

Comments change no digest and are in no manifest: they are read where somebody looks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from furrow.features.schema import Column

__all__ = ["Meaning", "meaning", "noted", "tagged"]

_NOTED = re.compile(r'(\w+)"?[ \t]*,?[ \t]*--[ \t]*(\S.*)$', re.MULTILINE)
_UNIT = re.compile(r"(.*?)\s*\[([^\[\]]{1,40})\]\s*\.?", re.DOTALL)
LONGEST = 500


class Meaning(NamedTuple):
    """What a feature is, in words, and the unit that it is counted in; empty where nobody said."""

    description: str = ""
    unit: str = ""


def noted(sql: str) -> dict[str, Meaning]:
    """What comments of a query say of the columns they stand behind.

    Args:
        sql: The query; of a name that comes twice the last counts, which is the outermost SELECT's.

    Returns:
        The meaning, by the column's name; a unit stands in brackets at the end.
    """
    return {name: _meant(text) for name, text in _NOTED.findall(sql)}


def tagged(tags: Mapping[str, str], names: Iterable[str]) -> dict[str, Meaning]:
    """What tags of a view say of its features.

    Args:
        tags: The view's.
        names: Of its features.
    """
    return {name: _meant(tags[name]) for name in names if name in tags}


def _meant(text: str) -> Meaning:
    """Words, and a unit in brackets at their end."""
    words = text[:LONGEST].strip()
    match = _UNIT.fullmatch(words)
    return Meaning(match[1], match[2]) if match else Meaning(words)


def meaning(column: Column, comments: Mapping[str, Meaning], source: str = "") -> Meaning:
    """What is known of a feature: its Field's words first, else those of the comment.

    Args:
        column: The feature, as the manifest has it.
        comments: What `noted` found.
        source: The source's column, where it is called otherwise.
    """
    said = comments.get(source or column.name, Meaning())
    return Meaning(column.description or said.description, column.unit or said.unit)
