"""What an automatic search begins with.

Options of conf/model that come with Furrow, and what of each can be varied.
"""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from furrow.training.boosting_libraries import LIBRARIES, allowed_libraries, library_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.training.config import Range

__all__ = ["PORTFOLIO", "narrowed", "options_for", "space_of"]

PORTFOLIO = {
    "classifier": (
        "gbm", "gbm_slow", "gbm_wide", "gbm_stumps", "forest", "extra_trees", "logistic", "logistic_weak",
        "lightgbm", "xgboost", "base_rate",
    ),
    "regressor": (
        "gbm_regressor", "gbm_slow_regressor", "gbm_wide_regressor", "gbm_stumps_regressor", "gbm_squares_regressor",
        "forest_regressor", "extra_trees_regressor", "ridge", "ridge_weak", "lightgbm_regressor", "xgboost_regressor",
        "base_value",
    ),
}  # fmt: skip
"""Options of conf/model by what a task takes; with the experiment's own there are a dozen."""

_SPACES = {
    "HistGradientBoosting": "around_gbm", "RandomForest": "around_forest", "ExtraTrees": "around_forest",
    "LGBM": "around_lightgbm", "XGB": "around_xgboost", "PortableLogistic": "around_logistic",
    "PortableRidge": "around_ridge", "Ridge": "around_ridge",
}  # fmt: skip
_NEAR = 6.0
"""How many times more or less than the best value so far is tried."""


def options_for(root: Path, kind: str) -> list[str]:
    """The options to begin with.

    Those of boosting libraries where conf/ci.yaml allows them and they are installed.

    Args:
        root: The project.
        kind: "classifier" or "regressor".
    """
    allowed = [name for name in allowed_libraries(root) if find_spec(name) is not None]
    left_out = [name for name in LIBRARIES if name not in allowed]
    return [name for name in PORTFOLIO[kind] if name.split("_")[0] not in left_out]


def space_of(model: Mapping[str, Any]) -> str:
    """The option of conf/search that says what of a model can be varied; empty where none does."""
    name = str(model["_target_"]).rpartition(".")[2]
    known = library_of(model["_target_"]) or name
    return next(
        (space for begin, space in _SPACES.items() if name.startswith(begin)),
        f"around_{known}" if known in LIBRARIES else "",
    )


def narrowed(space: Mapping[str, Range], model: Mapping[str, Any]) -> dict[str, Range]:
    """A space near a model's own values, where it has any."""
    found = {}
    for key, part in space.items():
        value = model.get(key.removeprefix("model."))
        if (
            part.log
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and value > 0
        ):
            low, high = (
                max(part.low or 0.0, value / _NEAR),
                min(part.high or math.inf, value * _NEAR),
            )
            part = replace(part, low=low, high=high) if low < high else part  # noqa: PLW2901
        found[key] = part
    return found
