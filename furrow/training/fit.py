"""Fitting: features to numbers, an estimator, calibrated predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from furrow.errors import FurrowError
from furrow.stores.float_columns import canonical_frame, canonical_matrix
from furrow.training.boosting_libraries import library_of
from furrow.training.calibration import Curve
from furrow.training.export import export
from furrow.training.reweigh import group_weights
from furrow.training.settle import settle
from furrow.training.splits import known_by, newest
from furrow.training.targets import instantiate
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from furrow.training.config import Experiment
    from furrow.training.predictor import Predictor

__all__ = ["FitError", "Fitted", "fit", "input_columns"]

CATEGORIES_AT_MOST = 250
RARE = 100
FEW = 4
"""Up to so many rows are scored one by one: that is shorter than treelite's and NumPy's calls."""


class FitError(FurrowError):
    """An estimator could not be fitted as declared."""


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Attributes:
        columns: The inputs, in order.
        pipeline: Encoder and estimator as scikit-learn has them; None where a stored predictor was
            opened.
        calibrator: What makes outputs predictions, where the predictor's own curve does not: curves
            of classes, or the ends of an interval.
        predictor: The model as it scores; None for an estimator without a portable form, whose
            pipeline scores.
        task: The task's name.
        classes: Of a multiclass problem, in the order of the probabilities.
    """

    columns: list[str]
    pipeline: Pipeline | None
    calibrator: Any = None
    predictor: Predictor | None = None
    task: str = "binary"
    classes: tuple[str, ...] = ()

    def raw(self, frame: pd.DataFrame | dict[str, list[Any]]) -> NDArray[np.float64]:
        """What the model says of rows: (rows,), or (rows, classes) of a multiclass problem.

        A class that the estimator never saw has the probability 0. A mapping of columns does where
        the predictor alone scores.
        """
        classes = (
            getattr(self.pipeline, "classes_", None)
            if self.pipeline is not None and self.classes
            else None
        )
        whole = classes is None or len(classes) == len(self.classes)
        if self.predictor is not None and whole:
            return self.predictor.predict(self.predictor.encode(frame))
        if self.pipeline is None:
            raise FitError("a model without pipeline and predictor can't predict")
        if isinstance(frame, dict):
            raise FitError("a pipeline predicts for a data frame")
        if load_task(self.task).estimator == "regressor":
            return np.asarray(self.pipeline.predict(frame[self.columns]), dtype=np.float64)
        found: NDArray[np.float64] = self.pipeline.predict_proba(frame[self.columns])
        if not self.classes:
            return found[:, 1]
        if classes is None or whole:
            return found
        spread = np.zeros((len(found), len(self.classes)))
        spread[:, classes] = found
        return spread

    def outputs(self, frame: pd.DataFrame | dict[str, list[Any]]) -> dict[str, NDArray[Any]]:
        """The predictions' columns, each of shape (rows,), for what has the model's columns.

        See `raw`.
        """
        return load_task(self.task).outputs(self.raw(frame), self.calibrator, self.classes)

    def row_outputs(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """The predictions' columns of mappings from column to value, to the bit as `outputs`, and sooner.

        Raises:
            FitError: No stored predictor was opened.
        """
        predictor = self.predictor
        if self.pipeline is not None or predictor is None:
            raise FitError("rows by themselves are for a stored predictor")
        if len(rows) <= FEW:
            raw = np.array([predictor.row(values) for values in rows])
        else:
            numbers = np.array([predictor.encoding.row(values) for values in rows])
            raw = predictor.predict(numbers)
        return load_task(self.task).outputs(raw, self.calibrator, self.classes)

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """One number a row.

        The probability of the positive or of the likeliest class, or the number predicted.
        """
        return load_task(self.task).score(self.outputs(frame))


def input_columns(experiment: Experiment, features: list[str]) -> list[str]:
    """The columns that a model sees, in order: entity keys, then features."""
    return [
        *experiment.features.keys,
        *(name for name in features if name not in experiment.features.keys),
    ]


def fit(
    experiment: Experiment, frame: pd.DataFrame, features: list[str], classes: tuple[str, ...] = ()
) -> Fitted:
    """Fit an experiment's model to rows.

    With calibration, the curve (or the interval) is learnt on the newest part of the rows by a
    model fitted without them, and without labels that were not known when they begin; the model is
    then fitted again on all the rows.

    Args:
        experiment: The config.
        frame: Training rows with the label and event_timestamp.
        features: Names of the features.
        classes: Of a multiclass problem.

    Raises:
        FitError: The estimator refuses its parameters or the rows, or none are left to fit on.
        ReweighError: Training rows lack a column of groups.
    """
    task, problem = load_task(experiment.problem.task), experiment.problem
    columns = input_columns(experiment, features)
    target = task.target(frame[problem.label], problem, classes)
    method = experiment.calibration.method
    if method not in ("none", *task.calibrations):
        hint = f"a {task.name} problem has: {', '.join(('none', *task.calibrations))}"
        raise FitError(f"{experiment.name}: calibration.method {method!r} is unknown", hint=hint)
    with threadpool_limits(experiment.engine.threads):
        calibrator = None
        if method != "none":
            held = newest(frame, np.arange(len(frame)), experiment.calibration.share)
            older = ~held & known_by(frame, problem, frame.loc[held, "event_timestamp"].min())
            if not older.any() or not held.any():
                raise FitError(
                    f"{experiment.name}: calibration.share {experiment.calibration.share:g} leaves"
                    " no row to fit on",
                    hint="bring more history or calibrate on less",
                )
            first = _fit(experiment, frame[older], columns, target[older], classes)
            raw = first.raw(frame[held])
            calibrator = task.calibrator(raw, target[held], experiment.calibration, problem)
        fitted = _fit(experiment, frame, columns, target, classes)
        if fitted.predictor is not None and isinstance(calibrator, Curve):
            return replace(fitted, predictor=replace(fitted.predictor, curve=calibrator))
        return replace(fitted, calibrator=calibrator)


def _fit(
    experiment: Experiment,
    frame: pd.DataFrame,
    columns: list[str],
    target: NDArray[Any],
    classes: tuple[str, ...],
) -> Fitted:
    inputs = canonical_frame(
        frame[columns]
    )  # a sort may leave either of 0.0 and -0.0 in an encoder or in a bin
    categories = [name for name in columns if not _is_number(inputs[name])]
    numbers = [name for name in columns if name not in categories]
    if not experiment.encoding.impute:  # of a column without a value no tree can find a bin
        numbers = [name for name in numbers if inputs[name].notna().any()] or numbers
    task = load_task(experiment.problem.task)
    model = instantiate(
        experiment.model, where=experiment.name, seed=experiment.seed, kind=task.estimator
    )
    if library_of(experiment.model["_target_"]):  # they start threads of their own
        model.set_params(n_jobs=experiment.engine.threads)
    ordinal = experiment.encoding.categories == "ordinal"
    if ordinal and "categorical_features" in model.get_params() and not experiment.encoding.impute:
        model.set_params(categorical_features=list(range(len(categories))))
    weighed: dict[str, Any] = {}
    if experiment.features.reweigh:
        if not has_fit_parameter(model, "sample_weight"):
            raise FitError(
                f"{experiment.name}: {type(model).__name__} takes no weights of rows",
                hint="leave features.reweigh out, or choose another model",
            )
        by = experiment.features.reweigh
        weighed["model__sample_weight"] = group_weights(frame, by, target, name=experiment.name)
    steps = [
        ("encode", _encoder(experiment, categories, numbers)),
        ("floats", FunctionTransformer(canonical_matrix)),
    ]
    pipeline = Pipeline([*steps, ("model", model)])
    try:
        fitted = pipeline.fit(inputs, target, **weighed)
    except (ValueError, TypeError) as exc:
        first = str(exc).strip().splitlines()[0]
        raise FitError(f"{experiment.name}: {first}", hint="look at `model` in its config") from exc
    settle(fitted)
    return Fitted(columns, fitted, None, export(fitted, columns, inputs), task.name, classes)


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(column.dtype.kind in "biuf")


def _encoder(
    experiment: Experiment, categories: list[str], numbers: list[str]
) -> ColumnTransformer:
    encoding = experiment.encoding
    if encoding.categories == "ordinal":
        codes = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            max_categories=CATEGORIES_AT_MOST,
            dtype=np.float64,
        )
    elif encoding.categories == "onehot":
        codes = OneHotEncoder(
            handle_unknown="infrequent_if_exist", min_frequency=RARE, sparse_output=False
        )
    else:
        raise FitError(
            f"{experiment.name}: encoding.categories {encoding.categories!r} is unknown",
            hint="use ordinal or onehot",
        )
    steps: list[Any] = []
    if encoding.impute:
        steps.append(SimpleImputer(strategy="median", keep_empty_features=True))
    if encoding.scale:
        steps.append(StandardScaler())
    number = make_pipeline(*steps) if steps else "passthrough"
    code = (
        make_pipeline(codes, SimpleImputer(strategy="most_frequent")) if encoding.impute else codes
    )
    return ColumnTransformer(
        [("categories", code, categories), ("numbers", number, numbers)], sparse_threshold=0.0
    )
