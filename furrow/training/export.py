"""From scikit-learn's fitted objects to a predictor.

Encoders by asking them, estimators by their numbers.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import treelite
import treelite.frontend
import treelite.sklearn
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
)

from furrow.training.boosting_libraries import library_of, link_of
from furrow.training.encoding import Category, Encoding, Number
from furrow.training.logistic import PortableLogisticRegression
from furrow.training.predictor import Predictor
from furrow.training.ridge import PortableRidge
from furrow.training.scorers import Constant, Linear, Trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from furrow.training.scorers import Scorer

__all__ = ["export"]

_SAMPLE = 500
_NEAR = (
    1e-9  # two orders of the same sum differ by some 1e-15; another tree or column, by much more
)
_NEAR_SINGLE = 1e-5  # XGBoost adds up in single precision
_STRANGE = "\0 a text that no data hold"

_BOOSTED = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
_SINGLE = (
    RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor,
    GradientBoostingClassifier, GradientBoostingRegressor,
)  # fmt: skip
_LOGISTIC = (LogisticRegression, LogisticRegressionCV, PortableLogisticRegression)
_STRAIGHT = (LinearRegression, PortableRidge, Ridge, Lasso, ElasticNet)


def export(pipeline: Pipeline, columns: Sequence[str], frame: pd.DataFrame) -> Predictor | None:
    """The predictor of a fitted pipeline (`encode`, then `model`); None if it has no portable form.

    What comes out was compared with scikit-learn's own predictions on rows of the frame, a row
    without values and a row of unknown texts among them.

    Args:
        pipeline: As `furrow.training.fit` fits it.
        columns: The inputs, in order.
        frame: Rows that it was fitted to.
    """
    encoder, model = pipeline.named_steps["encode"], pipeline.named_steps["model"]
    encoding = _encoding(encoder)
    if encoding is None:
        return None
    texts = sum(isinstance(part, Category) for part in encoding.parts)
    library = library_of(type(model).__module__ + ".")
    found = _boosted_scorer(model, library) if library else _scorer(model, texts)
    if found is None:
        return None
    scorer, link = found
    positive = not hasattr(model, "classes_") or len(model.classes_) == 2
    predictor = Predictor(tuple(columns), encoding, scorer, link, positive)
    near = _NEAR_SINGLE if library == "xgboost" else _NEAR
    return predictor if _agrees(predictor, pipeline, frame[list(columns)], near) else None


def _encoding(encoder: Any) -> Encoding | None:
    """The encoder as data; None where categories are anything but texts."""
    parts: list[Category | Number] = []
    for name, transformer, names in encoder.transformers_:
        if name == "categories" and len(names):
            found = _categories(transformer, list(names))
            if found is None:
                return None
            parts += found
        elif name == "numbers" and len(names):
            parts += _numbers(transformer, list(names))
    return Encoding(tuple(parts))


def _categories(transformer: Any, names: list[str]) -> list[Category] | None:
    """What each text of each column becomes, by transforming it."""
    steps = [transformer, *(step for _, step in getattr(transformer, "steps", []))]
    codes = next(step for step in steps if hasattr(step, "categories_"))
    hot = hasattr(codes, "drop_idx_")
    texts = [[value for value in known if isinstance(value, str)] for known in codes.categories_]
    strange = [
        [value for value in known if not isinstance(value, str)] for known in codes.categories_
    ]
    # NaN
    if any(value is not None and value == value for values in strange for value in values):  # noqa: PLR0124
        return None
    found, start = [], 0
    for place, name in enumerate(names):
        asked = [*texts[place], strange[place][0] if strange[place] else None, _STRANGE]
        rows = pd.DataFrame({
            other: pd.Series(asked if other == name else [known[0] if len(known) else None] * len(asked), dtype=object)
            for other, known in zip(names, codes.categories_, strict=True)
        })  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unknown texts: they are asked for on purpose
            block = np.asarray(transformer.transform(rows), dtype=np.float64)
        width = 0
        if hot:
            rare = codes.infrequent_categories_[place]
            width = len(codes.categories_[place]) - (0 if rare is None else len(rare) - 1)
        values = _values(block[:, start : start + (width or 1)], hot=hot)
        start += width or 1
        found.append(
            Category(
                name, dict(zip(texts[place], values, strict=False)), values[-2], values[-1], width
            )
        )
    return found


def _values(block: NDArray[np.float64], *, hot: bool) -> list[float | None]:
    """Codes, or places of ones; None for neither."""
    if hot:
        return [float(row.argmax()) if row.any() else None for row in block]
    return [None if np.isnan(value) else float(value) for value in block[:, 0]]


def _numbers(transformer: Any, names: list[str]) -> list[Number]:
    """What stands for a missing number, and how numbers are scaled."""
    steps = [step for _, step in getattr(transformer, "steps", [])]
    fills = next((step.statistics_ for step in steps if hasattr(step, "statistics_")), None)
    scaler = next((step for step in steps if hasattr(step, "mean_")), None)
    return [
        Number(
            name,
            None if fills is None else float(np.nan_to_num(fills[place])),
            0.0 if scaler is None else float(scaler.mean_[place]),
            1.0 if scaler is None else float(scaler.scale_[place]),
        )
        for place, name in enumerate(names)
    ]


def _scorer(model: Any, texts: int) -> tuple[Scorer, str] | None:
    """What scores as an estimator does, and its link.

    None for an estimator that has no portable form.
    """
    many = len(getattr(model, "classes_", ())) > 2
    if isinstance(model, _BOOSTED):
        own = getattr(model, "is_categorical_", None)
        if own is not None and own[texts:].any():
            # a number as a category: a value never seen would be another one than in scikit-learn
            return None
        link = "exp" if getattr(model, "loss", "") in {"poisson", "gamma"} else "identity"
        return _trees(model, single=False), (
            ("softmax" if many else "sigmoid") if hasattr(model, "classes_") else link
        )
    if isinstance(model, _SINGLE):
        boosted = isinstance(model, GradientBoostingClassifier)
        if boosted and (
            model.loss != "log_loss" or not isinstance(model.init_, str | DummyClassifier)
        ):
            return None
        return _trees(model, single=True), (
            ("softmax" if many else "sigmoid") if boosted else "identity"
        )
    if isinstance(model, _LOGISTIC):
        return Linear(np.array(model.coef_), np.array(model.intercept_)), (
            "softmax" if many else "sigmoid"
        )
    if isinstance(model, (*_STRAIGHT, PoissonRegressor)) and np.ndim(model.coef_) == 1:
        scorer = Linear(
            np.array(model.coef_)[None, :], np.array([model.intercept_], dtype=np.float64)
        )
        return scorer, "exp" if isinstance(model, PoissonRegressor) else "identity"
    if isinstance(model, DummyClassifier) and model.strategy == "prior":
        return Constant(tuple(map(float, model.class_prior_))), "identity"
    if isinstance(model, DummyRegressor):
        return Constant((float(np.ravel(model.constant_)[0]),)), "identity"
    return None


def _boosted_scorer(model: Any, library: str) -> tuple[Scorer, str] | None:
    """What scores as a model of another library does, and its link.

    XGBoost compares in single precision.
    """
    link = link_of(model)
    if not link or getattr(model, "reg_sqrt", False):
        return None
    try:
        if library == "lightgbm":
            return Trees(treelite.frontend.from_lightgbm(model.booster_)), link
        return Trees(treelite.frontend.from_xgboost(model.get_booster()), single=True), link
    except treelite.TreeliteError:
        return None  # a booster that is no trees


def _trees(model: Any, *, single: bool) -> Trees:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # treelite casts a NaN among the categories, unused
        return Trees(treelite.sklearn.import_model(model), single)


def _agrees(predictor: Predictor, pipeline: Pipeline, frame: pd.DataFrame, near: float) -> bool:
    """Whether the predictor gives what scikit-learn gives, to the digits that orders of addition differ in."""
    texts = [part.column for part in predictor.encoding.parts if isinstance(part, Category)]
    kinds = {name: object if name in texts else np.float64 for name in frame.columns}
    some = frame.iloc[:: max(1, len(frame) // _SAMPLE)].astype(kinds)
    empty = {name: [None] if name in texts else [np.nan] for name in frame.columns}
    strange = {name: [_STRANGE] if name in texts else some[name].iloc[:1] for name in frame.columns}
    return all(
        _same(predictor, pipeline, pd.DataFrame(rows).astype(kinds), near)
        for rows in (some, empty, strange)
    )


def _same(predictor: Predictor, pipeline: Pipeline, rows: pd.DataFrame, near: float) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = (
                pipeline.predict_proba(rows)
                if hasattr(pipeline[-1], "classes_")
                else pipeline.predict(rows)
            )
        except (
            ValueError,
            TypeError,
        ):  # scikit-learn refuses such rows: there is nothing to agree with
            return True
    if theirs.ndim > 1 and predictor.positive:
        theirs = theirs[:, -1]
    ours = predictor.raw(predictor.encode(rows))
    return ours.shape == theirs.shape and bool(np.allclose(ours, theirs, rtol=near, atol=near))
