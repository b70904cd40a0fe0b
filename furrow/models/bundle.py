"""The bundle: a trained model as files, opened only after its hash matched."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.files import read_json, sha256_bytes, write_bytes, write_json
from furrow.layout import BUNDLE_JSON, model
from furrow.training.fit import Fitted
from furrow.training.predictor import Predictor, held_bytes
from furrow.training.tasks import load_task
from furrow.training.unpickle import unpickled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from furrow.training.config import Experiment

__all__ = [
    "BUNDLE",
    "FORMAT",
    "MODEL",
    "Bundle",
    "BundleError",
    "load",
    "profile",
    "read_facts",
    "save",
]

FORMAT = 2
READ = (1, FORMAT)
"""Formats that are read: 1 is of before there were problems, when every label was binary."""
_NEEDED = {
    "experiment": str,
    "service": str,
    "features_digest": str,
    "keys": list,
    "columns": list,
    "model_sha256": str,
    "background_sha256": str,
    "profile": dict,
}
MODEL = "model.joblib"
BUNDLE = BUNDLE_JSON
BACKGROUND = "background.parquet"
BACKGROUND_ROWS = 64
TEXTS = ("object", "string", "str")
"""The types of columns that a model takes as texts."""


class BundleError(FurrowError):
    """A bundle is missing, damaged, of another format, or not the one that the commit records."""


@dataclass(frozen=True)
class Bundle:
    """A model opened for prediction.

    Attributes:
        facts: bundle.json: experiment, feature service and digest, columns, reference profile.
        fitted: The model.
        background: Training rows that explanations compare with, shape (64, columns).
    """

    facts: dict[str, Any]
    fitted: Fitted
    background: pd.DataFrame

    def inputs(
        self, rows: Sequence[Mapping[str, Any]], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The model's columns in its order, of features and, where those have none, of rows' own fields."""
        names = [column["name"] for column in self.facts["columns"]]
        return {
            name: values[name] if name in values else [row.get(name) for row in rows]
            for name in names
        }

    def frame(self, inputs: Mapping[str, list[Any]]) -> pd.DataFrame:
        """The model's columns in their types."""
        columns: dict[str, Any] = {}
        for column in self.facts["columns"]:
            name = column["name"]
            text = column["dtype"] in TEXTS
            columns[name] = pd.Series(inputs[name], dtype=object if text else "float64")
        return pd.DataFrame(columns)

    def outputs(self, inputs: dict[str, list[Any]]) -> dict[str, NDArray[Any]]:
        """The predictions' columns, as of `Fitted.outputs`.

        A frame is made only where a pipeline scores.
        """
        plain = self.fitted.pipeline is None
        return self.fitted.outputs(inputs if plain else self.frame(inputs))

    def row_outputs(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """The predictions' columns of rows of the model's columns, to the bit as `outputs`, and sooner."""
        if self.fitted.pipeline is None:
            return self.fitted.row_outputs(rows)
        return self.outputs(self.inputs(rows, {}))


def save(
    folder: Path,
    experiment: Experiment,
    fitted: Fitted,
    train: pd.DataFrame,
    *,
    extra: dict[str, Any],
) -> dict[str, Any]:
    """Write a bundle: the model, background.parquet and bundle.json, which names their hashes.

    The model is there twice: model.joblib holds scikit-learn's objects, predictor.json and trees.tl
    hold what scores and open without running code. An estimator without a portable form has only
    the former.

    Args:
        folder: build/models/NAME.
        experiment: The config, a search's best values in place.
        fitted: The model.
        train: The rows that it was fitted to.
        extra: More facts for bundle.json.

    Returns:
        What bundle.json holds.
    """
    buffer = io.BytesIO()
    joblib.dump(fitted, buffer)
    background = train[fitted.columns].sample(
        n=min(BACKGROUND_ROWS, len(train)), random_state=np.random.RandomState(experiment.seed)
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_pandas(background, preserve_index=False).replace_schema_metadata(), sink
    )
    facts = {
        "format": FORMAT,
        "experiment": experiment.name,
        "service": experiment.features.service,
        "features_digest": experiment.features.digest,
        "problem": experiment.problem.name,
        "task": experiment.problem.task,
        "label": experiment.problem.label,
        "classes": list(fitted.classes),
        "calibrator": load_task(fitted.task).calibrator_to_json(fitted.calibrator),
        "keys": list(experiment.features.keys),
        "columns": [{"name": name, "dtype": str(train[name].dtype)} for name in fitted.columns],
        "model_sha256": sha256_bytes(buffer.getvalue()),
        "predictor_sha256": None if fitted.predictor is None else fitted.predictor.save(folder),
        "background_sha256": sha256_bytes(sink.getvalue().to_pybytes()),
        "rows": len(train),
        "profile": profile(train[fitted.columns]),
        **extra,
    }
    write_bytes(folder / MODEL, buffer.getvalue())
    write_bytes(folder / BACKGROUND, sink.getvalue().to_pybytes())
    write_json(folder / BUNDLE, facts)
    return facts


def load(folder: Path, *, model_sha256: str, predictor_sha256: str | None = None) -> Bundle:
    """Open a bundle whose model is the one that a commit records.

    Its bytes are hashed before they are read. The pickle is opened, which may run code, only for
    want of a predictor.

    Args:
        folder: build/models/NAME.
        model_sha256: From the run's record.json.
        predictor_sha256: From there, too; None in records of older versions, and where there is no
            portable form.

    Raises:
        BundleError: The bundle is missing, damaged, of another format, or another model.
    """
    facts = read_facts(folder)
    background = pq.read_table(
        pa.BufferReader(held_bytes(folder / BACKGROUND, facts["background_sha256"], BundleError))
    )
    if predictor_sha256 is not None:
        predictor = Predictor.load(folder, sha256=predictor_sha256)
        task, classes = facts.get("task", "binary"), tuple(facts.get("classes", ()))
        calibrator = load_task(task).calibrator_from_json(facts.get("calibrator"))
        fitted = Fitted(list(predictor.columns), None, calibrator, predictor, task, classes)
    else:
        fitted = unpickled(held_bytes(folder / MODEL, model_sha256, BundleError))
    return Bundle(facts, fitted, background.to_pandas())


def read_facts(folder: Path) -> dict[str, Any]:
    """What bundle.json says of a bundle, which may be anyone's: every fact that is needed is there.

    Raises:
        BundleError: It is missing, of another format, or no bundle's.
    """
    hint = f"run `dvc checkout {model(folder.name)}` or `dvc repro train@{folder.name}`"
    if not (folder / BUNDLE).is_file():
        raise BundleError(f"there is no model in {folder}", hint=hint)
    facts = read_json(folder / BUNDLE)
    if not isinstance(facts, dict) or facts.get("format") not in READ:
        said = facts.get("format") if isinstance(facts, dict) else facts
        raise BundleError(f"{folder / BUNDLE} has format {said!r:.60}, not {FORMAT}", hint=hint)
    for name, kind in _NEEDED.items():
        if not isinstance(facts.get(name), kind):
            raise BundleError(
                f"{folder / BUNDLE} is no bundle's: {name} is {facts.get(name)!r:.60}", hint=hint
            )
    if not all(
        isinstance(one, dict) and {"name", "dtype"} <= one.keys() for one in facts["columns"]
    ):
        raise BundleError(f"{folder / BUNDLE} is no bundle's: its columns have no names", hint=hint)
    return facts


def profile(frame: pd.DataFrame) -> dict[str, Any]:
    """What each column looked like in training: shares of nulls, quantiles or frequent values.

    Returns:
        By column: {"nulls", "quantiles": 11 numbers from minimum to maximum} or {"nulls", "values":
        {value: share}}.
    """
    found: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        facts: dict[str, Any] = {"nulls": round(float(column.isna().mean()), 6)}
        if column.dtype.kind in "biuf":
            known = column.dropna().to_numpy(dtype=np.float64)
            facts["quantiles"] = (
                [round(float(q), 6) for q in np.quantile(known, np.linspace(0, 1, 11))]
                if known.size
                else []
            )
        else:
            shares = column.value_counts(normalize=True).head(20)
            facts["values"] = {
                str(value): round(float(share), 6) for value, share in sorted(shares.items())
            }
        found[name] = facts
    return found
