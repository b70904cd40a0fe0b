"""A repository with runs, verdicts, features and a hostile name, and what asks its pages."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from furrow.web.page_app import build
from furrow.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = "<script>alert(1)</script>&\"'"
RUNS = {
    "gbm": {"roc_auc": 0.81, "log_loss": 0.41, "rows": 100},
    "line": {"roc_auc": 0.7, "log_loss": 0.52, "rows": 100},
    "odd": {"roc_auc": float("nan"), "log_loss": float("inf"), "rows": 100},
}


def run_files(name: str, metrics: dict[str, float], rate: float = 0.1) -> dict[str, str]:
    """The files of a run's record."""
    record = {
        "problem": "late",
        "service": "full",
        "features": ["a"],
        "predictions_sha256": name * 8,
    }
    files = {
        "config.yaml": f"name: {name}\ndescription: {json.dumps(HOSTILE)}\nmodel:\n  name: m\n  rate: {rate}\n",
        "metrics.json": json.dumps(metrics),
        "record.json": json.dumps(record),
        "intervals.json": json.dumps({"log_loss": {"low": 0.4, "high": 0.6}}),
        "slices.json": json.dumps(
            [{"slice": "origin", "value": HOSTILE, "rows": 5, "log_loss": 0.4}]
        ),
        "card.md": f"# {name}\n{HOSTILE}\n",
        "plots/roc.csv": "false_positive_rate,true_positive_rate\n0,0\n0.2,0.6\nnan,inf\n1,1\n",
        "plots/importance.csv": f"feature,importance\n{HOSTILE[:8]},0.5\n",
        "plots/own.csv": "step,loss\n1,0.5\n2,0.25\n",
    }
    return {f"runs/{name}/{file}": text for file, text in files.items()}


def commit(folder: Path, files: dict[str, str], subject: str = "Change things") -> None:
    """Write files and commit them."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    ada = ("-c", "user.name=Ada & Co", "-c", "user.email=a@b.c")
    for words in (("add", "-A"), ("commit", "-q", "--allow-empty", "-m", subject)):
        subprocess.run(["git", "-C", str(folder), *ada, *words], check=True)


def made(folder: Path, *arguments: str) -> Path:
    """An empty repository."""
    subprocess.run(["git", "init", "-q", "-b", "main", *arguments, str(folder)], check=True)
    return folder


def shared_files(best: str, names: list[str]) -> dict[str, str]:
    """What a repository declares and says beside its runs: a gate's verdicts, a problem, a contract, an environment.

    Args:
        best: The champion.
        names: The runs that the gate judged; "odd" failed.
    """
    verdicts: dict[str, dict[str, Any]] = {
        name: {"passed": name != "odd", "failures": []} for name in names
    }
    if "odd" in verdicts:
        verdicts["odd"]["failures"] = [{"rule": "maximum log_loss", "limit": 0.6}]
    gate = {"select": {"metric": "log_loss", "direction": "minimize"}, "margin": {"over": "line"}}
    metrics = RUNS.get(best, RUNS["gbm"])
    champion = {"experiment": best, "metrics": metrics, "gate": gate, "verdicts": verdicts}
    return {
        "runs/champion.json": json.dumps({"format": 2, "problems": {"late": champion}}),
        "conf/problem/late.yaml": "task: binary\nentity: [customer]\nlabel: late\nknown_after: 48h\n",
        "conf/deployment/production.yaml": "model: gbm@v1.0.0\n",
        "conf/monitor/production.yaml": "windows: day\n",
        "conf/data/contract.yaml": CONTRACT,
    }


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits of three runs, of which one is champion and one has metrics that are no numbers."""
    folder = made(tmp_path_factory.mktemp("web") / "judged")
    shared = shared_files("gbm", list(RUNS))
    for rate in (0.1, 0.2):
        files = {}
        for name, metrics in RUNS.items():
            moved = {"brier": rate, "roc_auc": metrics["roc_auc"] - (0.2 - rate) / 10}
            files |= run_files(name, {**metrics, **moved}, rate)
        commit(folder, {**files, **shared}, f"rate {rate} {HOSTILE}")
    return folder


CONTRACT = """format: 1
clock: {timezone: UTC}
tables:
  orders:
    files: orders.parquet
    columns:
      id: {type: int64, min: 0}
      name: {type: string}
    unique: [id]
    rules: {positive: id >= 0}
"""


def asking(folder: Path, live: bool = True) -> Callable[..., httpx.Response]:
    """Asks the pages of a folder, in this process."""
    app = build(Site(folder, live=live), frozenset({"here"}))

    def ask(path: str, method: str = "GET", **headers: str) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here:1") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(once())

    return ask


@pytest.fixture(scope="module")
def ask(judged: Path) -> Callable[..., httpx.Response]:
    """Asks the pages of the judged repository."""
    return asking(judged)
