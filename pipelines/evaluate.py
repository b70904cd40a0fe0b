"""Stage evaluate@E: the run's record, from predictions."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.files import read_json, sha256_file, write_json, write_text
from furrow.models.bundle import BUNDLE
from furrow.models.card import card
from furrow.training import config, journal
from furrow.training.evaluate import evaluate
from furrow.training.run_folder import environment, texts


def main(name: str, root: Path) -> None:
    """Judge one experiment's predictions: runs/NAME/ and build/evaluations/NAME.json."""
    with journal.record(root, f"evaluate@{name}"):
        experiment = config.load(root / f"runs/{name}/config.yaml")
        source = root / f"build/predictions/{name}.parquet"
        # Not pd.read_parquet: it gives Arrow's threads a Python file, and a process that ends while one lets go of it
        # aborts, once in a hundred times on a busy machine (https://github.com/apache/arrow/issues/34314).
        predictions = pq.read_table(source).to_pandas()
        bundle = read_json(root / f"build/models/{name}" / BUNDLE)
        outcome = evaluate(predictions, experiment.evaluation, experiment.seed)
        record = {
            "format": 1,
            "experiment": name,
            "service": bundle["service"],
            "features_digest": bundle["features_digest"],
            "features": bundle["features"],
            "model_sha256": bundle["model_sha256"],
            "predictions_sha256": sha256_file(source),
            "predictor_sha256": bundle["predictor_sha256"],
            "training_set_sha256": bundle["training_set_sha256"],
            "months": {"train": bundle["months"], "test": bundle["test_months"]},
            "rows": {"train": bundle["rows"], "test": len(predictions)},
            "environment": environment(root / "requirements.lock"),
            "trials": bundle["trials"],
        }
        folder = root / "runs" / name
        for path, text in texts(outcome, record).items():
            write_text(folder / path, text)
        importance = pd.DataFrame(bundle["importance"])
        write_text(folder / "plots/importance.csv", importance.to_csv(index=False))
        write_text(folder / "card.md", card(experiment, record, outcome))
        write_json(
            root / f"build/evaluations/{name}.json",
            {
                "metrics": outcome.metrics,
                "slices": outcome.slices,
                "replicates": outcome.replicates,
                "days": outcome.days,
                "model_sha256": bundle["model_sha256"],
                "features_digest": bundle["features_digest"],
                "code": asdict(experiment.code),
            },
        )


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path.cwd())
    except FurrowError as error:
        sys.exit(f"error: {error}")
