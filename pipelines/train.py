"""Stage train@E: rolling-origin predictions, then the model fitted on every month."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score

from furrow.errors import FurrowError
from furrow.files import sha256_file, write_bytes
from furrow.models.bundle import save
from furrow.training import config, dataset, journal
from furrow.training.config import Experiment
from furrow.training.dataset import Fold, TrainingSet
from furrow.training.fit import Fitted, fit
from furrow.training.importance import importance
from furrow.training.log import default_folder, log, log_to
from furrow.training.rolling import joined, predict, scores, to_parquet
from furrow.training.search import search


def main(name: str, root: Path) -> None:
    """Train one experiment: build/predictions/NAME.parquet and build/models/NAME."""
    with journal.record(root, f"train@{name}") as facts, log_to(f"train@{name}", default_folder(root)):
        experiment = config.load(root / f"runs/{name}/config.yaml")
        source = root / f"build/training/{experiment.features.service}.parquet"
        training = dataset.load(source, experiment)
        steps = dataset.folds(training.months, experiment.split.test_months)
        best, trials = _searched(experiment, training, steps)
        predictions, last = _predict(best, training, steps)
        path = root / f"build/predictions/{name}.parquet"
        write_bytes(path, to_parquet(predictions))
        extra = {
            "importance": _importance(best, last, training.frame[training.frame["month"] == steps[-1].test]),
            "trials": trials,
            "training_set_sha256": sha256_file(source),
            "test_months": [step.test for step in steps],
            "features": training.features,
        }
        final = fit(best, training.frame, training.features)
        save(root / f"build/models/{name}", best, final, training.frame, extra=extra)
        facts["predictions_sha256"] = sha256_file(path)


def _searched(
    experiment: Experiment, training: TrainingSet, steps: list[Fold]
) -> tuple[Experiment, list[dict[str, Any]]]:
    """Search on the months before the first test month: the test months stay unseen."""
    if experiment.search is None:
        return experiment, []
    *earlier, newest = steps[0].train
    month = training.frame["month"]
    rows, held = training.frame[month.isin(earlier)], training.frame[month == newest]
    return search(experiment, rows, held, training.features)


def _predict(experiment: Experiment, training: TrainingSet, steps: list[Fold]) -> tuple[pd.DataFrame, Fitted]:
    parts = []
    for number, step in enumerate(track(steps, description=f"train {experiment.name}")):
        part, fitted = predict(experiment, training, step)
        log(step=number, **scores(part, bins=experiment.evaluation.bins))
        parts.append(part)
    return joined(parts), fitted


def _importance(experiment: Experiment, fitted: Fitted, tested: pd.DataFrame) -> list[dict[str, Any]]:
    """What ROC AUC loses on the last test month when a column is shuffled."""
    return importance(fitted, tested, experiment.label, _roc_auc, seed=experiment.seed)


def _roc_auc(labels: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    return float(roc_auc_score(labels, probabilities)) if len(np.unique(labels)) > 1 else float("nan")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path.cwd())
    except FurrowError as error:
        sys.exit(f"error: {error}")
