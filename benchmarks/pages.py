"""What pages cost: the first page of many runs, a run with many curves, fifty runs compared, and a commit as files.

    python -m benchmarks.pages FOLDER [--commits N] [--trials N] [--metrics N] [--no-browser]

Server: processor milliseconds of one answer, once an index and the modules are loaded, and bytes as they
are sent (gzip). Browser: processor milliseconds of Chromium's main thread, until the page stands, the
least of three cold visits. The limits are what `furrow ui` promises; MLflow needs a server and a
database for the like.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks.figures import Figure, found
from benchmarks.runs_repo import add_commits, add_trials
from furrow.web.export_site import export
from furrow.web.page_app import build
from furrow.web.site import Site

if TYPE_CHECKING:
    from starlette.types import ASGIApp

CHARTS, POINTS, COMPARED, VISITS = 20, 2000, 50, 3


def main() -> None:
    """Make the repositories and measure."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder", type=Path)
    options.add_argument("--commits", type=int, default=500)
    options.add_argument("--trials", type=int, default=1500)
    options.add_argument("--metrics", type=int, default=12_000)
    options.add_argument("--no-browser", action="store_true")
    arguments = options.parse_args()
    many, wide = arguments.folder / "many.git", arguments.folder / "wide"
    if not many.exists():
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(many)], check=True)
        add_commits(many, arguments.commits)
        add_trials(many, arguments.trials)
        subprocess.run(
            ["git", "-C", str(many), "pack-refs", "--all"], check=True
        )  # as gc leaves it
    if not wide.exists():
        write_wide(wide, arguments.metrics)
    app = build(Site(many), None)
    ask(app, "/runs?all=1")
    total = ask(app, "/runs.json?all=1")[2]["total"]
    for what, path in {
        "first page": "/runs?all=1",
        "sorted": "/runs?all=1&sort=-roc_auc",
        "filtered": "/runs?all=1&where=roc_auc>0.5 and model='gbm'",
        "page 1,000": "/runs?all=1&limit=20&page=1000",
    }.items():
        cpu, size, _ = min((ask(app, path) for _ in range(5)), key=lambda one: one[0])
        told(f"{total:,} runs, {what}: server", "CPU ms", cpu, 30)
        told(f"{total:,} runs, {what}: sent", "kB", size / 1e3, 60)
    beside = build(Site(wide), None)
    names = "&".join(f"run=r{number}" for number in range(COMPARED))
    cpu, size, _ = min((ask(beside, f"/compare?{names}") for _ in range(2)), key=lambda one: one[0])
    told(f"{COMPARED} runs x {arguments.metrics:,} metrics compared: server", "CPU ms", cpu, 1000)
    told(f"{COMPARED} runs x {arguments.metrics:,} metrics compared: sent", "kB", size / 1e3, 500)
    cpu, size, _ = min((ask(beside, "/run?run=curves") for _ in range(3)), key=lambda one: one[0])
    told(f"{CHARTS} charts x {POINTS:,} points: server", "CPU ms", cpu, 1000)
    told(f"{CHARTS} charts x {POINTS:,} points: sent", "kB", size / 1e3, 500)
    site, begun = arguments.folder / "site", time.process_time()
    done = export(Site(many, live=False), "", site)
    told(f"a commit as {done.pages} pages", "CPU s", time.process_time() - begun, 10)
    told(f"a commit as {done.pages} pages: size", "MB", done.size / 1e6, 3)
    if not arguments.no_browser:
        for what, folder, path, limit in (
            (f"{CHARTS} charts x {POINTS:,} points: browser", wide, "run?run=curves", 200),
            (f"{COMPARED} runs compared: browser", wide, f"compare?{names}", 1000),
            ("5,000 runs x 8 keys in parallel: browser", many, "explore?all=1", 1000),
        ):
            for part, took in in_browser(folder, path).items():
                told(f"{what}{part}", "CPU ms of main thread", took, 300 if part else limit)


def told(claim: str, unit: str, value: float, limit: float) -> None:
    """One line of the table, against what is promised."""
    found(Figure(claim, unit, value, limit, "the promise", 1.0))


def ask(app: ASGIApp, path: str) -> tuple[float, int, dict[str, object]]:
    """Processor milliseconds of an answer, its bytes as sent, and what it says if it is JSON."""

    async def once() -> tuple[float, int, bytes]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            request = client.build_request("GET", path, headers={"accept-encoding": "gzip"})
            begun = time.process_time()
            answer = await client.send(request, stream=True)
            raw = b"".join([part async for part in answer.aiter_raw()])
            took = (time.process_time() - begun) * 1000
            if answer.status_code != 200:
                raise SystemExit(f"{path}: {answer.status_code}")
            return took, len(raw), httpx.Response(200, headers=answer.headers, content=raw).content

    took, size, content = asyncio.run(once())
    return took, size, json.loads(content) if ".json" in path else {}


def write_wide(folder: Path, metrics: int) -> None:
    """A commit of fifty runs with thousands of metrics, and of one with many curves."""
    for number in range(COMPARED):
        place = folder / f"runs/r{number}"
        place.mkdir(parents=True)
        start = number * (metrics // 3) // (COMPARED - 1)  # a run holds two thirds of all there are
        columns = range(start, start + metrics - metrics // 3)
        values = {f"metric_{at:05}": math.sin(at * (number + 1)) for at in columns}
        (place / "metrics.json").write_text(json.dumps(values))
        (place / "config.yaml").write_text(f"name: r{number}\nmodel: {{rate: {number / 100}}}\n")
    plots = folder / "runs/curves/plots"
    plots.mkdir(parents=True)
    (plots.parent / "metrics.json").write_text('{"roc_auc": 0.8}')
    for chart in range(CHARTS):
        rows = (f"{at},{math.sin(at / (20 + chart)) + at % 7 / 10}" for at in range(POINTS))
        (plots / f"curve_{chart:02}.csv").write_text("step,loss\n" + "\n".join(rows) + "\n")
    ada = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=a@b.c"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "wide"]):
        subprocess.run([*ada, *words], check=True)


def in_browser(folder: Path, path: str) -> dict[str, float]:
    """Processor milliseconds that Chromium's main thread works for a page, cold, and for a brush where there is one."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where a browser is asked for

    words = [sys.executable, "-P", "-m", "furrow", "ui", "--port", "0"]
    found: dict[str, float] = {}
    with (
        subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as server,
        sync_playwright() as playwright,
    ):
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(VISITS):
            context = browser.new_context()
            page = context.new_page()
            seen = context.new_cdp_session(page)
            seen.send("Performance.enable")
            page.goto(f"{address}/{path}", timeout=120_000)
            if "explore" in path:
                page.wait_for_selector("canvas", timeout=120_000)
            page.wait_for_timeout(500)
            took = {"": spent(seen)}
            if "explore" in path:
                brush(page)
                took[", a brush"] = spent(seen) - took[""]
            found = {part: min(value, found.get(part, value)) for part, value in took.items()}
            context.close()
        browser.close()
        server.terminate()
    return found


def spent(seen: Any) -> float:
    """Processor milliseconds of a page's main thread so far."""
    metrics = seen.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "ThreadTime")) * 1000


def brush(page: Any) -> None:
    """Choose runs by a drag along the first axis, and see that some are chosen."""
    canvas = page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    across = box["x"] + 50 / canvas.evaluate("(one) => one.width") * box["width"]
    page.mouse.move(across, box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(across, box["y"] + 0.6 * box["height"], steps=3)
    page.mouse.up()
    page.wait_for_timeout(500)
    if "are chosen" not in page.locator("[aria-live]").inner_text():
        raise SystemExit("the brush chose nothing")


if __name__ == "__main__":
    main()
