"""The site of docs/: built without a warning, every command and key in it, a search that works from a disk."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from furrow.cli.group import COMMANDS
from tools import docs_site

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]


def test_every_page_is_in_the_contents() -> None:
    """A page that is added to docs/ has a place."""
    listed = {name for names in docs_site.PAGES.values() for name in names}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} == {
        one for one in listed if "/" not in one
    }


def test_the_reference_is_the_codes() -> None:
    """Each command with its options, each declared key, each format: as the code has them."""
    commands = docs_site.commands()
    assert all(f"### furrow {name}\n" in commands for name in COMMANDS)
    assert "### furrow runs diff\n" in commands
    assert "| `--yes` |" in commands
    keys = docs_site.declarations()
    assert "| `split.by` |" in keys
    assert "rollback: false" in keys
    assert "| `furrow.models.bundle` | 2 |" in docs_site.formats()
    assert "| POST | `/predict` | predict |" in docs_site.paths()


def test_it_is_built_and_searched_from_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sphinx has no warning; in a browser without network a word leads to its page."""
    monkeypatch.setattr(sys, "argv", ["docs_site.py", str(tmp_path / "site")])
    assert docs_site.main() == 0
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.goto(f"file://{tmp_path}/site/search.html?q=canary")
        page.wait_for_selector("#search-results ul li a")
        found = page.locator("#search-results a").all_inner_texts()
        browser.close()
    assert "The statistics, and their sources" in found
