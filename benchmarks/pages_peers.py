"""The first page of runs, and fifty of them compared, in a browser: `furrow ui` beside MLflow's UI, on the same runs.

    python -m benchmarks.pages_peers FOLDER [--commits 100] [--trials 1300] [--most 2000]

Each page is visited cold in a real Chromium, and what is told is the least of three visits:
processor time of the server and of the browser's main thread, bytes as they came, and seconds until
the words that were waited for stood there. MLflow keeps the newest MOST of the runs in a SQLite
store of its own, which they are put into without its client; Furrow shows all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, found
from benchmarks.pages import spent
from benchmarks.runs_repo import FURROW, add_commits, add_trials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

COMPARED, VISITS, PATIENCE, AFTER = 50, 3, 180, 1
TICKS = os.sysconf("SC_CLK_TCK")
REACH = {"CPU ms": 3, "kB": 20, "s": 2, "CPU ms of main thread": 5}
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONDONTWRITEBYTECODE": "",
}


@dataclass(frozen=True)
class Visit:
    """What a page took: in the server, on the way, in seconds, in the browser."""

    server: float
    sent: float
    there: float
    main_thread: float


def main() -> None:
    """Make the runs, put them into MLflow, and visit both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--trials", type=int, default=1300)
    parser.add_argument("--most", type=int, default=2000)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    many, store = asked.folder / "many.git", asked.folder / f"mlflow-{asked.most}.db"
    if not many.exists():
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(many)], check=True)
        add_commits(many, asked.commits)
        add_trials(many, asked.trials)
        subprocess.run(["git", "-C", str(many), "pack-refs", "--all"], check=True)
    total, runs = listed(many, asked.most)
    if not store.exists():
        put_in(store, runs)
    names = [run["run"] for run in runs[:COMPARED]]
    ids = json.dumps([identity(place) for place in range(COMPARED)]).replace(" ", "")
    ours = {
        "first page": ("/runs?all=1", names[0]),
        "compared": ("/compare?" + "&".join(f"run={name}" for name in names), "ece"),
    }
    theirs = {
        "first page": ("/#/experiments/0/runs", names[0]),
        "compared": (f'/#/compare-runs?runs={ids}&experiments=["0"]', "ece"),
    }
    words = [sys.executable, "-P", "-m", "furrow", "ui", "--port", "0"]
    with served(words, many, None) as (group, address):
        here = {what: least(group, address, *page) for what, page in ours.items()}
    port = free_port()
    words = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{store}"]
    words += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with served(words, asked.folder, f"http://127.0.0.1:{port}") as (group, address):
        there = {what: least(group, address, *page) for what, page in theirs.items()}
    for what in ours:
        shown = f"{COMPARED} runs compared" if what == "compared" else f"{total:,} runs, first page"
        peer = f"MLflow, {len(runs):,} runs"
        parts = ("server", "sent", "until it is there", "browser")
        for part, unit, mine, other in zip(
            parts, REACH, astuple(here[what]), astuple(there[what]), strict=True
        ):
            found(Figure(f"{shown}: {part}", unit, mine, other, peer, REACH[unit]))


def listed(repo: Path, most: int) -> tuple[int, list[dict[str, Any]]]:
    """How many runs there are, and the newest of them with metrics and configs."""
    said = subprocess.run(
        [FURROW, "runs", "--all", "--json", "--columns", "*", "--limit", str(most)],
        cwd=repo, check=True, capture_output=True,
    ).stdout  # fmt: skip
    value = json.loads(said)
    places = {column["name"]: column["from"] for column in value["columns"]}
    runs = []
    for run in value["runs"]:
        parts: dict[str, dict[str, Any]] = {"metric": {}, "config": {}}
        for name, one in run.items():
            if one is not None and places.get(name) in parts:
                parts[places[name]][name] = one
        name = f"{run['experiment']}@{run['commit'][:10]}"
        runs.append({"run": name, "date": run["date"], **parts})
    return value["total"], runs


def identity(place: int) -> str:
    """The id of a run in MLflow."""
    return f"{place:032x}"


def put_in(path: Path, runs: list[dict[str, Any]]) -> None:
    """Put runs into a store of MLflow's."""
    from mlflow.store.tracking.dbmodels import models  # noqa: PLC0415 - where it is installed
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415

    rows: dict[Any, list[dict[str, Any]]] = {
        kind: []
        for kind in (
            models.SqlRun,
            models.SqlMetric,
            models.SqlLatestMetric,
            models.SqlParam,
            models.SqlTag,
        )
    }
    for place, run in enumerate(runs):
        key, moment = identity(place), int(datetime.fromisoformat(run["date"]).timestamp() * 1000)
        rows[models.SqlRun].append(
            {"run_uuid": key, "name": run["run"], "source_type": "LOCAL", "status": "FINISHED", "start_time": moment,
             "end_time": moment, "lifecycle_stage": "active", "experiment_id": 0, "user_id": "ada",
             "artifact_uri": f"mlflow-artifacts:/0/{key}/artifacts"}
        )  # fmt: skip
        for name, value in run["metric"].items():
            facts = {"timestamp": moment, "step": 0, "is_nan": False, "run_uuid": key}
            rows[models.SqlMetric].append({"key": name, "value": value, **facts})
            rows[models.SqlLatestMetric].append({"key": name, "value": value, **facts})
        rows[models.SqlParam] += [
            {"key": name, "value": str(value)[:500], "run_uuid": key}
            for name, value in run["config"].items()
        ]
        tags = {"mlflow.runName": run["run"], "mlflow.user": "ada", "mlflow.source.name": "train"}
        rows[models.SqlTag] += [{"key": one, "value": tags[one], "run_uuid": key} for one in tags]
    making = path.with_suffix(".making")
    making.unlink(missing_ok=True)
    store = SqlAlchemyStore(f"sqlite:///{making}", str(path.parent / "artifacts"))
    with store.ManagedSessionMaker() as session:
        for kind, some in rows.items():
            session.bulk_insert_mappings(kind, some)
    making.rename(path)


@contextmanager
def served(words: list[str], folder: Path, address: str | None) -> Iterator[tuple[int, str]]:
    """A server and all that it starts: its group, and where it answers."""
    with (folder.parent / "server.log").open("w") as log:
        server = subprocess.Popen(
            words, cwd=folder, stdout=subprocess.PIPE if address is None else log, stderr=log,
            text=True, start_new_session=True, env={**os.environ, **QUIET},
        )  # fmt: skip
        try:
            if address is None:
                assert server.stdout is not None
                address = server.stdout.readline().strip()
            until = time.monotonic() + PATIENCE
            while not answers(address):
                if time.monotonic() > until or server.poll() is not None:
                    raise SystemExit(f"{' '.join(words)} does not answer")
                time.sleep(0.5)
            yield server.pid, address
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)


def answers(address: str) -> bool:
    """Whether a server is there."""
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def used(group: int) -> float:
    """Processor milliseconds that a group of processes has used."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[2]) == group:
            total += int(fields[11]) + int(fields[12])
    return total * 1000 / TICKS


def least(group: int, address: str, path: str, words: str) -> Visit:
    """The least of what some visits took, each measure by itself; one before them warms the server."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only here

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        visits = [visit(browser, group, address + path, words) for _ in range(VISITS + 1)][1:]
        browser.close()
    return Visit(*(min(each) for each in zip(*map(astuple, visits), strict=True)))


def visit(browser: Browser, group: int, address: str, words: str) -> Visit:
    """One cold visit, until some words stand on the page and a second longer."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    seen, sent = context.new_cdp_session(page), []
    seen.on("Network.loadingFinished", lambda one: sent.append(one["encodedDataLength"]))
    seen.send("Network.enable")
    seen.send("Performance.enable")
    before, began = used(group), time.perf_counter()
    page.goto(address, wait_until="commit", timeout=PATIENCE * 1000)
    page.get_by_text(words).first.wait_for(state="visible", timeout=PATIENCE * 1000)
    there = time.perf_counter() - began
    page.wait_for_timeout(AFTER * 1000)  # MLflow's page is never still
    took = Visit(used(group) - before, sum(sent) / 1e3, there, spent(seen))
    context.close()
    return took


if __name__ == "__main__":
    main()
