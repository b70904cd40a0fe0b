"""The Feast repository of a new project, as text: settings, definitions, the spine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.features.given_features import GIVEN
from furrow.intake.table_profile import readable
from furrow.scaffold.feature_sql import moment_sql, rows_sql
from furrow.scaffold.joint_keys import key_list
from furrow.scaffold.series_sql import series_spine
from furrow.scaffold.view_texts import view_lines
from furrow.scaffold.wrapping import wrapped_flow

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    modules = {place.rpartition(".")[0] for place in (*(one.there for one in abouts), *others)}
    feast = ["Entity"] * bool(new) + ["FeatureService"] * bool(service) + ["ValueType"] * bool(new)
    views = [view_lines(table, list(_named(abouts).values()), owner) for table in features]
    lines = [_said(features, service), ""]
    lines += [*(f"import {module}" for module in sorted(modules) if module)]
    lines += [f"from feast import {', '.join(feast)}"] * bool(feast)
    if features:
        helpers = "table_view" + ", windows" * any("windows(" in " ".join(one) for one in views)
        lines += [f"from furrow.ground.feast.table_views import {helpers}"]
    lines.append("")
    named = _named(abouts)
    for one in new:
        name, key = one.name or entity_name(one.key), json.dumps(one.key, ensure_ascii=False)
        kind = _VALUE_TYPES.get(one.type_, "STRING")
        said = f'name="{name}", join_keys=[{key}], value_type=ValueType.{kind}'
        lines += _call(f"{named[one.key]} = Entity({said})")
    lines += [line for one in views for line in one]
    if service:
        listed = ", ".join([*others, *(f"{one.name}_view" for one in features)])
        told = "All that is known" if service == "all" else f"What {service} is predicted from"
        said = f'name="{service}", owner="{owner}", description="{told}", features=[{listed}]'
        if any(one.name == given for one in features):
            lines += _call(f"service = FeatureService({said},")
            lines.append(f'    tags={{"{GIVEN}": "{given}"}})  # of a row that has not landed yet')
        else:
            lines += _call(f"service = FeatureService({said})")
    return "\n".join(lines) + "\n"


def _call(text: str) -> list[str]:
    """A call on one line, or on as many as it takes."""
    return [
        line if not place else f"    {line.strip()}"
        for place, line in enumerate(wrapped_flow(text, indent=0))
    ]


def _said(features: Sequence[FeatureTable], service: str) -> str:
    """The first line of the file."""
    if features:
        what = "features/tables/NAME.sql is the view NAME"
        return f'"""Who is predicted, and what is known of them: {what}."""'
    return f'"""The features of the service {service}."""'


def _named(abouts: Sequence[About]) -> dict[str, str]:
    """What each entity is called in the file."""
    return {
        one.key: one.there or ("about" if not place else f"about_{place + 1}")
        for place, one in enumerate(abouts)
    }


def entity_name(key: str) -> str:
    """A name for Feast's entity of a key."""
    short = key.removesuffix("_id") or key
    return short if short.isascii() else "about"


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
