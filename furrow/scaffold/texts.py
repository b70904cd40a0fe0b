"""The files of a new project but for its features, as text.

Short, commented, and a person's own from then on.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow import layout
from furrow.data.contract import OR_NULL
from furrow.intake.postgres_address import fragment_of, is_postgres
from furrow.layout import CONTRACT, DVC_YAML, EXPERIMENTS_YAML, FEATURE_STORE
from furrow.scaffold.conf_schemas import header
from furrow.scaffold.feature_texts import (
    About,
    definitions_text,
    feature_store_text,
    spine_text,
)
from furrow.scaffold.joint_keys import key_names, key_words
from furrow.scaffold.stage_texts import dvc_text, workflow_text
from furrow.scaffold.wrapping import wrapped_flow
from furrow.training.tasks import load_task
from furrow.training.tasks.task import NUMBER, PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.intake.given import Given
    from furrow.intake.table_profile import Reference, TableProfile
    from furrow.scaffold.answers import Answers
    from furrow.scaffold.source_tables import FeatureTable

__all__ = [
    "LANDED",
    "Facts",
    "abouts_of",
    "experiments_of",
    "problem_text",
    "project_texts",
    "raw_patterns",
    "yaml_key",
]

LANDED = "landed"
"""The folder of data/ that holds what was landed, beside whatever else lies there."""

_MODELS = {
    "classifier": ("base_rate", "logistic", "gbm"),
    "regressor": ("base_value", "ridge", "gbm_regressor"),
}
FEW_LINES = 4
"""Lines of a table's contract in one piece; a longer one has a line for each part."""

_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}  # that YAML takes for values


@dataclass(frozen=True)
class Facts:
    """What a project is written from.

    Attributes:
        name: Of the project.
        answers: To the six questions.
        given: Where the data came from.
        tables: The tables' profiles, all columns.
        references: Which columns refer to which keys.
        features: The feature tables.
        until: Rows after this moment are left out of the spine: no label can be known of them;
            empty for none.
    """

    name: str
    answers: Answers
    given: Sequence[Given]
    tables: Mapping[str, TableProfile]
    references: Sequence[Reference]
    features: Sequence[FeatureTable]
    until: str = ""


def project_texts(facts: Facts) -> dict[str, str]:
    """The text of each file, by path."""
    answers = facts.answers
    label = facts.tables[answers.table]
    texts = {
        layout.problem_yaml(answers.name): problem_text(answers),
        EXPERIMENTS_YAML: _experiments(answers),
        CONTRACT: _contract(facts),
        FEATURE_STORE: feature_store_text(facts.name),
        f"{layout.FEATURES}/definitions.py": definitions_text(
            abouts_of(answers, label), facts.features, facts.name, given=f"{label.name}_profile"
        ),
        layout.spine_sql(answers.name): spine_text(answers, label, facts.until),
        layout.INGEST_PY: _ingest(facts),
        DVC_YAML: dvc_text(),
        "tests/test_project.py": _tests(answers),
        ".gitignore": _ignored(facts.given),
        ".github/workflows/furrow.yml": workflow_text(),
    }
    for kind, path in (
        ("problem", layout.problem_yaml(answers.name)),
        ("experiments", EXPERIMENTS_YAML),
        ("contract", CONTRACT),
    ):
        texts[path] = header(kind, path) + texts[path]
    return texts | {layout.table_sql(table.name): table.sql for table in facts.features}


def raw_patterns(given: Sequence[Given]) -> list[str]:
    """Raw files of the project's own folder, for .gitignore: DVC keeps what landed of them.

    Args:
        given: Places from the project's root.
    """
    found = set()
    for place in (place for one in given for place in one.places):
        folder, _, name = place.rpartition("/")
        suffix = "".join(name.partition(".")[1:])
        if "://" in place or place.startswith("/") or not name:
            continue
        pattern = f"{folder}/*{suffix}" if folder and suffix else place
        found.add("/" + re.sub(r"([\\?[\]])", r"\\\1", pattern))
    return sorted(found)


def _ignored(given: Sequence[Given]) -> str:
    """What Git leaves alone."""
    made = ("/build/", "/.furrow/", "*venv/", "__pycache__/")
    return "".join(f"{line}\n" for line in (*made, *raw_patterns(given)))


def abouts_of(
    answers: Answers, table: TableProfile, there: Mapping[str, str] | None = None
) -> list[About]:
    """The entities that are predicted, jointly where there are several.

    Args:
        answers: To the six questions.
        table: That holds the label.
        there: Where those that are defined already are, as MODULE.VARIABLE, by column.
    """
    found = []
    for name in key_names(answers.entity):
        whole = table.columns[name].kind in {"int64", "int32"}
        found.append(About(name, "Int64" if whole else "String", (there or {}).get(name, "")))
    return found


def yaml_key(name: str) -> str:
    """A key or a word as YAML reads it as text."""
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", name) is not None and name not in _WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)


def problem_text(answers: Answers) -> str:
    """conf/problem/NAME.yaml."""
    split = f"{{by: {answers.by}, test: {answers.test:g}, timezone: {answers.timezone}}}"
    if answers.by == "random":
        split = f"{{by: random, test: {answers.test:g}}}"
    elif answers.by == "date":
        split = f'{{by: date, start: "{answers.start}", timezone: {answers.timezone}}}'
    lines = [
        f"task: {answers.task}",
        f"entity: [{', '.join(map(yaml_key, key_names(answers.entity)))}]",
        f"spine: features/spines/{answers.name}.sql",
        f"label: {yaml_key(answers.label)}   # of each {key_words(answers.entity)}",
        (
            f"known_after: {answers.known_after}   # when the label is known, at the latest, after"
            " the prediction"
        ),
        f"split: {split}",
        "block: day   # rows of one day stay together in the bootstrap",
    ]
    if not answers.at:
        lines[-1] = f"block: {yaml_key(key_names(answers.entity)[0])}"
    if answers.step:
        lines[-1] = "block: week   # what comes of one week stays together in the bootstrap"
        lines.append(
            f"horizons: [{', '.join(map(str, answers.horizons))}]   # steps ahead: the spine has them, too"
        )
        lines.append(
            f"season: {answers.season}   # the naive forecast is what came one season before"
        )
    if answers.predicts == PROBABILITY:
        lines.append(f"positive: {answers.positive}")
    return "\n".join(lines) + "\n"


def experiments_of(task: str) -> dict[str, dict[str, Any]]:
    """The options of each first experiment, by its name.

    Numbers are predicted with an interval: what it is learnt from is no part of a baseline.
    Forecasts see how many steps ahead they are.

    Args:
        task: The task's name.
    """
    kind = load_task(task)
    found: dict[str, dict[str, Any]] = {
        name: {"model": model}
        for name, model in zip(
            ("baseline", "linear", "boosting"), _MODELS[kind.estimator], strict=True
        )
    }
    if kind.answers == NUMBER:
        for name in ("linear", "boosting"):
            found[name]["calibration"] = kind.calibrations[0]
    if not kind.waits:
        for name in ("linear", "boosting"):
            found[name]["features.keys"] = ["horizon"]
    return found


def _experiments(answers: Answers) -> str:
    entry = f"problem: {answers.name}, service: all"
    listed = "".join(
        f"  {name}: {{{entry}, {', '.join(f'{key}: {_flow(value)}' for key, value in options.items())}}}\n"
        for name, options in experiments_of(answers.task).items()
    )
    said = "  # conf/experiment/NAME.yaml can say more, conf/model/NAME.yaml hold another model"
    return f"experiments:{said}\n{listed}"


def _flow(value: object) -> str:
    """A value of an experiment's options as YAML."""
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


def _contract(facts: Facts) -> str:
    """conf/data/contract.yaml: a type for every column, said once for all that have it."""
    lines = [
        "# What the raw data must keep: `furrow data check` and the stage `validate` hold data/ to it.",
        "format: 1",
        f"clock: {{timezone: {facts.answers.timezone}}}",
        f"files: {LANDED}/{{table}}.parquet",
        "tables:   # a column of which more is to be said: columns: {NAME: {type: int64, min: 0}}",
    ]
    for table in facts.tables.values():
        own = [_reference(one) for one in facts.references if one.table == table.name]
        parts = [f"unique: [{yaml_key(table.keys[0])}]"] if table.keys else []
        parts += [f"references: {{{', '.join(own)}}}"] if own else []
        typed = _typed_columns(table)
        whole = ", ".join([*parts, f"types: {{{', '.join(typed)}}}"])
        short = wrapped_flow(f"{yaml_key(table.name)}: {{{whole}}}", indent=2)
        if len(short) <= FEW_LINES:
            lines += short
            continue
        lines += [f"  {yaml_key(table.name)}:", *(f"    {one}" for one in parts), "    types:"]
        lines += [line for one in typed for line in wrapped_flow(one, indent=6)]
    return "\n".join(lines) + "\n"


def _typed_columns(table: TableProfile) -> list[str]:
    """Columns by what the contract says of them."""
    found: dict[str, list[str]] = {}
    for one in table.columns.values():
        said = one.kind + OR_NULL * bool(one.nulls or not one.rows)
        found.setdefault(said, []).append(yaml_key(one.name))
    return [f"{said}: [{', '.join(names)}]" for said, names in found.items()]


def _reference(one: Reference) -> str:
    missing = f", missing_share: {min(1.0, one.missing * 1.5 + 0.01):.2f}" if one.missing else ""
    return (
        f"{yaml_key(one.column)}: {{to:"
        f" {json.dumps(f'{one.to}.{one.key}', ensure_ascii=False)}{missing}}}"
    )


def _ingest(facts: Facts) -> str:
    sources = "".join(f"    {json.dumps(one.name)}: {_places(one)},\n" for one in facts.given)
    zone = (
        f", timezone={json.dumps(facts.answers.timezone)}"
        if facts.answers.timezone != "UTC"
        else ""
    )
    counted = facts.answers.numbered
    count = f", numbered={json.dumps({facts.answers.table: counted})}" if counted else ""
    server = any(is_postgres(one.places[0]) for one in facts.given)
    secret = "# The password of PostgreSQL: PGPASSWORD, or a password file (~/.pgpass).\n" * server
    return (
        '"""Land the data: each becomes data/landed/NAME.parquet, typed as conf/data/contract.yaml'
        f' says."""\n\n{secret}from furrow.stages.land import'
        f" land_project\n\nland_project({{\n{sources}}}{zone}{count})\n"
    )


def _places(given: Given) -> str:
    """Where a table comes from; the table of a database, or the sheet, behind a #."""
    table = fragment_of(given.table) if is_postgres(given.places[0]) else given.table
    return json.dumps(
        [f"{place}#{table}" if table else place for place in given.places], ensure_ascii=False
    )


def _tests(answers: Answers) -> str:
    names = [*key_names(answers.entity), "event_timestamp", *(["horizon"] if answers.step else [])]
    keys = json.dumps(names, ensure_ascii=False)
    return f'''\
"""What this project keeps, whatever is changed in it: run `pytest`."""

import pandas as pd


def test_each_row_is_predicted_once():
    rows = pd.read_parquet("build/predictions/boosting.parquet")
    assert not rows.duplicated({keys}).any()


def test_what_came_of_it_is_no_feature():
    run = pd.read_json("runs/boosting/record.json", typ="series")
    assert not {{run["label"], "label_timestamp"}} & set(run["features"])
'''
