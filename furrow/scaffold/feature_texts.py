"""The Feast repository of a new project, as text: settings, definitions, the spine."""

from __future__ import annotations

import json
import keyword
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.features.given_features import GIVEN
from furrow.intake.table_profile import readable
from furrow.scaffold.feature_sql import moment_sql, rows_sql
from furrow.scaffold.joint_keys import key_list
from furrow.scaffold.series_sql import series_spine
from furrow.scaffold.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.intake.table_profile import TableProfile
    from furrow.scaffold.answers import Answers
    from furrow.scaffold.source_tables import FeatureTable

__all__ = ["About", "definitions_text", "entity_name", "feature_store_text", "spine_text"]

_VALUE_TYPES = {"Int64": "INT64", "Int32": "INT32"}
_UNITS = {"h": "hours", "d": "days", "w": "weeks", "m": "minutes", "s": "seconds"}


def feature_store_text(name: str) -> str:
    """features/feature_store.yaml."""
    return (
        f"project: {name}\nregistry: ../build/registry.db\n"
        "offline_store: {type: furrow.ground.feast.offline.FurrowOfflineStore}\n"
        "online_store: {type: furrow.ground.feast.online.FurrowOnlineStore, path:"
        " ../build/online}\n"
        "batch_engine: {type: furrow.ground.feast.compute_engine.FurrowComputeEngine}\n"
        "entity_key_serialization_version: 3\n"
    )


@dataclass(frozen=True)
class About:
    """An entity of definitions: one that is there, or a new one.

    Attributes:
        key: The join key.
        type_: Feast's type of the key: String, Int64, ...
        there: Where it is defined, as MODULE.VARIABLE; empty for a new one.
        name: Of a new one; from the key, if left out.
    """

    key: str
    type_: str = "String"
    there: str = ""
    name: str = ""


def definitions_text(
    abouts: Sequence[About],
    features: Sequence[FeatureTable],
    owner: str,
    *,
    service: str = "all",
    others: Sequence[str] = (),
    given: str = "",
) -> str:
    """A file of Feast definitions: entities, a view for each feature table, one service of all.

    Args:
        abouts: Whom the tables are about.
        features: The feature tables.
        owner: Of the definitions.
        service: What the service is called; empty for none.
        others: Views of other files that the service takes, too, as MODULE.VARIABLE.
        given: The view whose features a request may give, of a row that has not landed yet.
    """
    new = [one for one in abouts if not one.there]
    types = sorted({type_ for one in features for type_ in one.features.values()})
    modules = {place.rpartition(".")[0] for place in (*(one.there for one in abouts), *others)}
    feast = ["Entity"] * bool(new) + ["FeatureService"] * bool(service)
    feast += ["FeatureView", "Field", "FileSource"] * bool(features) + ["ValueType"] * bool(new)
    lines = [_said(features, service), ""]
    lines += ["from datetime import timedelta", ""] * bool(features)
    lines += [*(f"import {module}" for module in sorted(modules) if module)]
    lines += [f"from feast import {', '.join(feast)}"]
    lines += [f"from feast.types import {', '.join(types)}"] * bool(types) + [""]
    named = {one.key: one.there or _variable(place) for place, one in enumerate(abouts)}
    for one in new:
        name, key = one.name or entity_name(one.key), json.dumps(one.key, ensure_ascii=False)
        kind = _VALUE_TYPES.get(one.type_, "STRING")
        said = f'name="{name}", join_keys=[{key}], value_type=ValueType.{kind}'
        lines.append(f"{named[one.key]} = Entity({said})")
    if features:
        lines += [
            *[""] * (2 if new else 1),
            *_view_function(", ".join(named.values()), owner),
            "",
            "",
        ]
    for table in features:
        lines += [f'{table.name}_view = view("{table.name}",', *_arguments(table.features)]
    if service:
        listed = ", ".join([*others, *(f"{one.name}_view" for one in features)])
        told = "All that is known" if service == "all" else f"What {service} is predicted from"
        said = f'owner="{owner}", description="{told}"'
        lines.append(f'service = FeatureService(name="{service}", {said}, features=[{listed}],')
        if any(one.name == given for one in features):
            lines.append(f'    tags={{"{GIVEN}": "{given}"}})  # of a row that has not landed yet')
        else:
            lines[-1] = lines[-1].removesuffix(",") + ")"
    return "\n".join(lines) + "\n"


def _said(features: Sequence[FeatureTable], service: str) -> str:
    """The first line of the file."""
    if features:
        what = "features/tables/NAME.sql makes the table of the view NAME"
        return f'"""Who is predicted, and what is known of them: {what}."""'
    return f'"""The features of the service {service}."""'


def _variable(place: int) -> str:
    return "about" if not place else f"about_{place + 1}"


def _view_function(entities: str, owner: str) -> list[str]:
    said = (
        f'{{"owner": "{owner}", "description": f"of {{name}}.sql", "ttl": timedelta(days=36_500)}}'
    )
    return [
        "def view(name, **types):  # a row of its table holds until the next one of its entity",
        (
            '    source = FileSource(name=f"{name}_table", path=f"../build/tables/{name}.parquet",'
            ' timestamp_field="event_timestamp")'
        ),
        "    schema = [Field(name=feature, dtype=type_) for feature, type_ in types.items()]",
        f"    said = {said}",
        (
            f"    return FeatureView(name=name, entities=[{entities}], schema=schema,"
            " source=source, **said)"
        ),
    ]


def entity_name(key: str) -> str:
    """A name for Feast's entity of a key."""
    short = key.removesuffix("_id") or key
    return short if short.isascii() else "about"


def _arguments(features: Mapping[str, str]) -> list[str]:
    """Keyword arguments, as many to a line as fit.

    Names that Python has no such word for in a mapping.
    """
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
    """Whether Python reads a name as itself.

    It takes some letters for others, as the micro sign for mu (PEP 3131).
    """
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
    entity, at, label = key_list(answers.entity), moment_sql(answers), readable(answers.label)
    if answers.step:
        return series_spine(answers)
    span = answers.known_after.replace(" ", "")
    rows = rows_sql(answers, table, answers.label)
    if until:
        first, rest = rows.split("\n", 1)
        rows = f"{first} and {at} <= timestamptz '{until}'  -- the others lie in the future\n{rest}"
    return (
        "-- Who is predicted, when, and what came of it.\n"
        f"select {entity}, {at} as event_timestamp, {label},\n"
        f"    {at} + interval '{span[:-1]} {_UNITS[span[-1]]}' as label_timestamp\n"
        f"from {readable(answers.table)} {rows}order by event_timestamp, {entity}\n"
    )
