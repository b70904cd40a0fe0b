"""Fitting: features to numbers, an estimator, calibrated probabilities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from furrow.errors import FurrowError
from furrow.stores.float_columns import canonical_frame, canonical_matrix
from furrow.training.calibration import learn_curve
from furrow.training.export import export
from furrow.training.portable import CLIP
from furrow.training.settle import settle
from furrow.training.targets import instantiate

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from furrow.training.config import Experiment
    from furrow.training.predictor import Predictor

__all__ = ["FitError", "Fitted", "fit", "input_columns"]

CATEGORIES_AT_MOST = 250
RARE = 100


class FitError(FurrowError):
    """An estimator could not be fitted as declared."""


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Attributes:
        columns: The inputs, in order.
        pipeline: Encoder and estimator as scikit-learn has them; None where a stored predictor was opened.
        calibrator: A curve over the pipeline's probabilities, where they are the score.
        predictor: The model as it scores; None for an estimator without a portable form, whose pipeline scores.
    """

    columns: list[str]
    pipeline: Pipeline | None
    calibrator: Any = None
    predictor: Predictor | None = None

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Probability of the positive class, shape (rows,), for a frame that has the model's columns."""
        if self.predictor is not None:
            return self.predictor.predict(self.predictor.encode(frame))
        if self.pipeline is None:
            raise FitError("a model without pipeline and predictor can't predict")
        scores = self.pipeline.predict_proba(frame[self.columns])[:, 1]
        return scores if self.calibrator is None else _calibrated(self.calibrator, scores)


def input_columns(experiment: Experiment, features: list[str]) -> list[str]:
    """The columns that a model sees, in order: entity keys, then features."""
    return [*experiment.features.keys, *(name for name in features if name not in experiment.features.keys)]


def fit(experiment: Experiment, frame: pd.DataFrame, features: list[str]) -> Fitted:
    """Fit an experiment's model to rows.

    With calibration, the curve is learnt on the newest months by a model fitted without them; the model is
    then fitted again on all the rows. (Platt 1999 for `sigmoid`, Zadrozny and Elkan 2002 for `isotonic`.)

    Args:
        experiment: The config.
        frame: Training rows with the label and `month`.
        features: Names of the features.

    Raises:
        FitError: The estimator refuses its parameters or the rows.
    """
    columns = input_columns(experiment, features)
    calibrator = None
    with threadpool_limits(experiment.engine.threads):
        method = experiment.calibration.method
        if method != "none":
            newest = sorted(frame["month"].unique())[-experiment.calibration.months :]
            held = frame["month"].isin(newest).to_numpy()
            if held.all():
                raise FitError(
                    f"{experiment.name}: calibration.months {experiment.calibration.months} leaves no month to fit on",
                    hint="land more months or calibrate on fewer",
                )
            scores = _fit(experiment, frame[~held], columns).predict(frame[held])
            calibrator = learn_curve(method, scores, frame.loc[held, experiment.label].to_numpy())
        fitted = _fit(experiment, frame, columns)
        if fitted.predictor is not None and calibrator is not None:
            return replace(fitted, predictor=replace(fitted.predictor, curve=calibrator))
        return replace(fitted, calibrator=calibrator)


def _fit(experiment: Experiment, frame: pd.DataFrame, columns: list[str]) -> Fitted:
    inputs = canonical_frame(frame[columns])  # a sort may leave either of 0.0 and -0.0 in an encoder or in a bin
    categories = [name for name in columns if not _is_number(inputs[name])]
    numbers = [name for name in columns if name not in categories]
    model = instantiate(experiment.model, where=experiment.name, seed=experiment.seed)
    ordinal = experiment.encoding.categories == "ordinal"
    if ordinal and "categorical_features" in model.get_params() and not experiment.encoding.impute:
        model.set_params(categorical_features=list(range(len(categories))))
    steps = [("encode", _encoder(experiment, categories, numbers)), ("floats", FunctionTransformer(canonical_matrix))]
    pipeline = Pipeline([*steps, ("model", model)])
    try:
        fitted = pipeline.fit(inputs, frame[experiment.label].to_numpy())
    except (ValueError, TypeError) as exc:
        first = str(exc).strip().splitlines()[0]
        raise FitError(f"{experiment.name}: {first}", hint="look at `model` in its config") from exc
    settle(fitted)
    return Fitted(columns, fitted, None, export(fitted, columns, inputs))


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(column.dtype.kind in "biuf")


def _encoder(experiment: Experiment, categories: list[str], numbers: list[str]) -> ColumnTransformer:
    encoding = experiment.encoding
    if encoding.categories == "ordinal":
        codes = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            max_categories=CATEGORIES_AT_MOST,
            dtype=np.float64,
        )
    elif encoding.categories == "onehot":
        codes = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE, sparse_output=False)
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
    code = make_pipeline(codes, SimpleImputer(strategy="most_frequent")) if encoding.impute else codes
    return ColumnTransformer([("categories", code, categories), ("numbers", number, numbers)], sparse_threshold=0.0)


def _calibrated(calibrator: Any, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores through a curve; bundles of older versions hold scikit-learn's own."""
    if isinstance(calibrator, IsotonicRegression):
        curve: NDArray[np.float64] = calibrator.predict(scores)
    elif isinstance(calibrator, LogisticRegression):
        clipped = np.clip(scores, CLIP, 1 - CLIP)
        curve = calibrator.predict_proba(np.log(clipped / (1 - clipped)).reshape(-1, 1))[:, 1]
    else:
        curve = calibrator(scores)
    return curve
