"""How much each hyper-parameter has to do with a metric among runs.

Functional ANOVA, as Optuna computes it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FEWEST", "importance"]

FEWEST = 10
"""Runs below which nothing is said."""
_MOST_RUNS, _MOST_KEYS = 1000, 30


def importance(
    keys: Mapping[str, Sequence[float | None]], metric: Sequence[float | None]
) -> list[tuple[str, float]]:
    """The share of a metric's variance that each key explains, the largest first.

    Nothing where too little is known.

    Args:
        keys: Values of each key, a value for each run.
        metric: The metric of each run.
    """
    whole = {
        name: values
        for name, values in list(keys.items())[:_MOST_KEYS]
        if len({*values} - {None}) > 1
    }
    rows = [
        at
        for at, value in enumerate(metric)
        if value is not None
        and math.isfinite(value)
        and all((one := values[at]) is not None and math.isfinite(one) for values in whole.values())
    ][:_MOST_RUNS]
    ranges = {name: _range([values[at] for at in rows]) for name, values in whole.items()}
    whole = {name: values for name, values in whole.items() if ranges[name]}
    if len(rows) < FEWEST or not whole:
        return []
    import optuna  # noqa: PLC0415 - a second to load, for one section of one page

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spans = {
        name: optuna.distributions.FloatDistribution(*span)
        for name, span in ranges.items()
        if span is not None
    }
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: float(whole[name][at] or 0.0) for name in spans},
                distributions=spans,
                value=metric[at],
            )
            for at in rows
        ]
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=32, max_depth=32, seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return sorted(
        ((name, round(float(share), 4)) for name, share in found.items()), key=lambda one: -one[1]
    )


def _range(values: Sequence[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known and min(known) < max(known) else None
