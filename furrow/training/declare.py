"""Declared experiments: conf/ composed, checked, and resolved into one config each."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from furrow.errors import FurrowError
from furrow.ground.hydra import ConfigError, compose, structured
from furrow.parse import ParseError, read_yaml
from furrow.training.boosting_libraries import require_allowed
from furrow.training.config import Code, Experiment, parse
from furrow.training.gate import Gate, settle_gate
from furrow.training.metric_registry import Metric, MetricError, find
from furrow.training.problem import RESERVED, Problem, check_problem
from furrow.training.tasks import load_task, metrics_of, task_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = [
    "DeclarationError",
    "Declared",
    "check_metrics",
    "chosen",
    "declared",
    "experiment_text",
    "gate",
    "problem",
    "resolve",
]

NAME = re.compile(r"[a-z][a-z0-9_]*")
_OPTIONS = ("model", "calibration", "search", "engine")
"""Groups of which an entry of conf/experiments.yaml may choose an option."""
_SETTING = re.compile(r"(?:model|calibration|search|engine|encoding|features)(?:\.[A-Za-z_]\w*)+")
"""A key whose value an entry may set."""


class DeclarationError(FurrowError):
    """The map of experiments and the files of conf/experiment/ don't agree, or name what does not exist."""


@dataclass(frozen=True)
class Declared:
    """An entry of conf/experiments.yaml.

    Attributes:
        service: The feature service that it trains on.
        problem: The problem that it solves.
        options: What it chooses of conf's groups, where it has no file conf/experiment/NAME.yaml:
            `model: gbm`.
        settings: Values of keys below those, by their whole path: `model.learning_rate: 0.03`.
    """

    service: str
    problem: str
    options: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def said(self) -> list[str]:
        """What the entry itself chooses and sets."""
        return [*self.options, *self.settings]


def declared(conf: Path) -> dict[str, Declared]:
    """The experiments that conf/experiments.yaml declares, in its order.

    An entry that names no problem means the only one that there is.

    Raises:
        DeclarationError: An entry has no file, a file has no entry, a name is unfit, or a problem
            is not declared.
    """
    path = conf / "experiments.yaml"
    try:
        value = read_yaml(path)
        entries = {
            str(name): (
                str(entry["service"]),
                entry.get("problem"),
                *_options(path, str(name), entry),
            )
            for name, entry in value["experiments"].items()
        }
    except OSError as exc:
        raise DeclarationError(
            f"cannot read {path}: {exc.strerror}", hint="declare the experiments there"
        ) from exc
    except (ParseError, KeyError, TypeError, AttributeError) as exc:
        raise DeclarationError(
            f"{path} is malformed: {' '.join(str(exc).split())}",
            hint="write `experiments: {NAME: {problem: PROBLEM, service: SERVICE}}`",
        ) from exc
    files = {file.stem for file in (conf / "experiment").glob("*.yaml")}
    for name in entries:
        if not NAME.fullmatch(name):
            raise DeclarationError(
                f"{path}: {name!r} is not a name", hint="use lower-case letters, digits and _"
            )
        said_here = [word for part in entries[name][2:] for word in part]
        if name not in files and not said_here:
            close = difflib.get_close_matches(name, sorted(files - set(entries)), 1)
            place = f"{conf.name}/experiment/{name}.yaml"
            hint = (
                f"did you mean {close[0]!r}?"
                if close
                else f"write {place}, or add `model: gbm`, or drop the entry"
            )
            raise DeclarationError(f"{path}: {name!r} has no file {place}", hint=hint)
        if name in files and said_here:
            place = f"{conf.name}/experiment/{name}.yaml"
            said = f"{path}: {name!r} says {', '.join(said_here)}, and has a file {place}"
            hint = (
                "say it in one place: in the file, which begins with `# @package _global_` and"
                " `defaults: [override /model: gbm]`, or here, as `model.learning_rate: 0.05`"
                " without the file"
            )
            raise DeclarationError(said, hint=hint)
    for name in sorted(files - set(entries)):
        raise DeclarationError(
            f"{conf.name}/experiment/{name}.yaml has no entry in {path.name}",
            hint=(
                f"add `{name}: {{service: SERVICE}}` to {conf.name}/{path.name}, or remove the file"
            ),
        )
    problems = sorted(file.stem for file in (conf / "problem").glob("*.yaml"))
    return {
        name: Declared(service, _problem_of(path, name, problem, problems), options, settings)
        for name, (service, problem, options, settings) in entries.items()
    }


def _options(
    path: Path, name: str, entry: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, Any]]:
    """What an entry chooses and sets; a word that means nothing there is an error."""
    known = ("problem", "service", *_OPTIONS)
    settings = {str(key): value for key, value in entry.items() if _SETTING.fullmatch(str(key))}
    for key in entry:
        if key not in known and str(key) not in settings:
            close = difflib.get_close_matches(str(key), known, 1)
            hint = (
                f"did you mean {close[0]!r}?"
                if close
                else f"an entry has: {', '.join(known)}; a model's own settings are written by"
                f" their whole path, as `model.{key}: ...` is"
            )
            raise DeclarationError(f"{path}: {name}: unknown key {str(key)!r}", hint=hint)
    for key in _OPTIONS:
        if isinstance(entry.get(key), dict | list):
            within = next(iter(entry[key]), "learning_rate")
            raise DeclarationError(
                f"{path}: {name}: {key} is the name of an option, such as gbm, not a mapping",
                hint=f"set what is in it by its whole path: `{key}.{within}: ...`",
            )
    return {key: str(entry[key]) for key in _OPTIONS if key in entry}, settings


def _problem_of(path: Path, name: str, problem: str | None, problems: list[str]) -> str:
    if not problems:
        raise DeclarationError(
            f"{path.parent}/problem holds no problem", hint="declare one in conf/problem/NAME.yaml"
        )
    if problem is None and len(problems) == 1:
        return problems[0]
    if problem in problems:
        return str(problem)
    if problem is None:
        said, hint = (
            f"{path}: {name!r} names no problem",
            f"add `problem:` and one of {', '.join(problems)}",
        )
    else:
        close = difflib.get_close_matches(str(problem), problems, 1)
        missing = f"{path.parent.name}/problem/{problem}.yaml"
        said = f"{path}: {name!r} is of a problem {str(problem)!r}, and there is no {missing}"
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(problems)}"
    raise DeclarationError(said, hint=hint)


def chosen(name: str, entry: Declared) -> list[str]:
    """The overrides that compose a declared experiment, and the problem that it is of."""
    words = [f"problem={entry.problem}", f"++problem.name={entry.problem}"]
    if not entry.said:
        return [f"experiment={name}", *words]
    settings = [f"++{key}={_written(value)}" for key, value in entry.settings.items()]
    options = [f"{group}={option}" for group, option in entry.options.items()]
    return [
        "experiment=one_line",
        *words,
        *options,
        f"++name={name}",
        f"++features.service={entry.service}",
        *settings,
    ]


def _written(value: Any) -> str:
    """A value in Hydra's grammar of overrides."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_written(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return repr(value)
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def experiment_text(name: str, entry: Declared) -> str:
    """A file conf/experiment/NAME.yaml that says what an entry of one line says."""
    lines = [f"  - override /{group}: {option}\n" for group, option in entry.options.items()]
    defaults = f"defaults:\n{''.join(lines)}\n" if lines else ""
    values: dict[str, Any] = {"features": {"service": entry.service}}
    for key, value in entry.settings.items():
        place = values
        *above, last = key.split(".")
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    said = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, allow_unicode=True)
    return f"# @package _global_\n{defaults}name: {name}\n{said}"


def problem(conf: Path, name: str) -> Problem:
    """A declared problem, checked.

    Args:
        conf: The folder of configs.
        name: Of the file in conf/problem.

    Raises:
        ConfigError: A key is unknown, missing, or of a wrong type.
        ProblemError: It says what can't be.
    """
    where = f"{conf.name}/problem/{name}.yaml"
    try:
        value = read_yaml(conf / "problem" / f"{name}.yaml") or {}
    except (OSError, ParseError) as exc:
        raise DeclarationError(
            f"cannot read {where}: {' '.join(str(exc).split())}", hint="mend the file"
        ) from exc
    if not isinstance(value, dict):
        raise DeclarationError(f"{where} holds no mapping", hint="write `task: binary` and so on")
    found = structured(Problem, value, where=where, conf=conf)
    if found.name not in ("", name):
        said = f"{where}: name is {found.name!r}"
        twin = (conf / "problem" / f"{found.name}.yaml").is_file()
        hint = f"{conf.name}/problem/{found.name}.yaml has that name: " if twin else ""
        raise DeclarationError(
            said, hint=f"{hint}a problem is called as its file; leave the name out"
        )
    found.name = name
    check_problem(found, tasks=task_names(), where=where, root=conf.parent)
    return found


def resolve(
    conf: Path,
    services: Mapping[str, str],
    code: Callable[[Experiment], Code],
    own: Mapping[str, Metric] | None = None,
) -> dict[str, Experiment]:
    """Compose and check every declared experiment.

    Args:
        conf: The folder of configs.
        services: Feature services that exist, and their digests.
        code: Gives the digests of the code of an experiment's stages.
        own: The project's own metrics.

    Raises:
        DeclarationError: An experiment names an unknown service or problem, or disagrees with the
            map.
        ConfigError: A config does not compose, or has an unknown key or a value of a wrong type.
        MetricError: A problem or a search names a metric that its task lacks.
    """
    found = {}
    for name, entry in declared(conf).items():
        where = f"{conf.name}/experiment/{name}.yaml"
        problem(
            conf, entry.problem
        )  # said of the problem's own file, before it is composed into an experiment
        composed = compose(conf, "config", chosen(name, entry))
        experiment = parse(composed, where=where, conf=conf)
        require_allowed(conf.parent, experiment.model, where=where)
        _check(experiment, name, entry.service, services, where)
        check_metrics(experiment, own or {}, where=where)
        experiment.features.digest = services[entry.service]
        experiment.code = code(experiment)
        found[name] = experiment
    return found


def check_metrics(experiment: Experiment, own: Mapping[str, Metric], *, where: str) -> None:
    """Refuse metrics that the problem's task lacks.

    Raises:
        MetricError: The problem or the search names one.
    """
    task = experiment.problem.task
    named = [
        (f"problem {experiment.problem.name}: metrics", name) for name in experiment.problem.metrics
    ]
    if experiment.search is not None and experiment.search.metric:
        named.append((f"{where}: search.metric", experiment.search.metric))
    known = metrics_of(task, own)
    for place, name in named:
        find(name, {**known, **own}, where=place)
        if name not in known:
            raise MetricError(
                f"{place}: {name} is not a metric of a {task} problem",
                hint=f"it has: {', '.join(known)}",
            )


def _check(
    experiment: Experiment, name: str, service: str, services: Mapping[str, str], where: str
) -> None:
    if experiment.name != name:
        raise DeclarationError(
            f"{where}: name is {experiment.name!r}", hint=f"write `name: {name}`"
        )
    if experiment.features.service != service:
        raise DeclarationError(
            f"{where}: features.service is {experiment.features.service!r}, experiments.yaml says"
            f" {service!r}",
            hint="make the two agree",
        )
    if service not in services:
        close = difflib.get_close_matches(service, list(services), 1)
        hint = (
            f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(services))}"
        )
        raise DeclarationError(f"{where}: there is no feature service {service!r}", hint=hint)
    known = (experiment.problem.label, *RESERVED)
    for key in experiment.features.keys:
        if key in known:
            raise DeclarationError(
                f"{where}: features.keys names {key!r}, which is known only afterwards, or says"
                " when",
                hint=(
                    "a model sees the features of its service, and keys that are known when it"
                    " predicts"
                ),
            )


def gate(conf: Path, name: str, own: Mapping[str, Metric] | None = None) -> Gate:
    """The gate of a problem.

    conf/gate/PROBLEM.yaml, or what conf/select.yaml chooses, or Furrow's own.

    Args:
        conf: The folder of configs.
        name: The problem's.
        own: The project's own metrics.

    Raises:
        ConfigError: It does not compose, or has an unknown key.
        GateError: It names a metric that the problem's task lacks.
    """
    value: dict[str, Any] = {}
    where = f"{conf.name}/gate"
    if (conf / "gate" / f"{name}.yaml").is_file():
        where = f"{conf.name}/gate/{name}.yaml"
        value = {"gate": compose(conf / "gate", name, [])}
    elif (conf / "select.yaml").is_file():
        value = compose(conf, "select", [])
        if "gate" not in value:
            raise ConfigError(
                f"{conf.name}/select.yaml chooses no gate", hint="write `defaults: [gate: default]`"
            )
    found = structured(Gate, value.get("gate") or {}, where=where, conf=conf / "gate")
    about = problem(conf, name)
    groups = about.fairness.groups if about.fairness else ()
    return settle_gate(found, load_task(about.task), own or {}, where=where, groups=groups)
