"""An automatic search: a portfolio, thinned by successive halving, then Optuna around the best.

What is chosen is chosen on rows held out before the first tested one, so that the test months stay
a test. Configs that are worth it become ordinary trials: recorded, replayed and adopted like any.
(Jamieson, Talwalkar 2016: successive halving; Feurer et al. 2022: a portfolio to begin with.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.hydra import compose, structured
from furrow.layout import SEARCHES
from furrow.training.config import Search
from furrow.training.tasks import load_task
from furrow.trials.ask import Asker, dimensions
from furrow.trials.portfolio import narrowed, options_for, space_of
from furrow.trials.screening import ScreenBook, held_folds
from furrow.trials.trial import Task
from furrow.trials.workers import Failure, on_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from furrow.training.config import Range
    from furrow.trials.recorder import Finished, Trial
    from furrow.trials.sweep import Sweeping
    from furrow.trials.workers import Workers

__all__ = ["AutoSearch", "Screened"]

KEPT = 1 / 3
FINALISTS = 4
LEAST_ROWS = 1_000
"""Rows that a share of the training rows must have, to tell configs apart."""
BATCH = 4
MOST = 400
"""Configs that are asked for around the best."""


@dataclass(frozen=True)
class Screened:
    """What a screening came to.

    Attributes:
        trial: The config.
        share: Of the rows to fit on.
        score: On the rows held out; None where it failed.
        seconds: How long it took.
        again: Whether it was known before.
        message: Why it failed.
    """

    trial: Trial
    share: float
    score: float | None
    seconds: float = 0.0
    again: bool = False
    message: str = ""


@dataclass
class AutoSearch:
    """A search of a declared experiment's problem, on its own split.

    Attributes:
        sweeping: A prepared sweep of the experiment in which nothing varies.
        seconds: That trials may take, all workers together.
        say: Called with what a person should know.
        held: The score on held-out rows of each config that was fitted to all rows before them.
        last: The share and the score of each config where it was screened last: what it stands by
            where the time was over before all rows had their turn.
        spent: Seconds that were spent so far, of earlier calls too.
    """

    sweeping: Sweeping
    seconds: float
    say: Callable[[str], None] = lambda _: None
    held: dict[str, float] = field(default_factory=dict)
    last: dict[str, tuple[float, float]] = field(default_factory=dict)
    spent: float = 0.0
    _number: int = 0

    def run(self) -> Iterator[Screened | Finished]:
        """Search, and yield each step as it ends.

        Screenings, and trials, which are recorded before.

        Raises:
            SplitError: The rows are too few to hold some out.
            ExperimentError: A trial can't be recorded.
        """
        sweeping = self.sweeping
        self._book = ScreenBook(sweeping.root)
        base = sweeping.trial(0, ())
        training = sweeping.shared.training[base.config.features.service]
        rows = len(held_folds(training, base.config)[0][0])
        with on_processes(sweeping.shared, sweeping.jobs) as workers:
            contest = self._portfolio()
            for share in _shares(rows, len(contest)):
                results = []
                for result in self._screen(workers, contest, share):
                    results.append(result)
                    yield result
                ranked = self._ranked(results)
                kept = FINALISTS if share == 1 else max(FINALISTS, round(len(ranked) * KEPT))
                contest = [one.trial for one in ranked[:kept]]
                if not self._left() or not contest:
                    break
            yield from self._record(workers, contest[: FINALISTS - 1])
            yield from self._around(workers, contest)

    def better(self, one: float, other: float) -> bool:
        """Whether a score is better than another."""
        return self.sweeping.better(one, other)

    def place(self, digest: str) -> tuple[float, float]:
        """What sorts configs, the best first: by the most rows that they were fitted to, then by score."""
        if digest not in self.last:
            return 0.0, float("inf")
        share, score = self.last[digest]
        return -share, score if self.sweeping.direction == "minimize" else -score

    def _portfolio(self) -> list[Trial]:
        """The experiment's own config, and those of the options that it takes; each once."""
        sweeping = self.sweeping
        kind = load_task(sweeping.trial(0, ()).config.problem.task).estimator
        found: dict[str, Trial] = {}
        for overrides in ((), *((f"model={name}",) for name in options_for(sweeping.root, kind))):
            trial = self._trial(overrides)
            if trial is not None:
                found.setdefault(trial.digest, trial)
        return list(found.values())

    def _trial(self, overrides: tuple[str, ...]) -> Trial | None:
        try:
            trial = self.sweeping.trial(self._number, overrides)
        except FurrowError as exc:
            self.say(f"{' '.join(overrides)} is left out: {str(exc).splitlines()[0]}")
            return None
        self._number += 1
        return trial

    def _left(self) -> bool:
        return self.spent < self.seconds

    def _ranked(self, results: Sequence[Screened]) -> list[Screened]:
        sign = 1 if self.sweeping.direction == "minimize" else -1
        known = [(one.score, one) for one in results if one.score is not None]
        return [
            one for _, one in sorted(known, key=lambda item: (sign * item[0], item[1].trial.number))
        ]

    def _screen(
        self, workers: Workers, trials: Sequence[Trial], share: float
    ) -> Iterator[Screened]:
        metric = self.sweeping.metric
        waiting = {}
        for trial in trials:
            known = self._book.recall(trial.digest, share, metric)
            if known is None:
                waiting[trial.number] = trial
            else:
                yield self._told(Screened(trial, share, *known, again=True))
        tasks = (
            (number, Task(trial.config, metric, None, share)) for number, trial in waiting.items()
        )
        for number, outcome in workers.run(tasks):
            trial = waiting[number]
            if isinstance(outcome, Failure):
                yield Screened(trial, share, None, message=outcome.message)
                continue
            (score,) = outcome.steps
            self._book.keep(trial.digest, share, metric, score, outcome.seconds)
            yield self._told(Screened(trial, share, score, outcome.seconds))

    def _told(self, one: Screened) -> Screened:
        self.spent += one.seconds
        if one.score is not None:
            self.last[one.trial.digest] = one.share, one.score
            if one.share == 1:
                self.held[one.trial.digest] = one.score
        return one

    def _record(self, workers: Workers, trials: Sequence[Trial]) -> Iterator[Finished]:
        """Run configs as ordinary trials, and record them."""
        waiting = {}
        for trial in trials:
            recalled = self.sweeping.recorder.recall(trial, None)
            if recalled is None:
                waiting[trial.number] = trial
            else:
                self.spent += recalled.seconds
                yield recalled
        tasks = (
            (number, Task(trial.config, self.sweeping.metric)) for number, trial in waiting.items()
        )
        for number, outcome in workers.run(tasks):
            finished = self.sweeping.recorder.record(waiting[number], outcome, None)
            self.spent += finished.seconds
            yield finished

    def _around(self, workers: Workers, contest: Sequence[Trial]) -> Iterator[Screened | Finished]:
        """Ask Optuna for configs near the best one.

        Each that is better than all before becomes a trial.
        """
        best = next((one for one in contest if space_of(one.config.model)), None)
        if best is None or best.digest not in self.held:
            return
        sweeping, top = self.sweeping, self.held[best.digest]
        asker = Asker(
            dimensions(narrowed(self._space(best), best.config.model)),
            sampler="tpe",
            seed=sweeping.seed,
            direction=sweeping.direction,
        )
        asked = 0
        while self._left() and asked < MOST:
            batch = asker.ask(BATCH)
            trials = {
                asked + place: self._trial((*best.overrides, *words))
                for place, words in enumerate(batch)
            }
            results = {}
            there = [trial for trial in trials.values() if trial is not None]
            for result in self._screen(workers, there, 1):
                results[result.trial.number] = result
                yield result
            for number, trial in trials.items():
                found = results.get(trial.number) if trial is not None else None
                asker.tell(number, None if found is None else found.score, ())
            asked += BATCH
            ranked = self._ranked(list(results.values()))
            if ranked and ranked[0].score is not None and self.better(ranked[0].score, top):
                top = ranked[0].score
                yield from self._record(workers, [ranked[0].trial])

    def _space(self, best: Trial) -> Mapping[str, Range]:
        """What of a config can be varied, as conf/search says."""
        conf = self.sweeping.root / "conf"
        name = space_of(best.config.model)
        value = compose(conf, "config", [*self.sweeping.first, f"search={name}"])["search"]
        where = f"{SEARCHES}/{name}.yaml"
        return structured(Search, value, where=where, conf=conf / "search").space


def _shares(rows: int, contest: int) -> list[float]:
    """Growing shares of the rows to fit on, the last of them all.

    As many as have rows, and as the contest asks for.
    """
    found = [1.0]
    while contest > FINALISTS and len(found) < 3 and rows * found[0] * KEPT >= LEAST_ROWS:
        found.insert(0, found[0] * KEPT)
        contest = max(FINALISTS, round(contest * KEPT))
    return found
