"""The typed config of an experiment: what conf/ may say, and what runs/NAME/config.yaml holds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf import MISSING

from furrow.files import FileError
from furrow.ground.hydra import at_fault, structured
from furrow.parse import ParseError, read_yaml
from furrow.training.problem import Problem, ProblemError, check_problem
from furrow.training.targets import check_target
from furrow.training.tasks import load_task, task_names

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Calibration",
    "Code",
    "Encoding",
    "Engine",
    "Evaluation",
    "Experiment",
    "Features",
    "Range",
    "Search",
    "dump",
    "load",
    "parse",
]


@dataclass
class Features:
    """What a model sees: a feature service, and entity keys as categories.

    Attributes:
        service: The feature service.
        keys: Entity keys that the model sees as categories.
        digest: Of the service's definition; written by `furrow compile`.
        reweigh: Columns whose groups count in training as if each had the same share of every
            class; the model does not see them.
    """

    service: str = MISSING
    keys: list[str] = field(default_factory=list)
    digest: str = ""
    reweigh: list[str] = field(default_factory=list)


@dataclass
class Encoding:
    """How features become numbers.

    Categories as codes or columns, missing values filled, columns scaled.
    """

    categories: str = "ordinal"
    scale: bool = False
    impute: bool = False


@dataclass
class Calibration:
    """How outputs become predictions, learnt on the newest share of training.

    `none`; `sigmoid` or `isotonic` of a probability; `conformal` for the interval of a number.
    """

    method: str = "none"
    share: float = 0.15


@dataclass
class Range:
    """The values that a search may give one key: an interval, or choices."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    int: bool = False
    choices: list[Any] | None = None


@dataclass
class Search:
    """A search for hyper-parameters: sampler, number of trials, and the space."""

    space: dict[str, Range] = MISSING
    sampler: str = "tpe"
    trials: int = 20
    batch: int = 4
    metric: str = ""
    rows: int = 0


@dataclass
class Engine:
    """Where parallel work runs: a joblib backend, its workers, and threads a fit."""

    backend: str = "loky"
    workers: int = 2
    threads: int = 2


@dataclass
class Evaluation:
    """How runs are judged: bootstrap replicates, confidence, bins of the calibration error."""

    replicates: int = 200
    confidence: float = 0.95
    bins: int = 10


@dataclass
class Code:
    """Digests of the code that the experiment's stages import."""

    digest: str = ""
    evaluate: str = ""


@dataclass
class Experiment:
    """One declared training run."""

    name: str = MISSING
    description: str = ""
    seed: int = 0
    problem: Problem = field(default_factory=Problem)
    features: Features = field(default_factory=Features)
    model: dict[str, Any] = MISSING
    encoding: Encoding = field(default_factory=Encoding)
    calibration: Calibration = field(default_factory=Calibration)
    search: Search | None = None
    engine: Engine = field(default_factory=Engine)
    evaluation: Evaluation = field(default_factory=Evaluation)
    code: Code = field(default_factory=Code)


def _place(conf: Path, where: str, key: str) -> str:
    return at_fault(conf, key, where)


def parse(value: dict[str, Any], *, where: str, conf: Path | None = None) -> Experiment:
    """Check a composed config: keys, types, the model's target and its parameters.

    Raises:
        ConfigError: A key is unknown, missing or of a wrong type.
        ProblemError: There is no problem, or it says what can't be.
        TargetError: The model's `_target_` is not allowed, or has no such parameter.
    """
    if "problem" not in value:
        old = (
            "is of the format before problems were declared"
            if "label" in value
            else "names no problem"
        )
        raise ProblemError(
            f"{where} {old}", hint="declare it in conf/problem/NAME.yaml, then run `furrow compile`"
        )
    experiment = structured(Experiment, value, where=where, conf=conf)
    check_problem(experiment.problem, tasks=task_names(), where=f"{where}: problem")
    if experiment.features.reweigh and load_task(experiment.problem.task).estimator != "classifier":
        raise ProblemError(
            f"{where}: features.reweigh weighs classes, and {experiment.problem.name} predicts"
            " numbers",
            hint="leave reweigh out",
        )
    place = None if conf is None else partial(_place, conf, where)
    kind = load_task(experiment.problem.task).estimator
    check_target(experiment.model, where=where, kind=kind, place=place)
    return experiment


def load(path: Path) -> Experiment:
    """Read a resolved config, as strictly as it was written.

    It may have been edited by hand or by `-S`.
    """
    try:
        value = read_yaml(path)
    except (OSError, ParseError) as exc:
        raise FileError(
            f"cannot read {path}: {exc}", path=path, hint="run `furrow compile` to write it again"
        ) from exc
    if not isinstance(value, dict):
        raise FileError(
            f"{path} holds no mapping", path=path, hint="run `furrow compile` to write it again"
        )
    return parse(value, where=str(path))


def dump(experiment: Experiment) -> str:
    """The resolved config as canonical YAML.

    Keys in the order of the types above, the model's own sorted.
    """
    value = dataclasses.asdict(experiment)
    if value["problem"]["fairness"] is None:
        del value["problem"]["fairness"]  # a config without it is as it was before there was any
    if not value["features"]["reweigh"]:
        del value["features"]["reweigh"]
    model = value["model"]
    value["model"] = {key: model[key] for key in sorted(model)}
    if value["search"]:
        space = value["search"]["space"]
        value["search"]["space"] = {
            key: {
                name: part
                for name, part in space[key].items()
                if part is not None and part is not False
            }
            for key in sorted(space)
        }
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return f"# Written by `furrow compile` from conf/: change it there.\n{text}"
