"""A sweep: many trials of one experiment, each recorded at once as a DVC experiment, and taken up where it stopped."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.training.boosting_libraries import require_allowed
from furrow.training.config import Code, Engine, Search, parse
from furrow.training.log import Log, default_folder
from furrow.trials.ask import Asker
from furrow.trials.recorder import Finished, Recorder, Trial
from furrow.trials.trial import History, Shared, Task, identity
from furrow.trials.workers import on_cluster, on_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from furrow.ground.overrides import Composer, Sweep
    from furrow.trials.workers import Workers

__all__ = ["SweepError", "Sweeping"]


class SweepError(FurrowError):
    """A sweep can't begin: what it would vary, or what it needs, is not there."""


@dataclass(frozen=True)
class Sweeping:
    """A sweep that was prepared (`furrow.trials.prepare.prepare`), ready to run.

    Attributes:
        root: The project.
        experiment: A declared experiment.
        sweep: What varies.
        search: How the space is searched; None tries every combination.
        engine: Where trials run.
        jobs: How many at once.
        size: How many in all.
        metric: To sort and search by.
        direction: "minimize" or "maximize".
        seed: Of the search.
        services: Feature services and their digests.
        shared: Training sets and environment.
        code: Digests of the stages' code.
        composer: Of configs.
        recorder: Of what comes of them.
        warnings: What a person should know before it begins.
        first: The words that compose the experiment as it is declared.
    """

    root: Path
    experiment: str
    sweep: Sweep
    search: Search | None
    engine: Engine
    jobs: int
    size: int
    metric: str
    direction: str
    seed: int
    services: Mapping[str, str]
    shared: Shared
    code: Code
    composer: Composer
    recorder: Recorder
    warnings: tuple[str, ...] = ()
    first: tuple[str, ...] = ()

    def run(self, say: Callable[[str], None] = lambda _: None) -> Iterator[Finished]:
        """Run the trials and yield each as it ends.

        One that was run before comes without being run again.

        Each is recorded before it is yielded: whoever stops listening loses nothing that was seen.

        Args:
            say: Called with what the sweep waits for before the first trial can begin, if it does.

        Raises:
            ExperimentError: A trial can't be recorded: the disk is full, the repository can't be
                written.
            SearchError: The cluster does not answer, or has no workers.
        """
        with self._workers(say) as workers, self._curve() as draw:
            for finished in (
                self._grid(workers) if self.search is None else self._searched(workers, self.search)
            ):
                draw(finished)
                yield finished

    def better(self, one: float, other: float | None) -> bool:
        """Whether a score is better than another, or than none."""
        return other is None or (one < other if self.direction == "minimize" else one > other)

    def ranked(self, found: Sequence[Finished]) -> list[Finished]:
        """Trials from the best to the worst; those without a score last."""
        sign = 1 if self.direction == "minimize" else -1
        return sorted(
            found, key=lambda one: (one.score is None, sign * (one.score or 0.0), one.trial.number)
        )

    def trial(self, number: int, overrides: tuple[str, ...]) -> Trial:
        """Compose and check one trial.

        Raises:
            FurrowError: Its config is not one that could be declared.
        """
        every = (*self.sweep.fixed, *overrides)
        where = f"{self.experiment} {' '.join(overrides)}".strip()
        config = parse(self.composer.compose(every), where=where)
        require_allowed(self.root, config.model, where=where)
        service = config.features.service
        if config.name != self.experiment:
            raise SweepError(
                f"{where}: name is {config.name!r}", hint="a name is given by `furrow adopt`"
            )
        if config.search is not None:
            raise SweepError(
                f"{self.experiment} searches by itself, inside its train stage",
                hint="add search=none, or --search to search in trials",
            )
        if service not in self.shared.sha256:
            raise SweepError(
                f"{where}: there is no training set of a feature service {service!r}",
                hint=f"there are services: {', '.join(sorted(self.services))}",
            )
        config.features.digest = self.services[service]
        config.code = self.code
        digest = identity(
            config, self.shared.sha256[service], self.shared.environment["lock_sha256"]
        )
        return Trial(
            number, self.recorder.name(config.name, digest), digest, overrides, every, config
        )

    @contextmanager
    def _workers(self, say: Callable[[str], None]) -> Iterator[Workers]:
        if self.engine.backend == "dask":
            with on_cluster(self.shared, self.engine, say) as workers:
                yield workers
        else:
            with on_processes(self.shared, min(self.jobs, self.size)) as workers:
                yield workers

    @contextmanager
    def _curve(self) -> Iterator[Callable[[Finished], None]]:
        """The sweep's own curve, for `furrow runs watch`.

        Each trial's score, and the best so far.
        """
        curve = Log(default_folder(self.root) / f"try@{self.experiment}")
        best: list[float] = []

        def draw(finished: Finished) -> None:
            if finished.score is not None:
                if self.better(finished.score, best[-1] if best else None):
                    best.append(finished.score)
                curve.add(finished.trial.number, {self.metric: finished.score, "best": best[-1]})

        try:
            yield draw
        finally:
            curve.close()

    def _grid(self, workers: Workers) -> Iterator[Finished]:
        trials = (
            self.trial(number, overrides) for number, overrides in enumerate(self.sweep.points())
        )
        return self._batch(workers, trials, None)

    def _searched(self, workers: Workers, search: Search) -> Iterator[Finished]:
        """Batches, each told in the order of asking before the next is asked.

        The same at any number of workers.
        """
        asker = Asker(
            self.sweep.dimensions, sampler=search.sampler, seed=self.seed, direction=self.direction
        )
        history = History(self.metric, self.direction, ())
        asked = 0
        while asked < self.size:
            batch = asker.ask(min(search.batch, self.size - asked))
            trials = [self.trial(asked + place, overrides) for place, overrides in enumerate(batch)]
            told: dict[int, Finished] = {}
            for finished in self._batch(workers, iter(trials), history):
                told[finished.trial.number] = finished
                yield finished
            inorder = [told[number] for number in sorted(told)]
            for finished in inorder:
                asker.tell(finished.trial.number, finished.score, finished.steps)
            done = tuple(finished.steps for finished in inorder if finished.state == "done")
            history = replace(history, steps=history.steps + done)
            asked += len(batch)

    def _batch(
        self, workers: Workers, trials: Iterator[Trial], history: History | None
    ) -> Iterator[Finished]:
        """Run trials that were not run before, each different one once."""
        running: dict[int, Trial] = {}
        twins: dict[str, list[Trial]] = {}
        ready: list[Finished] = []

        def tasks() -> Iterator[tuple[int, Task]]:
            for trial in trials:
                recalled = self.recorder.recall(trial, history)
                if recalled is not None:
                    ready.append(recalled)
                elif trial.digest in twins:
                    twins[trial.digest].append(trial)
                else:
                    twins[trial.digest] = []
                    running[trial.number] = trial
                    yield trial.number, Task(trial.config, self.metric, history)

        for number, outcome in workers.run(tasks()):
            trial = running.pop(number)
            finished = self.recorder.record(trial, outcome, history)
            while ready:
                yield ready.pop(0)
            yield finished
            for twin in twins[trial.digest]:
                yield replace(finished, trial=twin, again=True)
            twins[trial.digest] = []
        yield from ready
