"""The pages in a real browser, from the real server and from files: whole, legible, reachable by keys, within their own policy."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from furrow.history.named_run import run as load_run
from furrow.history.run_notes import note_run
from furrow.monitoring.monitor_state import MonitorState, save_state
from furrow.training.log import log, log_to
from furrow.web.export_site import export
from furrow.web.page_forms import MENU
from furrow.web.site import Site

from .conftest import commit, made, run_files, shared_files
from .test_monitoring_page import HISTORY, LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium")
LONG = "a_very_long_name_of_a_run_that_nobody_would_choose_but_somebody_has_" * 2
STATES = [
    *({"home": ""}.get(name, name) for name in MENU),
    "monitoring?environment=staging",
    "columns",
    "run?run=r1",
    "runs?pin=r1&pin=r2&curve=loss&step=1&luck=1&limit=3",
    "home?plan=1",
    "compare?run=r1&run=r2&run=r3",
    "explore?x=log_loss&y=roc_auc",
    "features?name=weather_origin",
    f"run?run={LONG}",
    "run?run=nobody",
]
"""A state of every page, and of an error."""
DARK = "axe.run({runOnly: ['color-contrast'], resultTypes: ['violations']})"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs whose metric follows a key, one with a long name, one from right to left; features, a contract, a gate."""
    found = made(tmp_path_factory.mktemp("browser") / "repository")
    shutil.copytree(ROOT / "features/tables", found / "features/tables")
    shutil.copy(ROOT / "features/manifest.json", found / "features/manifest.json")
    files: dict[str, str] = shared_files("r1", ["r1", "r2", LONG])
    for number in range(12):
        metrics = {"roc_auc": 0.5 + number / 40, "log_loss": 0.5 - number / 80}
        files |= run_files(f"r{number}", metrics, number / 10)
    files |= run_files(LONG, {"roc_auc": 0.5}) | run_files("שלום", {"roc_auc": 0.6})
    commit(found, {**files, ".gitignore": "/.furrow/\n"})
    note_run(load_run("r1", repo=found), "the one to beat", tags=["good"], now=datetime.now(UTC))
    state = MonitorState("2026-01-07T00:00:00+00:00", history=HISTORY)
    for day in (5, 6):
        state.note_labels(LABELS, f"2026-01-0{day}T12:00:00+00:00")
    save_state(found / ".furrow/serving/staging/monitor", state)
    return found


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The address of a server of its own."""
    words = [sys.executable, "-P", "-m", "furrow", "ui", "--port", "0"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(60) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, as Debian has it."""
    if CHROMIUM is None:
        pytest.skip("no chromium here")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page whose every complaint is kept: errors of the script, what its policy refuses, what is not found."""
    found = browser.new_page()
    found.complaints = []
    found.on(
        "console",
        lambda said: (
            found.complaints.append(said.text) if said.type in {"error", "warning"} else None
        ),
    )
    found.on("pageerror", lambda said: found.complaints.append(str(said)))
    yield found
    found.close()
    assert found.complaints == []


def test_every_page_is_for_everyone(address: str, page: Any) -> None:
    """axe-core finds nothing, in light and dark; 320 pixels wide, no page is wider than the screen, whatever the names.

    Light and dark differ in colours alone, so that dark pages are asked for contrasts alone.
    """
    page.set_viewport_size({"width": 320, "height": 700})
    found = {}
    for name in STATES:
        page.emulate_media(color_scheme="light")
        page.goto(f"{address}/{name}")
        width = page.evaluate("document.documentElement.scrollWidth")
        known = _violations(Axe().run(page).response)
        page.emulate_media(color_scheme="dark")
        known += _violations(page.evaluate(DARK))
        if known or width > 320:
            found[name] = (width, known)
        assert page.evaluate("getComputedStyle(document.body).margin") == "0px", "it has its style"
    page.complaints[:] = [one for one in page.complaints if "404" not in one]  # of "run=nobody"
    assert found == {}


def _violations(said: Any) -> list[tuple[str, str]]:
    return [
        (one["id"], node["html"][:200]) for one in said["violations"] for node in one["nodes"][:3]
    ]


def test_keys_alone_lead_everywhere(address: str, page: Any) -> None:
    """The first key offers to skip the menu; what has the focus shows it; no element keeps it."""
    page.goto(f"{address}/runs?limit=3")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") > 0
    page.keyboard.press("Enter")
    seen = []
    for _ in range(8):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.name || ''"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert seen[:4] == ["where", "sort", "columns", "rev"]


def test_parts_are_swapped_and_the_address_is_the_state(address: str, page: Any) -> None:
    """A click on a heading sorts without loading the page anew; back goes back; a filter is asked by keyboard alone."""
    first = page.locator("#table-runs tbody td").first
    page.goto(f"{address}/runs?columns=name,roc_auc&limit=3")
    page.evaluate("window.stays = 1")
    page.click("th a:text('roc_auc')")
    expect(first).to_have_text("r11")
    assert "sort=-roc_auc" in page.url
    page.go_back()
    expect(first).not_to_have_text("r11")
    page.focus("input[name=where]")
    page.keyboard.type("roc_auc < 0.52 and name like 'r%'")
    page.keyboard.press("Enter")
    expect(page.locator("#table-runs tbody tr")).to_have_count(1)
    assert page.evaluate("window.stays") == 1


def test_a_name_of_a_column_is_completed(address: str, page: Any) -> None:
    """The last word of a filter, with the names that this history has."""
    page.goto(f"{address}/runs")
    page.focus("input[name=where]")
    page.keyboard.type("name = 'r1' and log_")
    option = page.locator("datalist#names-where option").first
    expect(option).to_have_attribute("value", "name = 'r1' and log_loss")


def test_lines_are_brushed(address: str, page: Any) -> None:
    """A drag along an axis chooses runs; what is chosen is said, too."""
    page.goto(f"{address}/explore?columns=model.rate,roc_auc")
    canvas, said = page.locator("canvas"), page.locator("[aria-live]")
    canvas.scroll_into_view_if_needed()
    expect(said).to_contain_text("14 of 14 runs")
    box = canvas.bounding_box()
    x = box["x"] + 50 / 640 * box["width"]
    page.mouse.move(x, box["y"] + 30 / 320 * box["height"])
    page.mouse.down()
    page.mouse.move(x, box["y"] + 110 / 320 * box["height"], steps=3)
    page.mouse.up()
    expect(said).to_contain_text("are chosen")
    assert 0 < int(said.inner_text().split()[0]) < 14


def test_a_change_is_told_without_asking(address: str, folder: Path, page: Any) -> None:
    """A commit while somebody looks: the page says so, and looking again shows it."""
    page.goto(f"{address}/runs?where=name = 'fresh'")
    page.wait_for_timeout(1500)
    commit(folder, run_files("fresh", {"roc_auc": 0.9}))
    expect(page.locator("#changed")).to_contain_text("has changed")
    page.click("#changed a")
    expect(page.locator("#table-runs tbody tr")).to_have_count(1)
    expect(page.locator("#changed")).to_have_count(0)


def test_curves_grow_while_somebody_looks(address: str, folder: Path, page: Any) -> None:
    """Without a reload, as training code logs; the run's own page leads there."""
    with log_to("train@r1", folder / ".furrow/logs"):
        log(step=1, loss=0.5)
        page.goto(f"{address}/run?run=r1")
        page.click("a:text('live curves')")
        page.evaluate("window.stays = 1")
        expect(page.locator("figcaption")).to_contain_text("last 0.5")
        log(step=2, loss=0.25)
        expect(page.locator("figcaption")).to_contain_text("last 0.25", timeout=20_000)
        assert page.evaluate("window.stays") == 1


def test_a_page_prints(address: str, page: Any) -> None:
    """The page for the business, on paper: black on white, without menu and forms."""
    page.emulate_media(color_scheme="dark", media="print")
    page.goto(f"{address}/business")
    assert not page.locator("header").is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert (
        page.evaluate("getComputedStyle(document.querySelector('dt')).color")
        != "rgb(164, 171, 179)"
    )
    assert page.pdf().startswith(b"%PDF")


def test_an_export_opens_from_a_file(judged: Path, page: Any, tmp_path: Path) -> None:
    """With style and script, without a server."""
    export(Site(judged, live=False), "", tmp_path / "site")
    page.goto((tmp_path / "site/index.html").as_uri())
    assert page.evaluate("getComputedStyle(document.body).margin") == "0px"
    page.click("nav a:text('Runs')")
    page.click("td a:text('gbm@')")
    assert page.inner_text("h1").startswith("gbm@")
    page.goto((tmp_path / "site/explore.html").as_uri())
    page.wait_for_selector("canvas")


def test_two_browsers_and_one_that_leaves(address: str, page: Any) -> None:
    """Many readers at once, of whom some close before the answer is there: the others get theirs, whole."""

    def leave(number: int) -> None:
        with socket.create_connection((host, int(port))) as taken:
            taken.sendall(
                f"GET /run?run=r{number} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
            )

    host, _, port = address.removeprefix("http://").partition(":")
    with ThreadPoolExecutor(8) as readers:
        left = [readers.submit(leave, number) for number in range(6)]
        texts = [readers.submit(lambda: urlopen(f"{address}/runs.json").read()) for _ in range(6)]
        assert len({one.result() for one in texts}) == 1
        assert [one.result() for one in left] == [None] * 6
    page.goto(f"{address}/run?run=r2")
    assert page.inner_text("h1").startswith("r2@")
