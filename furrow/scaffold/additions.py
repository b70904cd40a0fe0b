"""The everyday additions to a project, each as files.

A feature table, a view, a service, an experiment, a metric.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from furrow.data.contract import load_contract
from furrow.errors import FurrowError
from furrow.features.manifest import load as load_manifest
from furrow.ground.feast.named_objects import named_objects
from furrow.layout import (
    CONF,
    CONTRACT,
    EXPERIMENTS_YAML,
    FEATURES,
    MANIFEST,
    METRICS_YAML,
    TABLE_SQL,
    problem_yaml,
    table_sql,
)
from furrow.parse import read_yaml
from furrow.scaffold.answer_error import AnswerError, held_as, near
from furrow.scaffold.entity_ties import Tie, event_moment
from furrow.scaffold.feature_texts import About, definitions_text, entity_name
from furrow.scaffold.joint_keys import is_joint, joint_key, key_names, key_words, rows_each
from furrow.scaffold.metric_texts import METRICS_PY, metric_text
from furrow.scaffold.raw_profiles import raw_profiles
from furrow.scaffold.source_tables import FeatureTable, source_table
from furrow.scaffold.sql_columns import sql_columns
from furrow.scaffold.texts import experiments_of
from furrow.training.declare import problem as declared_problem
from furrow.training.metric_registry import MINIMIZE
from furrow.training.own_metrics import own_metrics
from furrow.trials.edit import with_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from furrow.ground.feast.named_objects import NamedObjects
    from furrow.intake.table_profile import TableProfile

__all__ = [
    "Addition",
    "AdditionError",
    "add_experiment",
    "add_metric",
    "add_service",
    "add_table",
    "add_view",
    "check_name",
    "only",
    "owner_of",
    "problems_of",
]

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class AdditionError(FurrowError):
    """Something can't be added: its name is unfit or taken, or it refers to what is not there."""


@dataclass(frozen=True)
class Addition:
    """Files to be written.

    Attributes:
        files: The text of each, by path; one that exists is replaced only if `edits` names it.
        edits: Files that are there and get something more.
        needs: Files that the stage `compile` must depend on.
        notes: What a person should know, a line each.
        answers: Of a problem: each question, its answer, and because of what.
    """

    files: Mapping[str, str]
    edits: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    answers: tuple[tuple[str, str, str], ...] = ()


def check_name(name: str, taken: Mapping[str, object] | Sequence[str] = ()) -> None:
    """See that a name is fit, and free.

    Raises:
        AdditionError: It is not.
    """
    if not _NAME.fullmatch(name):
        raise AdditionError(f"{name!r} is not a name", hint="use lower-case letters, digits and _")
    if name in taken:
        raise AdditionError(f"there is one of the name {name!r} already", hint="give another name")


def add_table(root: Path, name: str, *, of: str, about: str = "", at: str = "") -> Addition:
    """A feature table over a raw table: last values.

    Counts, sums, means of windows, where it holds events.

    Args:
        root: The project.
        name: Of the table, its view and its features.
        of: The raw table.
        about: Its column that says whom a row is about, or several: A,B; the join key that it has,
            if left out.
        at: Its column of moments; the earliest one without gaps, if left out.

    Raises:
        FurrowError: The name is taken, or the raw table has no such columns.
    """
    contract = load_contract(root / CONTRACT)
    there = [path.stem for path in (root / TABLE_SQL).glob("*.sql")]
    check_name(name, [*there, *contract.tables])
    tables, _ = raw_profiles(root, [of])
    raw, known = tables[of], named_objects(root / FEATURES)
    key = _key_of(raw, about, known)
    moment = _moment_of(raw, at)
    dated = bool(moment) and raw.columns[moment].midnight
    single = rows_each(raw, key) == 1 if is_joint(key) else key in raw.keys
    source = Tie(replace(raw, name=name), of, key, moment, dated, single)
    made = replace(source_table(key, source), name=name)
    if not made.features:
        said = f"{of} has nothing that could be a feature beside {key_words(key)} and {moment}"
        raise AdditionError(said, hint=f"write {table_sql(name)} by hand, then `furrow add view`")
    files = {table_sql(name): made.sql}
    kinds = {column: _kind(raw, column) for column in key_names(key)}
    view = _view(root, name, made, _abouts(known, kinds), owner_of(root))
    notes = () if moment else (f"{of} has no moments: its values are taken as known at any time",)
    return Addition({**files, **view.files}, needs=view.needs, notes=notes)


def add_view(root: Path, name: str) -> Addition:
    """A Feast view over a feature table that is there, its types from the SQL.

    Args:
        root: The project.
        name: Of the table, features/tables/NAME.sql, and of the view.

    Raises:
        FurrowError: There is no such table, its SQL is wrong, or it has a view.
    """
    path, known = root / table_sql(name), named_objects(root / FEATURES)
    check_name(name, known.views)
    if not path.is_file():
        hint = (
            f"write it, or `furrow add table {name} --of RAW` writes it and its view;"
            f" {near(name, [one.stem for one in path.parent.glob('*.sql')])}"
        )
        raise AdditionError(f"there is no feature table {table_sql(name)}", hint=hint)
    contract = load_contract(root / CONTRACT)
    found = sql_columns(path.read_text(encoding="utf-8"), contract, where=table_sql(name))
    if not found.features:
        raise AdditionError(
            f"{table_sql(name)} gives no features", hint="select values behind event_timestamp"
        )
    made = FeatureTable(name, "", found.features)
    return _view(root, name, made, _abouts(known, found.keys), owner_of(root))


def add_service(root: Path, name: str, views: Sequence[str] = ()) -> Addition:
    """A feature service of some views.

    Args:
        root: The project.
        name: Of the service.
        views: Names of views; all of them if empty.

    Raises:
        FurrowError: The name is taken, or a view is not there.
    """
    known = named_objects(root / FEATURES)
    check_name(name, known.services)
    for view in views:
        if view not in known.views:
            raise AdditionError(f"there is no view {view!r}", hint=near(view, known.views))
    others = [known.views[view] for view in views or sorted(known.views)]
    if not others:
        raise AdditionError("there are no views", hint="`furrow add table` makes one")
    path = f"{FEATURES}/{name}_service.py"
    text = definitions_text([], [], owner_of(root), service=name, others=others)
    return Addition({path: text}, needs=(path,))


def add_experiment(
    root: Path, name: str, *, problem: str = "", service: str = "", options: Mapping[str, str]
) -> Addition:
    """An entry of conf/experiments.yaml.

    Args:
        root: The project.
        name: Of the experiment.
        problem: That it solves; the only one, if left out.
        service: The feature service that it trains on; `all`, or the only one, if left out.
        options: What it chooses of conf's groups: `model: gbm`; the task's boosting, if it names no
            model.

    Raises:
        FurrowError: The name is taken, or what it names is not there.
    """
    text = (root / EXPERIMENTS_YAML).read_text(encoding="utf-8")
    there = _experiments(root)
    check_name(name, there)
    problems = problems_of(root)
    problem = problem or only(list(problems), "problem", "--problem")
    if problem not in problems:
        raise AdditionError(f"there is no problem {problem!r}", hint=near(problem, problems))
    services = list(load_manifest(root / MANIFEST).services)
    used = [one["service"] for one in there.values() if one.get("problem", problem) == problem]
    service = service or (used[0] if used else only(services, "service", "--service"))
    if service not in services:
        raise AdditionError(f"there is no service {service!r}", hint=near(service, services))
    usual = experiments_of(problems[problem])["boosting"]
    chosen = options if "model" in options else {**usual, **options}
    entry = {"problem": problem, "service": service, **chosen}
    edited = with_value(text, ["experiments", name], entry, where=EXPERIMENTS_YAML)
    return Addition({}, {EXPERIMENTS_YAML: edited})


def add_metric(root: Path, name: str, *, task: str = "", direction: str = MINIMIZE) -> Addition:
    """A metric of the project's own.

    A function of pipelines/metrics.py, and a line of conf/metrics.yaml.

    Args:
        root: The project.
        name: Of the metric.
        task: That it judges; the only one that the problems have, if left out.
        direction: minimize or maximize.

    Raises:
        FurrowError: The name is taken.
    """
    own = own_metrics(root)
    check_name(name, own)
    task = task or only(sorted(set(problems_of(root).values())), "task", "--task")
    path = root / METRICS_YAML
    text = path.read_text(encoding="utf-8") if path.is_file() else "metrics: {}\n"
    module = METRICS_PY.removesuffix(".py").replace("/", ".")
    entry = {"function": f"{module}:{name}", "direction": direction, "tasks": [task]}
    edits = {METRICS_YAML: with_value(text, ["metrics", name], entry, where=METRICS_YAML)}
    before = root / METRICS_PY
    edits[METRICS_PY] = metric_text(
        name, task, before.read_text(encoding="utf-8") if before.is_file() else ""
    )
    return Addition({}, edits, needs=(METRICS_PY,))


def owner_of(root: Path) -> str:
    """Whom new definitions belong to: as those that are there."""
    views = load_manifest(root / MANIFEST).views.values()
    return next((view.owner for view in views if view.owner), root.resolve().name)


def problems_of(root: Path) -> dict[str, str]:
    """The task of each declared problem, by name."""
    names = sorted(path.stem for path in (root / problem_yaml("x")).parent.glob("*.yaml"))
    return {name: declared_problem(root / CONF, name).task for name in names}


def only(names: Sequence[str], word: str, flag: str) -> str:
    """The only one there is.

    Raises:
        AdditionError: There are several, or none.
    """
    if len(names) != 1:
        said = f"there are {len(names)} {word}s" if names else f"there is no {word}"
        raise AdditionError(said, hint=f"say which: {flag} {' or '.join(names)}")
    return names[0]


def _experiments(root: Path) -> dict[str, Any]:
    value = read_yaml(root / EXPERIMENTS_YAML) or {}
    return dict(value.get("experiments") or {})


def _view(
    root: Path, name: str, made: FeatureTable, abouts: Sequence[About], owner: str
) -> Addition:
    path = f"{FEATURES}/{name}_view.py"
    check_name(name, [one.stem for one in (root / FEATURES).glob(f"{name}.py")])
    return Addition({path: definitions_text(abouts, [made], owner, service="")}, needs=(path,))


def _abouts(known: NamedObjects, keys: Mapping[str, str]) -> list[About]:
    """The entity of each key: one that is there, else a new one."""
    return [
        About(
            key, type_, known.entities.get(key, ""), key if entity_name(key) in known.names else ""
        )
        for key, type_ in keys.items()
    ]


def _kind(raw: TableProfile, key: str) -> str:
    return "Int64" if raw.columns[key].kind in {"int64", "int32"} else "String"


def _key_of(raw: TableProfile, about: str, known: NamedObjects) -> str:
    """The columns that say whom a row is about, as one key."""
    if about:
        asked = [one.strip() for one in about.split(",") if one.strip()]
        for one in asked:
            if not held_as(one, raw.columns):
                hint = near(one, raw.columns)
                raise AnswerError(f"{raw.name} has no column {one!r}", hint=hint)
        return joint_key(list(dict.fromkeys(held_as(one, raw.columns) for one in asked)))
    found = [key for key in known.entities if key in raw.columns]
    if len(found) == 1:
        return found[0]
    said = f"{raw.name} holds {' and '.join(found) if found else 'no join key that is known'}"
    several = f", or of both: --about {','.join(found)}" if len(found) > 1 else ""
    raise AnswerError(said, hint=f"say whom its rows are about: --about COLUMN{several}")


def _moment_of(raw: TableProfile, at: str) -> str:
    if not at:
        return event_moment(raw)
    column = held_as(at, raw.columns)
    if not column or raw.columns[column].kind != "timestamp":
        raise AnswerError(
            f"{raw.name} has no moment {at!r}", hint=near(at, raw.times or raw.columns)
        )
    return column
