"""One feature table of several sources, where a table for each would be more files than a person wants.

What happened is one log of changes (`furrow.scaffold.window_sql`); what is known at any time is
joined by whom it is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.intake.own_names import free_name
from furrow.intake.table_profile import readable
from furrow.scaffold.joint_keys import key_list, key_words
from furrow.scaffold.window_sql import WindowSql
from furrow.scaffold.wrapping import wrapped, wrapped_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Known", "merged_facts"]


@dataclass(frozen=True)
class Known:
    """What a source says at any time.

    Attributes:
        key: SQL for whom its rows are about, named as the entity.
        values: SQL for each feature.
        types: Feast's type of each.
        rows: SQL behind FROM, the grouping with it.
    """

    key: str
    values: Mapping[str, str]
    types: Mapping[str, str]
    rows: str


def merged_facts(entity: str, always: str, sources: Sequence[Known]) -> WindowSql:
    """The SQL of one feature table of what several sources say at any time.

    Args:
        entity: Whom they are about.
        always: SQL for the moment from which on it is known.
        sources: Each with features of its own.
    """
    features: dict[str, str] = {}
    key, parts = key_list(entity), []
    for one in sources:
        listed = [one.key]
        for wanted, value in one.values.items():
            name = free_name(wanted, features)
            features[name] = one.types[wanted]
            listed.append(f"{value} as {readable(name)}")
        text = "\n        ".join(wrapped(listed))
        rows = "\n".join(wrapped_sql(f"from {one.rows}", indent=4))
        parts.append(f"(\n    select {text}\n{rows}\n)")
    names = "\n    ".join(wrapped([f"{always} as event_timestamp", *map(readable, features)]))
    joined = parts[0] + "".join(f" full join {part} using ({key})" for part in parts[1:])
    sql = (
        f"-- What sources without moments say of each {key_words(entity)}: taken as known at any time.\n"
        f"select {key}, {names}\nfrom {joined}\norder by {key}\n"
    )
    return WindowSql(sql, features)
