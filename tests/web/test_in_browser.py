"""The pages in a real browser, from the real server and from files: nothing is refused by their own policy, and it fits."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from furrow.web.export_site import export
from furrow.web.site import Site

from .conftest import commit, made, run_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium")
LONG = "a_very_long_name_of_a_run_that_nobody_would_choose_but_somebody_has_" * 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve runs whose metric follows a key, one with a long name, one from right to left."""
    found = made(tmp_path_factory.mktemp("browser") / "repository")
    files: dict[str, str] = {}
    for number in range(12):
        files |= run_files(
            f"r{number}", {"roc_auc": 0.5 + number / 40, "log_loss": 0.5 - number / 80}, number / 10
        )
    files |= run_files(LONG, {"roc_auc": 0.5}) | run_files("שלום", {"roc_auc": 0.6})
    commit(found, files)
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
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page whose every complaint is kept."""
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


def test_pages_fit_a_phone_and_break_no_policy(address: str, page: Any) -> None:
    """320 pixels wide: no page is wider than the screen, whatever the names; its text is of the size that was meant."""
    page.set_viewport_size({"width": 320, "height": 700})
    for name in (
        "",
        "runs?limit=5",
        "run?run=r1",
        "compare?run=r1&run=r2",
        "explore",
        f"run?run={LONG}",
        "business",
    ):
        page.goto(f"{address}/{name}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 320, (name, width)
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).fontWeight") == "700"
        assert page.evaluate("getComputedStyle(document.body).margin") == "0px", (
            "its style sheet was loaded"
        )


def test_parts_are_swapped_and_the_address_is_the_state(address: str, page: Any) -> None:
    """A click on a heading sorts without loading the page anew; back goes back; a filter is asked by keyboard alone."""
    page.goto(f"{address}/runs?columns=name,roc_auc&limit=3")
    page.evaluate("window.stays = 1")
    page.click("th a:text('roc_auc')")
    page.wait_for_function("document.querySelector('td').textContent === 'r11'")
    assert "sort=-roc_auc" in page.url
    page.go_back()
    page.wait_for_function("document.querySelector('td').textContent !== 'r11'")
    page.focus("input[name=where]")
    page.keyboard.type("roc_auc < 0.52 and name like 'r%'")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('#table-runs tbody tr').length === 1")
    assert page.evaluate("window.stays") == 1


def test_lines_are_brushed(address: str, page: Any) -> None:
    """A drag along an axis chooses runs; what is chosen is said, too."""
    page.goto(f"{address}/explore?columns=model.rate,roc_auc")
    page.wait_for_selector("canvas")
    box = page.locator("canvas").bounding_box()
    page.locator("canvas").scroll_into_view_if_needed()
    box = page.locator("canvas").bounding_box()
    x = box["x"] + 50 / 640 * box["width"]
    page.mouse.move(x, box["y"] + 30 / 320 * box["height"])
    page.mouse.down()
    page.mouse.move(x, box["y"] + 110 / 320 * box["height"], steps=3)
    page.mouse.up()
    page.wait_for_function(
        "document.querySelector('[aria-live]').textContent.includes('are chosen')"
    )
    count = int(page.locator("[aria-live]").inner_text().split()[0])
    assert 0 < count < 12


def test_an_export_opens_from_a_file(folder: Path, page: Any, tmp_path: Path) -> None:
    """With style and script, without a server."""
    export(Site(folder, live=False), "", tmp_path / "site")
    page.goto((tmp_path / "site/index.html").as_uri())
    assert page.evaluate("getComputedStyle(document.body).margin") == "0px"
    page.click("nav a:text('Runs')")
    page.click("td a:text('r3@')")
    assert page.inner_text("h1").startswith("r3@")
    page.goto((tmp_path / "site/explore.html").as_uri())
    page.wait_for_selector("canvas")
