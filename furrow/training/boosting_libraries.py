"""LightGBM and XGBoost.

Estimators of other libraries, where an extra brings them and conf/ci.yaml allows them.

A project names them in conf/ci.yaml (`estimators: [lightgbm]`), and for a commit from outside CI
takes what the target branch's says.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError, MissingExtraError
from furrow.layout import CI_YAML
from furrow.parse import ParseError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "ALWAYS",
    "LIBRARIES",
    "MORE",
    "BoostingError",
    "allowed_libraries",
    "library_of",
    "link_of",
    "load_estimator",
    "require_allowed",
]

LIBRARIES: dict[str, dict[str, tuple[str, ...]]] = {
    "lightgbm": {"classifier": ("LGBMClassifier",), "regressor": ("LGBMRegressor",)},
    "xgboost": {"classifier": ("XGBClassifier",), "regressor": ("XGBRegressor",)},
}
"""Estimators that a config may name, by library (its module is LIBRARY.sklearn) and kind."""

MORE: dict[str, tuple[str, ...]] = {
    "lightgbm": ("extra_trees", "feature_fraction_bynode", "max_bin", "path_smooth"),
    "xgboost": (),
}
"""Parameters that a library takes beside those that its estimators name."""

ALWAYS: dict[str, dict[str, Any]] = {
    "lightgbm": {"deterministic": True, "force_row_wise": True, "verbosity": -1},
    "xgboost": {"verbosity": 0},
}
"""What makes a library's fits the same each time, and quiet."""

_LINKS = {
    "binary": "sigmoid", "multiclass": "softmax", "regression": "identity", "regression_l1": "identity",
    "huber": "identity", "fair": "identity", "quantile": "identity", "mape": "identity", "poisson": "exp",
    "tweedie": "exp", "gamma": "exp", "binary:logistic": "sigmoid", "multi:softprob": "softmax",
    "reg:squarederror": "identity", "reg:absoluteerror": "identity", "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "count:poisson": "exp", "reg:gamma": "exp", "reg:tweedie": "exp",
}  # fmt: skip


class BoostingError(FurrowError):
    """An estimator of another library can't be had here, or may not be named."""


def library_of(target: object) -> str:
    """The library that a `_target_` is of; empty for any other."""
    name = str(target).partition(".")[0]
    return name if name in LIBRARIES and str(target).startswith(f"{name}.sklearn.") else ""


def allowed_libraries(root: Path) -> tuple[str, ...]:
    """The libraries that a project's conf/ci.yaml allows."""
    try:
        value = read_yaml(root / CI_YAML)
    except (OSError, ParseError):
        return ()
    given = value.get("estimators") if isinstance(value, dict) else None
    return tuple(name for name in LIBRARIES if name in given) if isinstance(given, list) else ()


def require_allowed(root: Path, spec: Mapping[str, Any], *, where: str) -> None:
    """See that a project allows the library that a model is of.

    Raises:
        BoostingError: conf/ci.yaml does not name it.
    """
    library = library_of(spec.get("_target_"))
    if library and library not in allowed_libraries(root):
        said = (
            f"{where}: model._target_ {spec['_target_']!r} is of {library}, which conf/ci.yaml does"
            " not allow"
        )
        raise BoostingError(said, hint=f"write `estimators: [{library}]` there, on the main branch")


def load_estimator(target: str, *, kind: str, where: str) -> type:
    """The class that a `_target_` names.

    Args:
        target: As `lightgbm.sklearn.LGBMClassifier`.
        kind: "classifier" or "regressor".
        where: For messages.

    Raises:
        BoostingError: There is no such estimator, or the library can't be loaded.
        MissingExtraError: The library is not installed.
    """
    library, name = library_of(target), target.rpartition(".")[2]
    known = LIBRARIES[library][kind]
    if name not in known or target != f"{library}.sklearn.{name}":
        raise BoostingError(
            f"{where}: model._target_ {target!r} is no {kind} of {library}'s",
            hint=f"name {library}.sklearn.{known[0]}",
        )
    try:
        found: type = getattr(importlib.import_module(f"{library}.sklearn"), name)
    except ImportError as exc:
        raise MissingExtraError(library, f"{where}: {target}") from exc
    except OSError as exc:
        raise BoostingError(
            f"{where}: {library} can't be loaded: {exc}",
            hint="install GNU's OpenMP: apt-get install libgomp1",
        ) from exc
    return found


def link_of(model: Any) -> str:
    """What makes predictions of a fitted model's sums, by its objective.

    Empty where that is not known.
    """
    objective = getattr(model, "objective_", None) or getattr(model, "objective", None)
    return _LINKS.get(objective, "") if isinstance(objective, str) else ""
