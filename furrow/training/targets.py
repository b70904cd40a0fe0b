"""The allow-list of `_target_`.

A config may name estimators, and nothing else that Python can call.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.training.boosting_libraries import ALWAYS, MORE, library_of, load_estimator

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ALLOWED", "TargetError", "check_target", "instantiate"]

ALLOWED = (
    "sklearn.dummy.",
    "sklearn.ensemble.",
    "sklearn.linear_model.",
    "sklearn.naive_bayes.",
    "sklearn.neighbors.",
    "sklearn.neural_network.",
    "sklearn.svm.",
    "sklearn.tree.",
    "furrow.training.logistic.",
    "furrow.training.ridge.",
)
"""Where a `_target_` may live: scikit-learn's public modules of estimators, and this library's own estimators.

Beside them, where conf/ci.yaml allows them, `furrow.training.boosting_libraries`.
"""


class TargetError(FurrowError):
    """A `_target_` that is not allowed, does not exist, or has no such parameter."""


def check_target(
    spec: dict[str, Any],
    *,
    where: str,
    kind: str = "classifier",
    place: Callable[[str], str] | None = None,
) -> type:
    """Check a model's `_target_` and the names of its parameters, without calling it.

    Args:
        spec: The model's config.
        where: The file or the experiment, for messages.
        kind: "classifier" or "regressor", as the task takes.
        place: Gives the file and line of a dotted key, where they can be found.

    Returns:
        The estimator's class.

    Raises:
        TargetError: The target is outside the allow-list, unknown, no estimator, or lacks a
            parameter.
    """
    target = spec.get("_target_")
    module_name, _, name = str(target).rpartition(".")
    if isinstance(target, str) and library_of(target):
        found = load_estimator(target, kind=kind, where=where)
        _check_parameters(found, spec, where=where, place=place)
        return found
    if not isinstance(target, str) or f"{module_name}." not in ALLOWED:
        raise TargetError(
            f"{where}: model._target_ {target!r} is not allowed",
            hint=f"name an estimator of {', '.join(prefix.rstrip('.') for prefix in ALLOWED)}",
        )
    module = importlib.import_module(module_name)
    public = [
        word
        for word, value in vars(module).items()
        if _is_estimator(value, kind) and not word.startswith("_")
    ]
    if name not in public:
        if _is_estimator(
            getattr(module, name, None), "regressor" if kind == "classifier" else "classifier"
        ):
            raise TargetError(
                f"{where}: model._target_ {target!r} is not a {kind}, and the problem's task"
                " takes one",
                hint=f"name a {kind}: {', '.join(public)}",
            )
        close = difflib.get_close_matches(name, public, 1)
        hint = (
            f"did you mean {module_name}.{close[0]}?"
            if close
            else f"there are: {', '.join(public)}"
        )
        raise TargetError(
            f"{where}: model._target_: {module_name} has no estimator {name!r}", hint=hint
        )
    estimator: type = getattr(module, name)
    _check_parameters(estimator, spec, where=where, place=place)
    return estimator


def _parameters(estimator: type) -> list[str]:
    """What an estimator takes.

    Those of boosting libraries pass most on to the class that they are of.
    """
    if library := library_of(f"{estimator.__module__}."):
        return sorted({*estimator().get_params(), *MORE[library]})
    return sorted(inspect.signature(estimator).parameters)


def _check_parameters(
    estimator: type, spec: dict[str, Any], *, where: str, place: Callable[[str], str] | None
) -> None:
    known = _parameters(estimator)
    for key, value in spec.items():
        if key == "_target_":
            continue
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(known)}"
            raise TargetError(
                f"{place(f'model.{key}') if place else where}: unknown key 'model.{key}':"
                f" {estimator.__name__} has no such parameter",
                hint=hint,
            )
        if isinstance(value, dict):
            raise TargetError(
                f"{place(f'model.{key}') if place else where}: model.{key}: nested objects are not"
                " allowed",
                hint="give a plain value",
            )
    _check_values(estimator, spec, where=where, place=place)


def _check_values(
    estimator: type, spec: dict[str, Any], *, where: str, place: Callable[[str], str] | None
) -> None:
    """Refuse a value that scikit-learn itself would refuse once data are there.

    Estimators of other libraries say no more than their names.
    """
    if not hasattr(estimator, "_parameter_constraints"):
        return
    for key, value in spec.items():
        if key == "_target_":
            continue
        try:
            estimator(**{key: value})._validate_params()
        except ValueError as exc:
            said = str(exc).partition(" must be ")[2]
            raise TargetError(
                f"{place(f'model.{key}') if place else where}: model.{key}: {value!r} is not"
                f" what {estimator.__name__} takes",
                hint=f"give {said}" if said else str(exc),
            ) from exc


def _is_estimator(value: object, kind: str) -> bool:
    """Whether a value is a class of scikit-learn's that predicts classes, or numbers."""
    # a second, which commands that read no model's config do without
    from sklearn import base  # noqa: PLC0415

    mixin = base.ClassifierMixin if kind == "classifier" else base.RegressorMixin
    return (
        inspect.isclass(value)
        and issubclass(value, base.BaseEstimator)
        and issubclass(value, mixin)
    )


def instantiate(spec: dict[str, Any], *, where: str, seed: int, kind: str = "classifier") -> Any:
    """Make the estimator that a checked config describes, seeded where it takes a seed."""
    estimator = check_target(spec, where=where, kind=kind)
    parameters = {key: value for key, value in spec.items() if key != "_target_"}
    if "random_state" in _parameters(estimator):
        parameters.setdefault("random_state", seed)
    library = library_of(spec["_target_"])
    return estimator(**ALWAYS[library], **parameters) if library else estimator(**parameters)
