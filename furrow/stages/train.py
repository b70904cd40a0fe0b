"""Stage train@E: the folds predicted, then the model fitted on every row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.progress import track

from furrow.files import sha256_file, write_bytes
from furrow.layout import RUN_CONFIG, model, predictions, run_file, training_set
from furrow.models.bundle import save
from furrow.monitoring.drift_reference import leave_in_bundle
from furrow.stages.command import run_stage
from furrow.training import config, dataset, journal
from furrow.training.fit import Fitted, fit
from furrow.training.importance import importance
from furrow.training.log import default_folder, log, log_to
from furrow.training.own_metrics import own_metrics
from furrow.training.rolling import joined, predict, scores, to_parquet
from furrow.training.single_feature import telling
from furrow.training.splits import holdout
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from furrow.training.config import Experiment
    from furrow.training.dataset import TrainingSet
    from furrow.training.metric_registry import Metric
    from furrow.training.splits import Fold

__all__ = ["train"]


def train(root: Path, name: str) -> None:
    """Train one experiment: build/predictions/NAME.parquet and build/models/NAME."""
    with (
        journal.record(root, f"train@{name}") as facts,
        log_to(f"train@{name}", default_folder(root)),
    ):
        experiment = config.load(root / run_file(name, RUN_CONFIG))
        source = root / training_set(experiment.problem.name, experiment.features.service)
        training = dataset.load(source, experiment)
        steps = training.folds(experiment.seed)
        own = own_metrics(root)
        best, trials = _searched(experiment, training, steps, own)
        found, last = _predict(best, training, steps, own)
        path = root / predictions(name)
        write_bytes(path, to_parquet(found))
        extra = {
            "importance": _importance(best, last, training, steps[-1]),
            "tells": telling(best, training),
            "trials": trials,
            "training_set_sha256": sha256_file(source),
            "periods": {"train": training.periods, "test": [step.test for step in steps]},
            "features": training.features,
        }
        final = fit(best, training.frame, training.features, training.classes)
        save(root / model(name), best, final, training.frame, extra=extra)
        leave_in_bundle(root, name, root / model(name))
        facts["predictions_sha256"] = sha256_file(path)


def _searched(
    experiment: Experiment, training: TrainingSet, steps: list[Fold], own: dict[str, Metric]
) -> tuple[Experiment, list[dict[str, Any]]]:
    """Search on the first fold's training rows, the newest of them held out.

    The test rows stay unseen.
    """
    if experiment.search is None:
        return experiment, []
    # Optuna, which most experiments do without
    from furrow.training.search import search  # noqa: PLC0415

    older, held = holdout(training.frame, experiment.problem, steps[0].train_rows)
    return search(experiment, training, older, held, own)


def _predict(
    experiment: Experiment, training: TrainingSet, steps: list[Fold], own: dict[str, Metric]
) -> tuple[pd.DataFrame, Fitted]:
    parts = []
    metrics = load_task(experiment.problem.task).metrics(experiment.problem, own)
    for number, step in enumerate(track(steps, description=f"train {experiment.name}")):
        part, fitted = predict(experiment, training, step)
        log(step=number, **scores(experiment, part, metrics))
        parts.append(part)
    return joined(parts), fitted


def _importance(
    experiment: Experiment, fitted: Fitted, training: TrainingSet, last: Fold
) -> list[dict[str, Any]]:
    """What predictions of the last fold lose when a column is shuffled."""
    tested = training.frame.iloc[last.test_rows]
    task = load_task(experiment.problem.task)
    target = task.target(tested[experiment.problem.label], experiment.problem, training.classes)
    rows = tested.assign(**{experiment.problem.label: target})
    return importance(fitted, rows, experiment.problem.label, task.fitness, seed=experiment.seed)


if __name__ == "__main__":
    run_stage("train", "Train one experiment.", ("experiment",), train)
