"""A trial: one experiment trained and judged as its stages would, in one go, wherever a worker runs."""

from __future__ import annotations

import resource
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna

from furrow.errors import FurrowError
from furrow.files import sha256_bytes, sha256_json
from furrow.layout import RUN_CONFIG
from furrow.training.config import Experiment, dump
from furrow.training.evaluate import evaluate
from furrow.training.rolling import joined, predict, scores, to_parquet
from furrow.training.run_folder import record, texts
from furrow.training.tasks import load_task
from furrow.trials.screening import screened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.training.dataset import TrainingSet
    from furrow.training.metric_registry import Metric

__all__ = ["History", "Result", "Shared", "Task", "TrialError", "identity", "pruned_at", "work"]

STARTUP_TRIALS = 5
DIGITS = 9


class TrialError(FurrowError):
    """A trial can't be judged."""


@dataclass(frozen=True)
class History:
    """What pruning compares with: the steps of the trials told so far.

    Attributes:
        metric: Of the steps.
        direction: "minimize" or "maximize".
        steps: One sequence per finished trial: its metric on each fold.
    """

    metric: str
    direction: str
    steps: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Shared:
    """What every trial of a sweep reads, held once.

    Training sets by feature service and their hashes, and so on.
    """

    training: Mapping[str, TrainingSet]
    sha256: Mapping[str, str]
    environment: Mapping[str, Any]
    own: Mapping[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One trial to run.

    Attributes:
        experiment: The resolved config.
        metric: Whose value on each fold is kept.
        history: To prune by; None never prunes.
        share: Of the rows before those held out, to be screened on; None for a whole trial.
    """

    experiment: Experiment
    metric: str
    history: History | None = None
    share: float | None = None


@dataclass(frozen=True)
class Result:
    """What came of a trial.

    Attributes:
        steps: The metric on each fold, in order; fewer than the folds when it was pruned.
        metrics: Of the whole; empty when it was pruned.
        files: The run's folder, as text by path.
        predictions_sha256: Of the predictions as the train stage would have written them.
        seconds: How long it took.
        cpu_seconds: Processor time of it.
    """

    steps: tuple[float, ...]
    metrics: Mapping[str, float]
    files: Mapping[str, str]
    predictions_sha256: str
    seconds: float
    cpu_seconds: float


def identity(experiment: Experiment, training_sha256: str, lock_sha256: str) -> str:
    """What a trial's outcome hangs on.

    The config with its digests of features and code, the data, the environment.

    The processes that run it don't count; the threads of one fit do, for they change the last
    digits.
    """
    config = asdict(experiment)
    config["engine"] = {"threads": experiment.engine.threads}
    return sha256_json(
        {"format": 1, "config": config, "training_set": training_sha256, "lock": lock_sha256}
    )


def work(shared: Shared, task: Task) -> Result:
    """Train and judge one trial.

    Args:
        shared: The training sets.
        task: The trial.

    Raises:
        FurrowError: The model refuses its parameters, the split leaves nothing, there is nothing to
            judge.
    """
    began, before = time.perf_counter(), _processor()
    experiment = task.experiment
    service = experiment.features.service
    training = shared.training[service]
    steps: list[float] = []
    parts = []
    metrics = load_task(experiment.problem.task).metrics(experiment.problem, shared.own)
    if task.share is not None:
        score, seconds = screened(experiment, training, metrics[task.metric], task.share)
        return Result((score,), {}, {}, "", seconds, _processor() - before)
    rolling = training.folds(experiment.seed)
    for fold in rolling:
        part, _ = predict(experiment, training, fold)
        parts.append(part)
        steps.append(
            round(
                scores(experiment, part, {task.metric: metrics[task.metric]})[task.metric], DIGITS
            )
        )
        if (
            task.history is not None
            and len(steps) < len(rolling)
            and pruned_at(steps, task.history) is not None
        ):
            return Result(
                tuple(steps), {}, {}, "", time.perf_counter() - began, _processor() - before
            )
    predictions = joined(parts)
    outcome = evaluate(predictions, experiment, metrics)
    if task.metric not in outcome.metrics:
        raise TrialError(
            f"{experiment.name} has no {task.metric}",
            hint="look at its predictions: are both classes tested?",
        )
    digest = sha256_bytes(to_parquet(predictions))
    trained = {
        "service": service,
        "features_digest": experiment.features.digest,
        "features": training.features,
        "model_sha256": None,  # the model of all rows is fitted when the trial is adopted
        "predictor_sha256": None,
        "training_set_sha256": shared.sha256[service],
        "periods": {"train": training.periods, "test": [fold.test for fold in rolling]},
        "rows": len(training.frame),
        "trials": [],
    }
    facts = record(
        experiment,
        trained,
        predictions_sha256=digest,
        tested=len(predictions),
        lock=Path(),
        directions={one: shared.own[one].direction for one in metrics if one in shared.own},
        made_with=shared.environment,
    )
    return Result(
        steps=tuple(steps),
        metrics=outcome.metrics,
        files={RUN_CONFIG: dump(experiment), **texts(outcome, facts)},
        predictions_sha256=digest,
        seconds=time.perf_counter() - began,
        cpu_seconds=_processor() - before,
    )


def pruned_at(steps: Sequence[float], history: History) -> int | None:
    """The first step at which Optuna's median rule gives a trial up; None when it lets it go on.

    A trial is given up when its best value so far is worse than the median of the finished trials
    at that step.

    Args:
        steps: The trial's metric on its first folds.
        history: The finished trials.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=0)
    study = optuna.create_study(direction=history.direction, pruner=pruner)
    for finished in history.steps:
        study.add_trial(
            optuna.trial.create_trial(
                value=float(np.mean(finished)), intermediate_values=dict(enumerate(finished))
            )
        )
    trial = study.ask()
    for step, value in enumerate(steps):
        trial.report(value, step)
        if trial.should_prune():
            return step
    return None


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
