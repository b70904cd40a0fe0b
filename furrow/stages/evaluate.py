"""Stage evaluate@E: the run's record, from predictions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq

from furrow.files import read_json, sha256_file, write_json, write_text
from furrow.layout import LOCK, RUN_CONFIG, evaluation, model, predictions, run, run_file
from furrow.models.bundle import BUNDLE
from furrow.models.card import card
from furrow.stages.command import run_stage
from furrow.training import config, journal
from furrow.training.evaluate import evaluate
from furrow.training.metric_registry import METRICS
from furrow.training.own_metrics import own_metrics
from furrow.training.run_folder import record, texts
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["judge"]


def judge(root: Path, name: str) -> None:
    """Judge one experiment's predictions: runs/NAME/ and build/evaluations/NAME.json."""
    with journal.record(root, f"evaluate@{name}"):
        experiment = config.load(root / run_file(name, RUN_CONFIG))
        source = root / predictions(name)
        # Not pd.read_parquet: it gives Arrow's threads a Python file, and a process that ends while
        # one lets go of it aborts, once in a hundred times on a busy machine
        # (https://github.com/apache/arrow/issues/34314).
        found = pq.read_table(source).to_pandas()
        bundle = read_json(root / model(name) / BUNDLE)
        own = own_metrics(root)
        metrics = load_task(experiment.problem.task).metrics(experiment.problem, own)
        outcome = evaluate(found, experiment, metrics)
        facts = record(
            experiment,
            bundle,
            predictions_sha256=sha256_file(source),
            tested=len(found),
            lock=root / LOCK,
            directions={
                name: one.direction for name, one in metrics.items() if name not in METRICS
            },
        )
        folder = root / run(name)
        for path, text in texts(outcome, facts).items():
            write_text(folder / path, text)
        importance = pd.DataFrame(bundle["importance"])
        write_text(folder / "plots/importance.csv", importance.to_csv(index=False))
        write_text(folder / "card.md", card(experiment, facts, outcome))
        write_json(
            root / evaluation(name),
            {
                "task": experiment.problem.task,
                "problem": experiment.problem.name,
                "metrics": outcome.metrics,
                "slices": outcome.slices,
                "replicates": outcome.replicates,
                "baseline": outcome.baseline,
                "blocks": outcome.blocks,
                **({"fairness": outcome.fairness} if outcome.fairness else {}),
                "tells": bundle.get("tells", {}),
                "directions": facts["directions"],
                "model_sha256": bundle["model_sha256"],
                "features_digest": bundle["features_digest"],
                "code": asdict(experiment.code),
            },
        )


if __name__ == "__main__":
    run_stage("evaluate", "Judge one experiment's predictions.", ("experiment",), judge)
