"""Search by itself beside a model set by hand: `furrow try EXPERIMENT --auto` and scikit-learn's HistGradientBoosting.

    python -m benchmarks.auto_search [--project build/examples/shop] [--experiment redeemed_gbm] [--minutes 5]

Same training set, same folds, same rows tested. Furrow's is the trial that it chose on rows before
the first tested one; the peer is fitted by scikit-learn's own code (its defaults, and hand-set: small
steps, many of them, some of the columns at each split). What counts is the difference of the gate's metric, with
an interval from a bootstrap of whole blocks of the problem.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss, mean_absolute_error
from sklearn.preprocessing import OrdinalEncoder

from furrow.layout import run_file, training_set
from furrow.training import config, dataset
from furrow.training.fit import input_columns

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
HAND_SET = {"learning_rate": 0.03, "max_iter": 300, "max_leaf_nodes": 15, "min_samples_leaf": 20, "max_features": 0.5,
            "early_stopping": False, "random_state": 1}  # fmt: skip
REPLICATES = 1000


def called(project: Path, *words: str) -> str:
    environment = {**os.environ, "FURROW_TRUST": "1", "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "furrow", *words]
    return subprocess.run(
        command, cwd=project, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def matrix(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Numbers as they are, words as codes."""
    words = [name for name in columns if frame[name].dtype.kind not in "biuf"]
    rows = frame[columns].copy()
    if words:
        rows[words] = OrdinalEncoder(encoded_missing_value=np.nan).fit_transform(
            rows[words].astype(object)
        )
    return rows.to_numpy(dtype=np.float64)


def losses(
    experiment: config.Experiment, training: dataset.TrainingSet, options: dict | None
) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each tested row, and its block: of Furrow's config where `options` is None, else of the peer's."""
    from furrow.training.rolling import predict  # noqa: PLC0415 - only one of both

    frame, task = training.frame, experiment.problem.task
    columns = input_columns(experiment, training.features)
    found, blocks = [], []
    rows = matrix(frame, columns)
    for fold in training.folds(experiment.seed):
        label = frame[experiment.problem.label].to_numpy()
        truth = label[fold.test_rows]
        if options is None:
            told, _ = predict(experiment, training, fold)
            guess = told["probability"] if task == "binary" else told["prediction"]
        elif task == "binary":
            model = HistGradientBoostingClassifier(**options).fit(
                rows[fold.train_rows], label[fold.train_rows]
            )
            guess = model.predict_proba(rows[fold.test_rows])[:, 1]
        else:
            model = HistGradientBoostingRegressor(loss="absolute_error", **options)
            guess = model.fit(rows[fold.train_rows], label[fold.train_rows]).predict(
                rows[fold.test_rows]
            )
        guess = np.asarray(guess, dtype=np.float64)
        if task == "binary":
            yes, near = truth.astype(float), np.clip(guess, 1e-15, 1 - 1e-15)
            found.append(-(yes * np.log(near) + (1 - yes) * np.log(1 - near)))
            assert np.isclose(found[-1].mean(), log_loss(yes, near))
        else:
            found.append(np.abs(truth - guess))
            assert np.isclose(found[-1].mean(), mean_absolute_error(truth, guess))
        tested = frame.iloc[fold.test_rows]
        block = experiment.problem.block
        blocks.append(
            tested[block].astype(str)
            if block in tested
            else tested["event_timestamp"].dt.strftime("%Y-%m-%d")
        )
    return np.concatenate(found), np.concatenate(blocks)


def difference(
    one: np.ndarray, other: np.ndarray, blocks: np.ndarray
) -> tuple[float, float, float]:
    """The mean difference of two losses, and its 95 % interval."""
    _, place = np.unique(blocks, return_inverse=True)
    count = np.bincount(place)
    size = np.bincount(place, one - other)
    draw = np.random.default_rng(1).integers(0, len(count), (REPLICATES, len(count)))
    means = size[draw].sum(1) / count[draw].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float((one - other).mean()), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=ROOT / "build/examples/shop")
    parser.add_argument("--experiment", default="redeemed_gbm")
    parser.add_argument("--minutes", type=float, default=5)
    asked = parser.parse_args()
    if not (asked.project / "build/training").is_dir():
        sys.exit(f"{asked.project} is not run: make example NAME={asked.project.name}")
    began = time.perf_counter()
    said = json.loads(
        called(
            asked.project,
            "try",
            asked.experiment,
            "--auto",
            "--minutes",
            str(asked.minutes),
            "--json",
        )
    )
    took = time.perf_counter() - began
    best = said["trials"][0]
    shown = called(asked.project, "runs", "show", best["trial"], "--json")
    place = asked.project / ".furrow/chosen.yaml"
    declared = config.load(asked.project / run_file(asked.experiment, "config.yaml"))
    place.write_bytes(
        subprocess.run(
            ["git", "show", f"{json.loads(shown)['commit']}:{run_file(asked.experiment, 'config.yaml')}"],
            cwd=asked.project, check=True, stdout=subprocess.PIPE,
        ).stdout
    )  # fmt: skip
    chosen = config.load(place)
    training = dataset.load(
        asked.project / training_set(declared.problem.name, declared.features.service), declared
    )
    ours, blocks = losses(chosen, training, None)
    print(
        f"{asked.experiment}: {said['screened']} configs on all rows, {len(said['trials'])} trials, {took:.0f} s"
    )
    print(f"  chosen: {' '.join(best['overrides'])}")
    print(f"  furrow try --auto       {ours.mean():.4f}")
    for name, options in (("defaults", {"random_state": 1}), ("set by hand", HAND_SET)):
        theirs, _ = losses(declared, training, options)
        mean, low, high = difference(ours, theirs, blocks)
        print(f"  scikit-learn, {name:<11} {theirs.mean():.4f}")
        print(f"    furrow's minus it: {mean:+.4f} ({low:+.4f} to {high:+.4f})")


if __name__ == "__main__":
    main()
