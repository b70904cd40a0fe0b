"""What a user does with a task, in one process, with the furrow that PYTHONPATH names: told as JSON."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from furrow.history.paired_test import About, compare
from furrow.models.predict import open_model
from furrow.monitoring.canary_labels import wrong_ones
from furrow.monitoring.labelled_performance import judged_rows, track
from furrow.monitoring.late_labels import LateLabelError, land, landed, settle
from furrow.scaffold.additions import add_metric
from furrow.scaffold.answers import Asked
from furrow.training import config
from furrow.training.tasks import load_task, task_names
from tests.scaffold import conftest
from tests.scaffold.shop import HEADS, made_shop


def walk(folder: Path) -> dict[str, object]:
    """Init, the stages, a prediction, a comparison, late labels, a metric of the project's own."""
    HEADS["customers"][6] = "Visits Later"
    shop = made_shop(200)
    for row in shop.tables["customers"]:
        row[6] = max(0, round(row[6] / 40))
    conftest.QUESTIONS["count"] = Asked(
        predict="Visits Later", about="customer", at="Signed Up", known_after="30d", task="count"
    )
    made = conftest.trained(conftest.written(folder, "count", shop), "visits_later")
    root = made.root
    problem = config.load(root / "runs/boosting/config.yaml").problem
    predictions = [
        pd.read_parquet(root / f"build/predictions/{name}.parquet")
        for name in ("baseline", "boosting")
    ]
    compared = compare(*predictions, about=About(task="count", block=problem.block), replicates=200)
    who, when = next(iter(shop.moments().items()))
    [said] = open_model(root, "boosting").predict(
        [{"customer_id": who}], at=when + timedelta(seconds=1)
    )
    given = folder / "late.csv"
    given.write_text(f"customer_id,event_timestamp,{problem.label}\n{who},{when:%FT%TZ},3\n")
    land(folder / "labels", given, problem, now=datetime.now(UTC))
    settled = settle(landed(folder / "labels"), problem)
    given.write_text(f"customer_id,event_timestamp,{problem.label}\n{who},{when:%FT%TZ},often\n")
    try:
        refused = str(land(folder / "labels", given, problem, now=datetime.now(UTC)))
    except LateLabelError as exc:
        refused = exc.message
    known = predictions[1].assign(time=predictions[1]["event_timestamp"])
    tracked = track(judged_rows(known, problem), problem, load_task("count").metrics(problem, {}))
    return {
        "tasks": task_names(),
        "problem": (root / "conf/problem/visits_later.yaml").read_text(),
        "metrics": json.loads((root / "runs/boosting/metrics.json").read_text()),
        "champion": json.loads((root / "runs/champion.json").read_text()),
        "card": (root / "runs/boosting/card.md").read_text(),
        "compared": [one.metric for one in compared.differences],
        "said": said.said(),
        "low": said.values["low"],
        "settled": settled.rows["label"].tolist(),
        "refused": refused,
        "wrong": wrong_ones(known, problem).mean(),
        "tracked": [one.metric for one in tracked],
        "own": add_metric(root, "cost").edits["pipelines/metrics.py"],
    }


if __name__ == "__main__":
    os.environ["FURROW_TRUST"] = "1"
    told = walk(Path(sys.argv[1]))
    Path(sys.argv[2]).write_text(json.dumps(told, default=str))
