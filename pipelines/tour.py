"""The end of `make run`: what was trained, which run is champion, what it says of three real flights, and a server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from furrow.cli import render
from furrow.cli.predict import show
from furrow.errors import FurrowError
from furrow.features.materialize import materialize
from furrow.files import read_json
from furrow.ground.start_python import python
from furrow.models.predict import open_model
from furrow.serving.serving_client import ServingClient
from furrow.training.champions import Champion, read_champions
from furrow.training.declare import declared

if TYPE_CHECKING:
    from collections.abc import Iterator

AHEAD = timedelta(hours=2)
EVENING = timedelta(hours=10)
SHOWN = {
    "late": ("roc_auc", "pr_auc", "brier", "ece"),
    "delay": ("rmse", "interval_coverage", "interval_width"),
}
"""Metrics that are shown of each problem, beside the one that makes the champion."""
KEYS = ("carrier", "flight", "origin", "dest", "tailnum", "scheduled_departure")
NEXT = """
What to do next:
  furrow runs                                  the runs of this commit; `furrow runs show gbm` for one of them
  dvc metrics diff, dvc plots show             metrics against the last commit; curves to open in a browser
  edit conf/experiment/gbm.yaml, dvc repro     trains that experiment again, and nothing else
  python -m pipelines.ingest --through 2013-10, dvc add data, dvc repro     a new month
  furrow predict --problem late --carrier B6 --flight 1161 --origin LGA --dest PBI --tailnum N775JB \\
      --at 2013-09-30T18:29Z"""


def main(root: Path) -> None:
    """Show the runs and champions, fill the online store as of the last afternoon, predict three flights from it."""
    champions = read_champions((root / "runs/champion.json").read_bytes())
    for champion in champions.values():
        _runs(root, champion)
    at, flights = upcoming(root)
    with render.progress("online features") as advance:
        views = materialize(root / "features", end=at, progress=lambda _view, rows: advance(rows))
    written = sum(view.written for view in views)
    print(
        f"\nOnline store: {len(views)} views as of {at:%Y-%m-%d %H:%M} UTC, {written:,} records written."
    )
    print("The next flights out of New York then, two hours ahead:")
    for champion in champions.values():
        if champion.experiment is None:
            print(
                f"No run of {champion.problem} passed the gate: `furrow gate` says which rules failed, and how."
            )
            continue
        model = open_model(root, champion.experiment)
        for flight, prediction in zip(
            flights, model.predict(flights, at=at, online=True), strict=True
        ):
            show(model.name, flight, prediction, features=8 if champion.problem == "late" else 3)
    chosen = next((one.experiment for one in champions.values() if one.experiment), None)
    if chosen is not None:
        ask_server(root, chosen, at, flights[0])
    print(NEXT)


def ask_server(root: Path, experiment: str, at: datetime, flight: dict[str, Any]) -> None:
    """Serve a model, ask for one flight over HTTP, say how to ask again, and stop the server."""
    words = ["serve", f"build/models/{experiment}", "--as-of", f"{at:%Y-%m-%dT%H:%MZ}"]
    with served(root, words) as address, ServingClient(address, timeout=30) as client:
        answer = client.predict([flight])[0]
    row = {**flight, "scheduled_departure": flight["scheduled_departure"].isoformat()}
    body = json.dumps({"rows": [row]})
    print(f"\nA server answered over HTTP, and has been stopped: {json.dumps(answer)}")
    print("To ask it again:")
    print(f"  furrow {' '.join(words)} &")
    print(
        f"  curl -s -H 'content-type: application/json' -d '{body}' http://127.0.0.1:8080/predict"
    )


@contextmanager
def served(root: Path, words: list[str]) -> Iterator[str]:
    """A server on a free port, by its address; it ends with the block."""
    with tempfile.TemporaryFile() as errors:
        command = python("-m", "furrow", *words, "--port", "0", "--no-log")
        process = subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            said = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://\S+", said)
            with ServingClient(found[0] if found else "http://127.0.0.1:1") as client:
                while process.poll() is None and not client.ready(timeout=5):
                    time.sleep(0.1)
            if process.poll() is not None or found is None:
                errors.seek(0)
                raise FurrowError(f"the server did not start: {errors.read().decode()[-2000:]}")
            yield found[0]
        finally:
            process.terminate()
            process.wait()
            if process.stdout:
                process.stdout.close()


def upcoming(root: Path) -> tuple[datetime, list[dict[str, Any]]]:
    """An hour of the last afternoon that has landed, and from each airport the first flight two hours later or more."""
    landed = duckdb.read_parquet(str(root / "data/flights/*.parquet"))
    last = landed.aggregate("max(scheduled_departure)").fetchall()[0][0].astimezone(UTC)
    at = (last - EVENING).replace(minute=0, second=0, microsecond=0)
    chosen = (
        landed.filter(
            f"scheduled_departure >= timestamptz '{(at + AHEAD).isoformat()}' and tailnum is not null"
        )
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


def _runs(root: Path, champion: Champion) -> None:
    """A row for each experiment of a problem: its metrics, the first with its interval, and the gate's verdict."""
    entries = {
        name: entry
        for name, entry in declared(root / "conf").items()
        if entry.problem == champion.problem
    }
    metric, rows = champion.metric, []
    shown = SHOWN[champion.problem]
    for name, entry in entries.items():
        metrics = read_json(root / f"runs/{name}/metrics.json")
        low, high = (
            read_json(root / f"runs/{name}/intervals.json")[metric][end] for end in ("low", "high")
        )
        passed = champion.verdicts[name]["passed"]
        verdict = (
            "champion" if name == champion.experiment else "passed" if passed else "failed the gate"
        )
        numbers = [metrics.get(other) for other in shown]
        rows.append(
            [
                name,
                entry.service,
                metrics.get(metric),
                f"{low:.3f} to {high:.3f}",
                *numbers,
                verdict,
            ]
        )
    rows.sort(key=lambda row: row[2])
    columns = ["experiment", "features", metric, "95 % interval", *shown, "gate"]
    render.table(rows, columns, title=f"Problem {champion.problem}, best {metric} first")


if __name__ == "__main__":
    try:
        main(Path.cwd())
    except FurrowError as error:
        sys.exit(f"error: {error}")
