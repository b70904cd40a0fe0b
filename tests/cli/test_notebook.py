"""What a notebook shows: executed by a real kernel; runs, differences and plans as tables whose words stay words."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from playwright.sync_api import sync_playwright

from furrow.cli import notebook
from furrow.drawing.notebook_drawings import SCOPE, Drawn, notebook_drawing, notebook_style
from furrow.drawing.notebook_tables import MOST_ROWS, notebook_table
from furrow.errors import UsageError
from furrow.history.notebook_runs import draw, drawn_changes
from furrow.models.notebook_features import plain_value
from furrow.plan.plan_spec import Break, Plan, StagePlan
from tests.servingworld import build_features
from tests.web.conftest import commit, made, run_files

if TYPE_CHECKING:
    from pathlib import Path

CELLS = (
    "%load_ext furrow",
    "%furrow runs --columns name,roc_auc",
    "import furrow\nfurrow.run('gbm')",
    "from furrow.history.run_diff import diff_runs",
    "diff_runs(furrow.run('gbm@HEAD~1'), furrow.run('gbm'))",
    "furrow.runs()",
    "from furrow.history.notebook_runs import draw",
    "draw(furrow.runs(revs='all'), 'model.rate', 'roc_auc', by='name')",
    "from furrow.features.client import FeatureClient",
    "FeatureClient.open(FEATURES).get('full', [{'shop': 'north', 'amount': 12.5}, {'shop': 'nowhere', 'amount': 1.0}])",
    "from furrow.models.predict import Prediction\nfrom datetime import datetime",
    (
        "Prediction({'probability': 0.7}, 0.7, {'<b>': 1.0}, {'<b>': 'present'}, {'<b>': 0.2, 'rain': -0.1}, "
        "datetime(2026, 1, 2), 'online', label='late', doubts=('rain has expired',))"
    ),
    "from furrow.plan.plan_spec import Plan, StagePlan",
    "Plan((), (StagePlan('train@gbm', 'run', certain=True, why=('code',), seconds=3.0),))",
)
DRAWN = {2: "ROC", 4: "Change of each metric", 7: "roc_auc over model.rate", 9: "Share of rows", 11: "What moved it",
         13: "Seconds"}  # fmt: skip
"""Cells that draw, and of what."""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The cells as a real kernel executed them, beside a repository of two commits and a small online store."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "world").mkdir()
    build_features(folder / "world")
    home = folder / "repository"
    for rate in (0.1, 0.2):
        files = run_files("gbm", {"roc_auc": rate + 0.5, "<b>": 1.0 + rate}, rate)
        if not home.is_dir():
            made(home)
        commit(home, files)
    cells = [text.replace("FEATURES", repr(str(folder / "world/features"))) for text in CELLS]
    notebook_file = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in cells]
    )
    client = NotebookClient(notebook_file, timeout=120, resources={"metadata": {"path": str(home)}})
    found: list[Any] = client.execute().cells
    return found


def shown(cell: Any) -> str:
    return str(cell["outputs"][-1]["data"]["text/html"])


def test_a_notebook_is_executed(executed: list[Any]) -> None:
    """The magic prints what the command prints; what is shown is HTML in which markup is words, with a drawing each."""
    said = [json.dumps(cell.get("outputs")) for cell in executed]
    assert "gbm" in said[1]
    assert "0.7" in said[1]
    assert "<caption>gbm@" in shown(executed[2])
    assert "model.rate" in shown(executed[4])
    for at, title in DRAWN.items():
        text = shown(executed[at])
        assert title in text, at
        assert "<svg" in text, at
        assert "<b>" not in text, at
        assert "<script" not in text, at
    assert "missing" in said[9] or "–" in shown(executed[9])


def test_a_browser_draws_them_in_light_and_dark(executed: list[Any], tmp_path: Path) -> None:
    """Each drawing has a size and colours that stand out from the page, as the notebook is light or dark."""
    if shutil.which("chromium") is None:
        pytest.skip("no chromium here")
    parts = "".join(f"<section>{shown(executed[at])}</section>" for at in DRAWN)
    place = tmp_path / "notebook.html"
    seen: dict[str, list[str]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        for theme in ("true", "false"):
            body = f"<body data-jp-theme-light='{theme}'>{parts}</body>"
            place.write_text(f"<!doctype html><meta charset=utf-8>{body}", encoding="utf-8")
            page.goto(place.as_uri())
            sizes = page.evaluate(
                "[...document.querySelectorAll('svg')].map((one) => one.getBoundingClientRect().height)"
            )
            assert len(sizes) >= len(DRAWN)
            assert min(sizes) > 20
            seen[theme] = page.evaluate(
                "[...document.querySelectorAll('svg text')].slice(0, 40).map((one) => getComputedStyle(one).fill)"
            )
        browser.close()
    assert set(seen["true"]).isdisjoint(seen["false"]), "other colours at night"


def test_the_style_holds_inside_drawings_alone() -> None:
    """No rule reaches what else a notebook shows; every colour of the pages is there for both."""
    style = notebook_style()
    rules = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}", r"\1", style)
    for names, _ in re.findall(r"([^{}]+)\{([^{}]*)\}", rules):
        assert all(f".{SCOPE}" in one for one in names.split(",")), names
    assert style.count("--s7:") == 4
    assert "svg .s0" in style
    assert notebook_drawing([("none", "")]) == ""
    assert "<drawing: t>" in repr(Drawn("<svg></svg>", "t"))


def test_columns_that_are_not_there() -> None:
    """A drawing of what no run has is refused with the next step."""
    frame = pd.DataFrame({"x": [1.0, None], "y": [None, 2.0], "name": ["a", "b"]})
    with pytest.raises(UsageError, match="no column 'z'"):
        draw(frame, "z", "y")
    with pytest.raises(UsageError, match="no run has numbers"):
        draw(frame, "x", "y")
    assert "circle" in draw(frame.fillna(1.0), "x", "y", by="name").svg
    assert drawn_changes([("a", 0, 1), ("b", "x", 1), ("c", 1, 1)]) == ""


def test_a_plan_as_a_table() -> None:
    """What would run and why; what breaks is said below; nothing to do is said, too."""
    stage = StagePlan("train@<b>", "run", certain=True, why=("code", "data"), seconds=3.0)
    broken = Break("gbm@v1.0.0", ("production",), "full", ("a feature is gone",))
    shown = Plan((), (stage,), (broken,))._repr_html_()
    assert "train@&lt;b&gt;" in shown
    assert "code; data" in shown
    assert "gbm@v1.0.0 no longer fits" in shown
    assert "Nothing to do" in Plan((), ())._repr_html_()


def test_long_tables_are_cut_and_say_so() -> None:
    shown = notebook_table("t", (), [(float("nan"), None)] * (MOST_ROWS + 1))
    assert shown.count("<tr>") == MOST_ROWS
    assert "The first 200 of 201." in shown
    assert "<td>nan</td><td>–</td>" in shown


def test_a_command_that_fails_stops_the_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="exit code"):
        notebook.furrow("runs")
    assert "error:" in capsys.readouterr().err


def test_values_of_a_table() -> None:
    assert plain_value([1]) == "[1]"
    assert plain_value(None) is None
