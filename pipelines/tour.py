"""The end of `make run`: what was trained, which run is champion, and what it says of three real flights."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from furrow.cli import render
from furrow.cli.predict import show
from furrow.errors import FurrowError
from furrow.features.materialize import materialize
from furrow.files import read_json
from furrow.models.predict import open_model
from furrow.training.declare import declared

AHEAD = timedelta(hours=2)
EVENING = timedelta(hours=10)
KEYS = ("carrier", "flight", "origin", "dest", "tailnum", "scheduled_departure")
NEXT = """
What to do next:
  furrow runs                                  the runs of this commit; `furrow runs show gbm` for one of them
  dvc metrics diff, dvc plots show             metrics against the last commit; curves to open in a browser
  edit conf/experiment/gbm.yaml, dvc repro     trains that experiment again, and nothing else
  python -m pipelines.ingest --through 2013-10, dvc add data, dvc repro     a new month
  furrow predict --carrier B6 --flight 1161 --origin LGA --dest PBI --tailnum N775JB --at 2013-09-30T18:29Z"""


def main(root: Path) -> None:
    """Show the runs and the champion, fill the online store as of the last afternoon, predict three flights from it."""
    champion = read_json(root / "runs/champion.json")
    _runs(root, champion)
    at, flights = upcoming(root)
    with render.progress("online features") as advance:
        views = materialize(root / "features", end=at, progress=lambda _view, rows: advance(rows))
    written = sum(view.written for view in views)
    print(f"\nOnline store: {len(views)} views as of {at:%Y-%m-%d %H:%M} UTC, {written:,} records written.")
    if champion["experiment"] is None:
        print("No run passed the gate: `furrow gate` says which rules failed, and by how much.")
        return
    print("The next flights out of New York then, two hours ahead:")
    model = open_model(root)
    for flight, prediction in zip(flights, model.predict(flights, at=at, online=True), strict=True):
        show(model.name, flight, prediction, features=8)
    print(NEXT)


def upcoming(root: Path) -> tuple[datetime, list[dict[str, Any]]]:
    """An hour of the last afternoon that has landed, and from each airport the first flight two hours later or more."""
    landed = duckdb.read_parquet(str(root / "data/flights/*.parquet"))
    last = landed.aggregate("max(scheduled_departure)").fetchall()[0][0].astimezone(UTC)
    at = (last - EVENING).replace(minute=0, second=0, microsecond=0)
    chosen = (
        landed.filter(f"scheduled_departure >= timestamptz '{(at + AHEAD).isoformat()}' and tailnum is not null")
        .project(
            f"{', '.join(KEYS)}, row_number() over (partition by origin order by scheduled_departure, carrier) as n"
        )
        .filter("n = 1")
        .order("scheduled_departure, origin")
        .fetchall()
    )
    found = [dict(zip(KEYS, values, strict=False)) for values in chosen]
    for flight in found:
        flight["scheduled_departure"] = flight["scheduled_departure"].astimezone(UTC)
    return at, found


def _runs(root: Path, champion: dict[str, Any]) -> None:
    """A row for each declared experiment: its metrics with their intervals, and the gate's verdict."""
    rows = []
    for name, service in declared(root / "conf").items():
        metrics = read_json(root / f"runs/{name}/metrics.json")
        intervals = read_json(root / f"runs/{name}/intervals.json")
        low, high = (intervals["roc_auc"][end] for end in ("low", "high"))
        passed = champion["verdicts"][name]["passed"]
        verdict = "champion" if name == champion["experiment"] else "passed" if passed else "failed the gate"
        numbers = [metrics.get(metric) for metric in ("pr_auc", "log_loss", "brier", "ece")]
        rows.append([name, service, metrics.get("roc_auc"), f"{low:.3f} to {high:.3f}", *numbers, verdict])
    rows.sort(key=lambda row: row[5])
    columns = ["experiment", "features", "roc_auc", "95 % interval", "pr_auc", "log_loss", "brier", "ece", "gate"]
    render.table(rows, columns, title="Experiments, best log loss first")


if __name__ == "__main__":
    try:
        main(Path.cwd())
    except FurrowError as error:
        sys.exit(f"error: {error}")
