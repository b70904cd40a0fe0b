"""Features from which a model learns nothing: without a value in any row of a training set, or with one in all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from furrow.features import manifest
from furrow.layout import MANIFEST, TABLE_SQL, TRAINING
from furrow.plurals import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["idle_features", "told_idle"]

_NAMED = 3
_LATE = "their rows come only after the moment that is asked about, or never meet its keys"
_SAID = {
    "empty": ("no value in any row", _LATE),
    "constant": ("one and the same value in every row", "a model learns nothing from them"),
}


def idle_features(root: Path) -> dict[str, dict[str, str]]:
    """The features that are "empty" or "constant" in every training set that has them, by table.

    Args:
        root: The project; its training sets are made.
    """
    found = manifest.load(root / MANIFEST)
    states: dict[str, set[str]] = {}
    for path in sorted((root / TRAINING).glob("*/*.parquet")):
        for name, state in _states(path).items():
            states.setdefault(name, set()).add(state)
    idle: dict[str, dict[str, str]] = {}
    for view in found.views.values():
        for field in view.features:
            seen = states.get(field.name) or states.get(f"{view.name}__{field.name}") or {""}
            if len(seen) == 1 and (state := next(iter(seen))):
                idle.setdefault(view.table or view.name, {})[field.name] = state
    return idle


def told_idle(idle: Mapping[str, Mapping[str, str]]) -> list[str]:
    """In words, a line for what is empty and one for what is constant."""
    lines = []
    for state, (what, why) in _SAID.items():
        views = [view for view, names in idle.items() if state in names.values()]
        names = [name for view in views for name, said in idle[view].items() if said == state]
        if not names:
            continue
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        files = ", ".join(f"{TABLE_SQL}/{view}.sql" for view in views[:_NAMED])
        has = "has" if len(names) == 1 else "have"
        lines.append(
            f"{number_of(len(names), 'feature')} {has} {what} ({', '.join(names[:_NAMED])}{more}):"
            f" {why}; see {files}{' ...' if len(views) > _NAMED else ''}"
        )
    return lines


def _states(path: Path) -> dict[str, str]:
    """Of each column of a training set: "empty", "constant", or "" for what varies or can't be told."""
    facts = pq.read_metadata(path)
    groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
    told = {}
    for place in range(facts.num_columns):
        columns = [group.column(place) for group in groups]
        stats = [one.statistics for one in columns]
        state = ""
        if stats and all(one is not None and one.has_null_count for one in stats):
            nulls = sum(one.null_count for one in stats)
            ends = {end for one in stats if one.has_min_max for end in (one.min, one.max)}
            if nulls == facts.num_rows:
                state = "empty"
            elif not nulls and len(ends) == 1 and all(one.has_min_max for one in stats):
                state = "constant"
        told[facts.schema.names[place]] = state
    return told
