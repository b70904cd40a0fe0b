"""Asking for the next trials.

A sampler of Optuna's over a sweep's dimensions, the same at any number of workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna

from furrow.ground.overrides import Dimension
from furrow.training.search import SearchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.training.config import Range

__all__ = ["Asker", "dimensions"]

STARTUP_TRIALS = 6


def dimensions(space: Mapping[str, Range]) -> dict[str, Dimension]:
    """A declared space, as conf/search/ holds it, as dimensions of a sweep.

    Raises:
        SearchError: A key has neither choices nor low and high.
    """
    found = {}
    for key, part in space.items():
        if part.choices is not None:
            found[f"++{key}"] = Dimension(choices=tuple(str(choice) for choice in part.choices))
        elif part.low is None or part.high is None:
            raise SearchError(
                f"search.space: {key} has neither choices nor low and high",
                hint="give it one of them",
            )
        else:
            found[f"++{key}"] = Dimension(
                low=part.low, high=part.high, log=part.log, integer=part.int
            )
    return found


class Asker:
    """A sampler that is asked for overrides and told what came of them.

    Asked for the same batches and told the same scores, it gives the same overrides: so a search
    that was cut short goes on as if it had not been.

    Args:
        space: The dimensions by key.
        sampler: "tpe" or "random".
        seed: Of the sampler.
        direction: "minimize" or "maximize".

    Raises:
        SearchError: The sampler is unknown.
    """

    def __init__(
        self, space: Mapping[str, Dimension], *, sampler: str, seed: int, direction: str
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = space
        if sampler == "tpe":
            chosen: Any = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
        elif sampler == "random":
            chosen = optuna.samplers.RandomSampler(seed=seed)
        else:
            raise SearchError(
                f"search.sampler {sampler!r} is unknown", hint="there are: tpe, random"
            )
        self._study = optuna.create_study(direction=direction, sampler=chosen)
        self._asked: dict[int, optuna.Trial] = {}

    def ask(self, count: int) -> list[tuple[str, ...]]:
        """The overrides of the next trials."""
        batch = [self._study.ask() for _ in range(count)]
        self._asked |= {trial.number: trial for trial in batch}
        return [
            tuple(f"{key}={_suggest(trial, key, part)}" for key, part in self._space.items())
            for trial in batch
        ]

    def tell(self, number: int, score: float | None, steps: Sequence[float]) -> None:
        """Say what came of a trial.

        Args:
            number: Counted from 0 in the order of asking.
            score: Its metric; None when it was pruned or failed.
            steps: Its metric on each fold.
        """
        trial = self._asked.pop(number)
        for step, value in enumerate(steps):
            trial.report(value, step)
        if score is not None:
            self._study.tell(trial, score)
        else:
            state = optuna.trial.TrialState
            self._study.tell(trial, state=state.PRUNED if steps else state.FAIL)


def _suggest(trial: optuna.Trial, key: str, part: Dimension) -> str:
    if part.choices is not None:
        return str(trial.suggest_categorical(key, part.choices))
    if part.integer:
        step = int(part.step or 1)
        return str(trial.suggest_int(key, int(part.low), int(part.high), log=part.log, step=step))
    return f"{trial.suggest_float(key, part.low, part.high, log=part.log, step=part.step):.6g}"
