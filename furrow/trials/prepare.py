"""Preparing a sweep.

What a person typed, checked as a whole before the first trial takes its hours.
"""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from furrow.files import sha256_file
from furrow.ground.experiments import list_experiments, open_base
from furrow.ground.hydra import compose, structured
from furrow.ground.overrides import Composer, Dimension, Sweep, parse
from furrow.layout import DVC_LOCK, ENGINES, SEARCHES, training_set
from furrow.layout import LOCK as LOCKED
from furrow.parse import read_yaml
from furrow.training import config, dataset
from furrow.training.config import Engine, Search
from furrow.training.declare import Declared, chosen, declared, gate
from furrow.training.metric_registry import NEITHER
from furrow.training.own_metrics import own_metrics
from furrow.training.run_folder import environment
from furrow.training.stage_code import experiment_code
from furrow.training.tasks import load_task
from furrow.trials.ask import dimensions
from furrow.trials.recorder import Recorder
from furrow.trials.sweep import SweepError, Sweeping
from furrow.trials.trial import Shared
from furrow.trials.trial_lock import keep_empty, unclaimed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from furrow.training.metric_registry import Metric

__all__ = ["Request", "prepare"]

MOST = 10_000
"""Trials of one grid."""
LOCK = DVC_LOCK
SAMPLERS = ("tpe", "random")


@dataclass(frozen=True)
class Request:
    """What `furrow try` was asked.

    Attributes:
        root: The project.
        experiment: A declared experiment.
        words: Overrides and sweeps in Hydra's grammar.
        services: Feature services and their digests.
        jobs: Trials at once; None for as many as the engine has workers.
        engine: An option of conf/engine; None for the experiment's own.
        search: An option of conf/search, or a sampler; None tries every combination.
        trials: How many trials a search makes; None for as many as conf/search says.
        metric: To sort and search by; None for the search's own, or the one that the gate selects
            champions by.
    """

    root: Path
    experiment: str
    words: tuple[str, ...]
    services: Mapping[str, str]
    jobs: int | None = None
    engine: str | None = None
    search: str | None = None
    trials: int | None = None
    metric: str | None = None


def prepare(request: Request, *, clock: Callable[[], float]) -> Sweeping:
    """Check everything that a sweep needs, and read the training sets.

    Args:
        request: What was asked.
        clock: Gives seconds since the epoch.

    Raises:
        FurrowError: The experiment, a key, an option, a training set or the repository is not as it
            must be.
    """
    root, conf = request.root, request.root / "conf"
    entry = _entry(conf, request.experiment)
    base = open_base(root)
    first = chosen(request.experiment, entry)
    sweep = parse(conf, request.words)
    search = _search(request, conf, first)
    if search is not None:
        sweep = _searched(sweep, search, compose(conf, "config", first))
    else:
        next(
            sweep.points()
        )  # an interval can't be enumerated: said before the training set is read
        _check_size(sweep.size)
    composer = Composer(conf, "config", first)
    whole = composer.compose(sweep.fixed)
    own = own_metrics(root)
    metric = (
        request.metric
        or (search.metric if search else "")
        or gate(conf, entry.problem, own).select.metric
    )
    base_experiment = replace(config.parse(whole, where=request.experiment), search=None)
    known = load_task(base_experiment.problem.task).metrics(base_experiment.problem, own)
    if metric not in known:
        raise SweepError(f"metric {metric!r} is unknown", hint=f"there are: {', '.join(known)}")
    if known[metric].direction == NEITHER:
        raise SweepError(
            f"metric {metric!r} is neither better nor worse when it grows",
            hint="sort by another one",
        )
    engine = _engine(request, conf, first, whole)
    lock = base.content(LOCK)
    files = (
        {} if lock is None else {LOCK: unclaimed(root, lock.decode(), request.experiment).encode()}
    )
    shared, warnings = _training(request, sweep, whole, own)
    if files:
        keep_empty(root)
    sweeping = Sweeping(
        root=root,
        experiment=request.experiment,
        sweep=sweep,
        search=search,
        engine=engine,
        jobs=request.jobs or engine.workers,
        size=sweep.size if search is None else search.trials,
        metric=metric,
        direction=known[metric].direction,
        seed=int(whole.get("seed", 0)),
        services=request.services,
        shared=shared,
        code=experiment_code(root, base_experiment, own),
        composer=composer,
        recorder=Recorder(
            root,
            base,
            list_experiments(root),
            files=files,
            metric=metric,
            engine=engine.backend,
            clock=clock,
        ),
        warnings=warnings,
        first=tuple(first),
    )
    for overrides in _corners(sweep):
        sweeping.recorder.declaration(sweeping.trial(0, overrides))
    return sweeping


def _entry(conf: Path, name: str) -> Declared:
    entries = declared(conf)
    names = list(entries)
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names)}"
        raise SweepError(f"there is no experiment {name!r}", hint=hint)
    return entries[name]


def _check_size(size: int) -> None:
    if size > MOST:
        raise SweepError(
            f"there are {size:,} combinations, and a grid tries each of them: {MOST:,} at most",
            hint=(
                "give fewer values, or let a search choose among them: --search random --trials 200"
            ),
        )


def _search(request: Request, conf: Path, first: list[str]) -> Search | None:
    """How to search: an option of conf/search, or a sampler by its name."""
    if request.search is None:
        if request.trials is not None:
            raise SweepError("--trials counts the trials of a search", hint="add --search tpe")
        return None
    options = sorted(path.stem for path in (conf / "search").glob("*.yaml") if path.stem != "none")
    if request.search in options:
        value = compose(conf, "config", [*first, f"search={request.search}"])["search"]
        found = structured(
            Search, value, where=f"{SEARCHES}/{request.search}.yaml", conf=conf / "search"
        )
    elif request.search in SAMPLERS:
        found = Search(space={}, sampler=request.search)
    else:
        names = sorted({*options, *SAMPLERS})
        close = difflib.get_close_matches(request.search, names, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names)}"
        raise SweepError(f"there is no search {request.search!r}", hint=hint)
    return replace(found, trials=request.trials or found.trials)


def _searched(sweep: Sweep, search: Search, own: dict[str, Any]) -> Sweep:
    """The space of a search: what the command varies, or else what conf/search declares."""
    space = sweep.dimensions or dimensions(search.space)
    if not space:
        raise SweepError(
            "there is nothing to search",
            hint="vary something: model.learning_rate=interval(0.01,0.3)",
        )
    fixed = sweep.fixed if own.get("search") is None else ("search=none", *sweep.fixed)
    return Sweep(fixed, sweep.axes, space)


def _engine(request: Request, conf: Path, first: list[str], whole: dict[str, Any]) -> Engine:
    chosen = (
        compose(conf, "config", [*first, f"engine={request.engine}"]) if request.engine else whole
    )
    engine = structured(Engine, chosen["engine"], where=ENGINES, conf=conf / "engine")
    if engine.backend not in ("loky", "threading", "sequential", "dask"):
        raise SweepError(
            f"engine.backend {engine.backend!r} is unknown",
            hint="use loky, threading, sequential or dask",
        )
    return engine


def _training(
    request: Request, sweep: Sweep, whole: dict[str, Any], own: Mapping[str, Metric]
) -> tuple[Shared, tuple[str, ...]]:
    """The training sets of every feature service that the sweep comes to, each read once."""
    axis = sweep.dimensions.get("features.service")
    services = (
        axis.choices if axis is not None and axis.choices else (whole["features"]["service"],)
    )
    experiment = config.parse(whole, where=request.experiment)
    training, sha256, warnings = {}, {}, []
    for service in services:
        if service not in request.services:
            close = difflib.get_close_matches(service, list(request.services), 1)
            hint = (
                f"did you mean {close[0]!r}?"
                if close
                else f"there are: {', '.join(sorted(request.services))}"
            )
            raise SweepError(f"there is no feature service {service!r}", hint=hint)
        path = request.root / training_set(experiment.problem.name, service)
        experiment.features.service = service
        experiment.features.digest = request.services[service]
        training[service] = dataset.load(path, experiment)
        sha256[service] = sha256_file(path)
        if _is_stale(request.root, path):
            warnings.append(
                f"{path.relative_to(request.root)} is not the one that dvc.lock names: `dvc repro"
                f" training_set_{experiment.problem.name}_{service}` first, if trials are to be"
                " compared with runs"
            )
    return Shared(training, sha256, environment(request.root / LOCKED), own), tuple(warnings)


def _is_stale(root: Path, path: Path) -> bool:
    """Whether dvc.lock names another content of a file."""
    lock = root / DVC_LOCK
    if not lock.is_file():
        return False
    stages = (read_yaml(lock) or {}).get("stages", {})
    wanted = path.relative_to(root).as_posix()
    named = [
        out.get("md5")
        for stage in stages.values()
        for out in stage.get("outs", [])
        if out["path"] == wanted
    ]
    if not named:
        return False
    with path.open("rb") as handle:
        return str(named[0]) != hashlib.file_digest(handle, "md5").hexdigest()


def _corners(sweep: Sweep) -> Iterator[tuple[str, ...]]:
    """Points at which every value of every axis occurs once, or both ends of every dimension."""
    axes = {key: _ends(key, dimension) for key, dimension in sweep.dimensions.items()}
    yield tuple(values[0] for values in axes.values())
    for key, values in axes.items():
        for value in values[1:]:
            yield tuple(value if other == key else first[0] for other, first in axes.items())


def _ends(key: str, dimension: Dimension) -> tuple[str, ...]:
    if dimension.choices is not None:
        return tuple(f"{key}={choice}" for choice in dimension.choices)
    low, high = (
        f"{int(end)}" if dimension.integer else f"{end!r}"
        for end in (dimension.low, dimension.high)
    )
    return (f"{key}={low}", f"{key}={high}")
