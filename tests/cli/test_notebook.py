"""What a notebook shows: executed by a real kernel; runs, differences and plans as tables whose words stay words."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from furrow.cli import notebook
from furrow.drawing.notebook_tables import MOST_ROWS, notebook_table
from furrow.errors import UsageError
from furrow.plan.plan_spec import Break, Plan, StagePlan

if TYPE_CHECKING:
    from pathlib import Path

CELLS = (
    "%load_ext furrow",
    "%furrow runs --columns name,roc_auc",
    "import furrow\nfurrow.run('gbm')",
    "from furrow.history.run_diff import diff_runs",
    "diff_runs(furrow.run('gbm@HEAD~1'), furrow.run('gbm'))",
    "furrow.runs()",
)


def test_a_notebook_is_executed(tmp_path: Path) -> None:
    """The magic prints what the command prints; a run and a difference are HTML in which markup is words."""
    for rate in (0.1, 0.2):
        folder = tmp_path / "runs/gbm"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps({"roc_auc": rate + 0.5, "<b>": 1.0}))
        (folder / "config.yaml").write_text(f"name: gbm\nmodel: {{rate: {rate}, '<i>': {rate}}}\n")
        ada = ["git", "-C", str(tmp_path), "-c", "user.name=Ada", "-c", "user.email=a@b.c"]
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "run"]):
            subprocess.run([*ada, *words], check=True)
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    client = NotebookClient(made, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    done = client.execute()
    said = [json.dumps(cell.get("outputs")) for cell in done.cells]
    assert "gbm" in said[1]
    assert "0.7" in said[1]
    shown = [cell["outputs"][-1]["data"]["text/html"] for cell in done.cells[2:] if cell["outputs"]]
    assert "<caption>gbm@" in shown[0]
    assert "model.rate" in shown[1]
    assert not [text for text in shown[:2] if "<b>" in text or "<i>" in text]


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
