"""Versions swapped under load, counted: no request fails, and each is answered by one version whole, which it names.

    python -m benchmarks.swaps [--swaps 1000]

The server answers over sockets with uvicorn; a thread swaps two versions under one name, each swap
after the last one's first answer. Nothing is timed: what is counted is swaps that were answered
from, requests that failed, and answers whose scores are not those of the version that they name.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import uvicorn

from benchmarks.figures import Figure
from benchmarks.figures import found as tell
from benchmarks.serve_row import build
from furrow.features.client import FeatureClient
from furrow.serving.app import App
from furrow.serving.model_host import Host, Loaded
from furrow.serving.scorer import Scorer
from furrow.serving.serve_settings import ServeSettings

ROWS = [{"entity": place} for place in range(5)]
NAMES = ("model", "other")


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--swaps", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        build(root, other=True)
        with FeatureClient.open(root / "features") as client:
            versions = [
                Loaded(Scorer.open(root / "build" / one, client), "m", f"{one}@v1.0.0")
                for one in NAMES
            ]
            wanted = {
                one.version: [each.prediction["probability"] for each in one.scorer.score(ROWS)]
                for one in versions
            }
            assert wanted[versions[0].version] != wanted[versions[1].version]
            asked, failed, mixed, done = swapped(versions, wanted, options.swaps)
    print(f"{done} swaps, {asked} requests: {failed} failed, {mixed} mixed")
    figure = Figure(
        f"{done} swaps under load", "failed or mixed", failed + mixed, 0.0, "limit", 1.0
    )
    tell(figure)
    return 0 if figure.furrow == 0 and done == options.swaps else 1


def swapped(
    versions: list[Loaded], wanted: dict[str, list[float]], swaps: int
) -> tuple[int, int, int, int]:
    """Swap under the load of three clients: requests, failures, mixtures, swaps that answered."""
    host = Host({}, default="m")
    host.swap("m", versions[0])
    server = uvicorn.Server(
        uvicorn.Config(App(host, ServeSettings()), port=0, log_level="error", lifespan="on")
    )
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    seen = [versions[0].version]
    ended, counts = threading.Event(), {"asked": 0, "failed": 0, "mixed": 0}

    def ask() -> None:
        while not ended.is_set():
            said = one_answer(port)
            counts["asked"] += 1
            if said is None:
                counts["failed"] += 1
                continue
            named = {one["version"] for one in said}
            scores = [one["probability"] for one in said]
            if len(named) != 1 or scores != wanted[next(iter(named))]:
                counts["mixed"] += 1
            seen[0] = next(iter(named))

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for one in clients:
        one.start()
    done = 0
    for number in range(swaps):
        version = versions[(number + 1) % 2]
        host.swap("m", version)
        until = time.monotonic() + 30
        while seen[0] != version.version and time.monotonic() < until:
            time.sleep(0.001)
        done += seen[0] == version.version
    ended.set()
    for one in clients:
        one.join()
    server.should_exit = True
    serving.join(30)
    return counts["asked"], counts["failed"], counts["mixed"], done


def one_answer(port: int) -> list[dict[str, Any]] | None:
    """The predictions of one request; None where it failed."""
    body = json.dumps({"rows": ROWS}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["predictions"]
            return found
    except (urllib.error.URLError, OSError):
        return None


if __name__ == "__main__":
    sys.exit(main())
