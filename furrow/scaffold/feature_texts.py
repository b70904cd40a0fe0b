"""The Feast repository of a new project, as text: settings, definitions, the spine."""

from __future__ import annotations

import json
import keyword
import unicodedata
from typing import TYPE_CHECKING

from furrow.intake.table_profile import readable
from furrow.scaffold.feature_sql import moment_sql, rows_sql
from furrow.scaffold.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.intake.table_profile import TableProfile
    from furrow.scaffold.answers import Answers
    from furrow.scaffold.feature_sql import FeatureTable

__all__ = ["definitions_text", "feature_store_text", "spine_text"]

_VALUE_TYPES = {"int64": "INT64", "int32": "INT64"}
_UNITS = {"h": "hours", "d": "days", "w": "weeks", "m": "minutes", "s": "seconds"}


def feature_store_text(name: str) -> str:
    """features/feature_store.yaml."""
    return (
        f"project: {name}\nregistry: ../build/registry.db\n"
        "offline_store: {type: furrow.ground.feast.offline.FurrowOfflineStore}\n"
        "online_store: {type: furrow.ground.feast.online.FurrowOnlineStore, path: ../build/online}\n"
        "entity_key_serialization_version: 3\n"
    )


def definitions_text(
    answers: Answers, table: TableProfile, features: Sequence[FeatureTable], owner: str
) -> str:
    """features/definitions.py: the entity, a view for each feature table, one service of all.

    Args:
        answers: To the six questions.
        table: That holds the label.
        features: The feature tables.
        owner: Of the definitions.
    """
    key = json.dumps(answers.entity, ensure_ascii=False)
    kind = _VALUE_TYPES.get(table.columns[answers.entity].kind, "STRING")
    types = sorted({type_ for one in features for type_ in one.features.values()})
    lines = [
        '"""Who is predicted, and what is known of them: features/tables/NAME.sql makes the table of the view NAME."""',
        "",
        "from datetime import timedelta",
        "",
        "from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType",
        f"from feast.types import {', '.join(types)}",
        "",
        f'about = Entity(name="{_plain(answers.entity)}", join_keys=[{key}], value_type=ValueType.{kind})',
        "",
        "",
        "def view(name, **types):  # a row of its table holds until the next one of its entity",
        '    place = f"../build/tables/{name}.parquet"',
        '    source = FileSource(name=f"{name}_table", path=place, timestamp_field="event_timestamp")',
        "    schema = [Field(name=feature, dtype=type_) for feature, type_ in types.items()]",
        f'    said = {{"owner": "{owner}", "description": f"of {{name}}.sql", "ttl": timedelta(days=36_500)}}',
        "    return FeatureView(name=name, entities=[about], schema=schema, source=source, **said)",
        "",
        "",
    ]
    for one in features:
        lines += [f'{one.name}_view = view("{one.name}",', *_arguments(one.features)]
    listed = ", ".join(f"{one.name}_view" for one in features)
    said = f'owner="{owner}", description="All that is known"'
    lines.append(f'service = FeatureService(name="all", {said}, features=[{listed}])')
    return "\n".join(lines) + "\n"


def _plain(name: str) -> str:
    """A name for Feast's entity."""
    short = name.removesuffix("_id") or name
    return short if short.isascii() else "about"


def _arguments(features: Mapping[str, str]) -> list[str]:
    """Keyword arguments, as many to a line as fit; names that Python has no such word for in a mapping."""
    plain = all(_is_word(name) for name in features)
    parts = [
        f"{name}={type_}" if plain else f"{json.dumps(name, ensure_ascii=False)}: {type_}"
        for name, type_ in features.items()
    ]
    lines = [f"    {line}" for line in wrapped(parts)]
    if not plain:
        lines = ["    **{", *lines, "    },"]
    return [*lines[:-1], f"{lines[-1]})"]


def _is_word(name: str) -> bool:
    """Whether Python reads a name as itself: it takes some letters for others, as the micro sign for mu (PEP 3131)."""
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and unicodedata.normalize("NFKC", name) == name
    )


def spine_text(answers: Answers, table: TableProfile, until: str = "") -> str:
    """features/spines/NAME.sql: who is predicted, when, and what came of it.

    Args:
        answers: To the six questions.
        table: That holds the label.
        until: Rows after this moment are left out.
    """
    entity, at, label = readable(answers.entity), moment_sql(answers), readable(answers.label)
    span = answers.known_after.replace(" ", "")
    rows = rows_sql(answers, table, answers.label)
    if until:
        first, rest = rows.split("\n", 1)
        rows = f"{first} and {at} <= timestamptz '{until}'  -- the others lie in the future\n{rest}"
    return (
        f"-- Who is predicted, when, and what came of it.\n"
        f"select {entity}, {at} as event_timestamp, {label},\n"
        f"    {at} + interval '{span[:-1]} {_UNITS[span[-1]]}' as label_timestamp\n"
        f"from {readable(answers.table)} {rows}order by event_timestamp, {entity}\n"
    )
