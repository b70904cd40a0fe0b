"""Every page is HTML, JSON and CSV of one content; text of the repository stays text."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from furrow.web.page_forms import MENU
from furrow.web.pages import PAGES

from .conftest import HOSTILE, RUNS

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

STATES = {
    "home": "home?plan=1",
    "runs": "runs?columns=run,roc_auc,model.*",
    "run": "run?run=gbm",
    "compare": "compare?run=gbm@HEAD~1&run=gbm&run=odd",
    "explore": "explore?all=1",
    "features": "features?q=x",
    "models": "models",
    "prediction": "prediction?id=0190f5fe-7c00-7a00-8000-000000000000",
}
"""A state of each page that shows something."""


class Elements(HTMLParser):
    """The tags of a page, and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@pytest.mark.parametrize(
    "name", sorted(PAGES.keys() - {"plan"})
)  # test_plan_page has one with stages
def test_a_page_is_html_json_and_csv(ask: Callable[..., httpx.Response], name: str) -> None:
    """The same values in each form; no script but the own one, no style in an element, no NaN in JSON."""
    path, _, state = STATES.get(name, name).partition("?")
    page = ask(f"/{path}?{state}")
    assert page.status_code == 200, page.text[-2000:]
    found = Elements(page.text)
    assert found.tags.count("script") == 1
    assert found.tags.count("h1") == 1
    assert not [one for one, _ in found.attributes if one == "style" or one.startswith("on")]
    assert not {"iframe", "object", "base", "img"} & set(found.tags)
    said = json.loads(ask(f"/{path}.json?{state}").text, parse_constant=pytest.fail)
    assert said["format"] == 1
    for table, rows in list(said["tables"].items())[:4]:
        written = ask(f"/{path}.csv?{state}&table={table}")
        assert written.status_code == 200
        lines = list(csv.reader(io.StringIO(written.text)))
        assert lines[0] == rows["columns"]
        assert len(lines) == 1 + len(rows["rows"])
        assert not [cell for line in lines[1:] for cell in line if cell.startswith(("=", "@"))]


def test_the_menu_names_pages() -> None:
    assert MENU.keys() <= PAGES.keys()


def test_home_says_what_there_is(ask: Callable[..., httpx.Response]) -> None:
    """The champion with its interval, and the last commits; a subject that is markup stays words."""
    page = ask("/")
    assert HOSTILE not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    said = ask("/home.json").json()
    (row,) = said["tables"]["problems"]["rows"]
    assert row[:6] == ["late", "gbm", "log_loss", 0.41, 0.4, 0.6]
    assert row[7] == "2 of 3"
    assert len(said["tables"]["changes"]["rows"]) == 2


def test_runs_are_ranked_sorted_filtered_paged_and_grouped(
    ask: Callable[..., httpx.Response],
) -> None:
    """What the command line's language says, in an address."""

    def names(state: str) -> list[str]:
        rows = ask(f"/runs.json?{state}").json()["tables"]["runs"]["rows"]
        return [str(row[0]).partition("@")[0] for row in rows]

    ranked = ask("/runs.json").json()["tables"]["runs"]
    assert [row[1:3] for row in ranked["rows"]] == [
        ["late", "champion"],
        ["late", "passed"],
        ["late", "failed"],
    ]
    assert names("columns=name&sort=-name") == ["odd", "line", "gbm"]
    assert names("columns=name&where=roc_auc>0.75") == ["gbm"]
    assert names("columns=name&where=roc_auc>0.5&sort=name&limit=1&page=2") == ["line"]
    assert names("columns=name&sort=name&limit=2&page=2") == ["odd"]
    every = ask("/runs.json?all=1&limit=4").json()
    assert every["total"] == 6
    assert len(every["tables"]["runs"]["rows"]) == 4
    groups = ask("/runs.json?all=1&group=model.rate&metric=brier").json()["tables"]["groups"]
    one, two = sorted(groups["rows"])
    assert one == pytest.approx([0.1, 3, 0.1, 0.1, 0.1])
    assert two == pytest.approx([0.2, 3, 0.2, 0.2, 0.2])
    pinned = ask(f"/runs.json?columns=name&where=name='gbm'&pin={ranked['rows'][1][0]}").json()
    assert pinned["tables"]["pinned"]["rows"] == [["line"]]
    assert (
        "furrow runs --all --where=" in ask("/runs.json?all=1&where=roc_auc>0.5").json()["command"]
    )
    differ = set(ask("/runs.json?rev=HEAD~1&differs=1").json()["tables"]["runs"]["columns"])
    assert {"run", "roc_auc", "log_loss"} <= differ
    assert not {"brier", "model.rate", "commit"} & differ, "equal in all three"


def test_a_metric_that_is_no_number_is_told(ask: Callable[..., httpx.Response]) -> None:
    said = ask("/run.json?run=odd").json()["tables"]["metrics"]["rows"]
    assert ["roc_auc", "NaN", None, None] in said
    assert ["log_loss", "Infinity", 0.4, 0.6] in said
    assert ">NaN<" in ask("/run?run=odd").text


def test_a_run_is_shown_whole(ask: Callable[..., httpx.Response]) -> None:
    """Curves, also as tables; slices; config; the card as text; the command that makes it again."""
    page = ask("/run?run=gbm")
    said = ask("/run.json?run=gbm").json()
    assert HOSTILE not in page.text
    assert said["tables"]["roc"]["rows"] == [
        [said["title"], 0, 0],
        [said["title"], 0.2, 0.6],
        [said["title"], 1, 1],
    ]
    assert page.text.count("<svg") >= 2
    assert "nan" not in "".join(re.findall(r"<svg.*?</svg>", page.text, re.DOTALL)).lower()
    assert said["tables"]["slices"]["rows"][0][1] == HOSTILE
    assert ["model.rate", 0.2] in [row[:2] for row in said["tables"]["config"]["rows"]]
    assert said["texts"]["Model card"].endswith(f"{HOSTILE}\n")
    assert "furrow replay" in said["texts"]["command"]
    assert said["tables"]["history"]["rows"]
    assert said["tables"]["own"]["columns"] == ["step", "loss"]


def test_two_runs_are_compared_and_more(ask: Callable[..., httpx.Response]) -> None:
    """Of the configs what differs alone; the best of each metric; why there is no test."""
    two = ask("/compare.json?run=gbm@HEAD~1&run=gbm").json()
    assert [row[:3] for row in two["tables"]["config"]["rows"]] == [["model.rate", 0.1, 0.2]]
    assert "No test: both have the same predictions" in json.dumps(two["notes"])
    three = ask("/compare?run=gbm&run=line&run=odd")
    assert '<span class="best">0.4100</span>' in three.text
    slices = ask("/compare.json?run=gbm&run=line").json()["tables"]["slices"]
    assert slices["rows"] == [["origin", HOSTILE, 0.4, 0.4]]
    assert ask("/compare?run=gbm").status_code == 400
    assert ask("/compare?" + "&".join(f"run=r{n}" for n in range(51))).status_code == 400


def test_the_business_reads_plain_words(ask: Callable[..., httpx.Response]) -> None:
    said = ask("/business.json").json()
    facts = said["facts"]["problem-late"]
    assert facts["what it tells"] == "late of each customer"
    assert facts["how good: log_loss"] == RUNS["gbm"]["log_loss"]
    assert facts["what it is held against"] == RUNS["line"]["log_loss"]
    assert facts["gained over that"] == "+21%"
    assert facts["answers for it"] == "Ada & Co"
    assert "Ada &amp; Co" in ask("/business").text


def test_data_says_what_the_contract_asks(ask: Callable[..., httpx.Response]) -> None:
    said = ask("/data.json").json()["tables"]
    assert said["tables"]["rows"] == [["orders", "orders.parquet", 2, "id", 1]]
    assert said["columns"]["rows"][0] == ["orders", "id", "int64", False, "0", None, None]
    assert "no table 'x'" not in ask("/data?sample=x").text, (
        "there are no data here, so no rows are asked for"
    )


def test_what_is_declared_to_be_served(ask: Callable[..., httpx.Response]) -> None:
    rows = ask("/models.json").json()["tables"]["environments"]["rows"]
    assert rows[0][:2] == ["production", "gbm@v1.0.0"]
    declared = ask("/monitoring.json").json()["tables"]["declared"]["rows"]
    assert declared == [["conf/monitor/production.yaml"]]
