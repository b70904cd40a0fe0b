"""A declared search: trials inside one stage, the same whatever engine runs them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import joblib
import optuna
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from furrow.errors import FurrowError, MissingExtraError
from furrow.ground.openmp import wait_asleep
from furrow.training.metric_registry import NEITHER, find
from furrow.training.rolling import predict, scores
from furrow.training.splits import Fold
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from furrow.training.config import Engine, Experiment, Range
    from furrow.training.dataset import TrainingSet
    from furrow.training.metric_registry import Metric

__all__ = ["SCHEDULER", "SearchError", "cluster", "engine", "search", "with_values"]

SCHEDULER = "FURROW_SCHEDULER"
"""The environment variable that names a Dask scheduler, such as tcp://127.0.0.1:8786."""

SAMPLERS = ("tpe", "random")


class SearchError(FurrowError):
    """A search that is declared wrongly, or an engine that can't be reached."""


@contextmanager
def engine(settings: Engine) -> Iterator[None]:
    """Send joblib's parallel work to the declared engine.

    Raises:
        SearchError: The backend is unknown, or the cluster does not answer.
    """
    if settings.backend == "dask":
        with cluster(settings), joblib.parallel_config(backend="dask", n_jobs=-1):
            yield
    elif settings.backend in ("loky", "threading", "sequential"):
        with joblib.parallel_config(backend=settings.backend, n_jobs=settings.workers):
            yield
    else:
        raise SearchError(
            f"engine.backend {settings.backend!r} is unknown",
            hint="use loky, threading, sequential or dask",
        )


@contextmanager
def cluster(settings: Engine) -> Iterator[Any]:
    """A Dask client of the cluster that FURROW_SCHEDULER names, or of one started here for the time being.

    Raises:
        SearchError: It names no address, or the scheduler does not answer.
    """
    try:
        # only a cluster's run pays for it
        from distributed import Client, LocalCluster  # noqa: PLC0415
        from distributed.comm.addressing import get_address_host  # noqa: PLC0415
    except ImportError as exc:
        raise MissingExtraError("cluster", "a Dask cluster") from exc

    address = os.environ.get(SCHEDULER)
    if address:
        try:
            get_address_host(
                address
            )  # a client that fails over it is left half made, and may hang when it is freed
            client = Client(address, timeout="10s", set_as_default=True)
        except ValueError as exc:
            raise SearchError(
                f"{SCHEDULER} {address!r} is not an address of a Dask scheduler: {exc}",
                hint="write tcp://HOST:PORT",
            ) from exc
        except (OSError, TimeoutError) as exc:
            raise SearchError(
                f"no Dask scheduler answers at {address} ({SCHEDULER})",
                hint="start it, or unset the variable",
            ) from exc
        with client:
            client.run(wait_asleep, on_error="ignore")
            yield client
        return
    with (
        LocalCluster(
            n_workers=settings.workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
        ) as local,
        Client(local, set_as_default=True) as client,
    ):
        yield client


def search(
    experiment: Experiment,
    training: TrainingSet,
    older: NDArray[np.intp],
    held: NDArray[np.intp],
    own: Mapping[str, Metric],
) -> tuple[Experiment, list[dict[str, Any]]]:
    """Search the declared space; trials are judged on rows held out of training.

    Trials are asked for in batches and told in order, so the outcome does not depend on the engine.

    Args:
        experiment: A config with `search`.
        training: The training set.
        older: Positions of the rows to fit on.
        held: Positions of the rows to judge on.
        own: The project's own metrics.

    Returns:
        The experiment with the best values in place, and every trial: number, values, score.

    Raises:
        SearchError: The sampler is unknown, the metric has no direction, or a key of the space is
            not in the config.
        MetricError: There is no such metric of the task.
    """
    declared = experiment.search
    if declared is None:
        return experiment, []
    kind = load_task(experiment.problem.task)
    metric = find(
        declared.metric or kind.metric, {**kind.known_metrics(), **own}, where="search.metric"
    )
    if metric.direction == NEITHER:
        raise SearchError(
            f"search.metric {metric.name!r} is neither better nor worse when it grows"
        )
    for key in declared.space:
        with_values(experiment, {key: None})
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction=metric.direction, sampler=_sampler(declared.sampler, experiment.seed)
    )
    fold = Fold("held out", (), older[-declared.rows :] if declared.rows else older, held)
    trials: list[dict[str, Any]] = []
    with _progress() as progress, engine(experiment.engine):
        task = progress.add_task(f"search {experiment.name}", total=declared.trials, best="")
        while len(trials) < declared.trials:
            asked = [study.ask() for _ in range(min(declared.batch, declared.trials - len(trials)))]
            values = [
                {key: _suggest(trial, key, part) for key, part in declared.space.items()}
                for trial in asked
            ]
            scores = joblib.Parallel()(
                joblib.delayed(_judge)(with_values(experiment, one), training, fold, metric)
                for one in values
            )
            for trial, one, score in zip(asked, values, scores, strict=True):
                study.tell(trial, score)
                trials.append({"number": trial.number, "values": one, metric.name: round(score, 9)})
            progress.update(
                task, completed=len(trials), best=f"best {metric.name} {study.best_value:.4f}"
            )
    return with_values(experiment, trials[study.best_trial.number]["values"]), trials


def with_values(experiment: Experiment, values: dict[str, Any]) -> Experiment:
    """A copy of an experiment with dotted keys set, such as {"model.learning_rate": 0.1}.

    Raises:
        SearchError: A key leads nowhere.
    """
    copy = deepcopy(experiment)
    for key, value in values.items():
        *path, last = key.split(".")
        node: Any = copy
        for part in path:
            node = node.get(part) if isinstance(node, dict) else getattr(node, part, None)
        if isinstance(node, dict):
            node[last] = value
        elif node is not None and hasattr(node, last):
            setattr(node, last, value)
        else:
            raise SearchError(
                f"search.space: {key!r} is not a key of the config",
                hint="write it as model.learning_rate",
            )
    return copy


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    if name == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=6)
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    raise SearchError(
        f"search.sampler {name!r} is unknown", hint=f"there are: {', '.join(SAMPLERS)}"
    )


def _suggest(trial: optuna.Trial, key: str, part: Range) -> Any:
    if part.choices is not None:
        return trial.suggest_categorical(key, part.choices)
    if part.low is None or part.high is None:
        raise SearchError(
            f"search.space: {key} has neither choices nor low and high", hint="give it one of them"
        )
    if part.int:
        return trial.suggest_int(key, int(part.low), int(part.high), log=part.log)
    return float(f"{trial.suggest_float(key, part.low, part.high, log=part.log):.6g}")


def _judge(experiment: Experiment, training: TrainingSet, fold: Fold, metric: Metric) -> float:
    one_thread = with_values(experiment, {"engine.threads": 1})  # trials run side by side
    predictions, _ = predict(one_thread, training, fold)
    return scores(one_thread, predictions, {metric.name: metric})[metric.name]


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[best]}", markup=False),
        TimeElapsedColumn(),
    )  # fmt: skip
