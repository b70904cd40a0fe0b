"""A fifth task is one new file: beside furrow's others it is initialised, trained, judged, served and watched."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import furrow
from furrow.training.tasks import load_task, task_names
from furrow.training.tasks.task import CLASSES, NUMBER, PROBABILITY

HERE = Path(__file__).parent
PACKAGE = Path(furrow.__file__).parent
REPOSITORY = HERE.parents[1]
NAMES = frozenset(("binary", "multiclass", "regression", "forecast"))
OTHER_WORDS = {
    "cli/plan.py": "what a plan will cost",
    "stores/keys.py": "a column of bytes",
    "training/boosting_libraries.py": "an objective of LightGBM",
}
"""Where one of these words is no task."""


@pytest.mark.story
def test_one_new_file(tmp_path: Path) -> None:
    """It has furrow's own and its own metrics, words, checks; nothing else of furrow was touched."""
    site = tmp_path / "site"
    shutil.copytree(PACKAGE, site / "furrow", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "fifth/count.py", site / "furrow/training/tasks/count.py")
    (tmp_path / "project").mkdir()
    walk = [sys.executable, str(HERE / "fifth/walk.py"), str(tmp_path / "project"), str(tmp_path / "told.json")]  # fmt: skip
    paths = os.pathsep.join(map(str, (site, REPOSITORY)))
    subprocess.run(walk, check=True, env={**os.environ, "PYTHONPATH": paths}, timeout=300)
    told = json.loads((tmp_path / "told.json").read_text())
    assert set(told["tasks"]) == NAMES | {"count"}
    assert "task: count" in told["problem"]
    assert {"poisson_deviance", "rmse", "interval_coverage"} <= set(told["metrics"])
    assert told["metrics"]["poisson_deviance"] < 2
    champion = told["champion"]["problems"]["visits_later"]
    assert champion["experiment"] in {"linear", "boosting"}
    assert "(count)" in told["card"]
    assert {"poisson_deviance", "mae"} <= set(told["compared"])
    assert told["said"].endswith("times visits_later")
    assert told["low"] >= 0
    assert told["settled"] == [3.0]
    assert "not a label of a count problem" in told["refused"]
    assert 0 < told["wrong"] < 0.5
    assert {"poisson_deviance", "r2"} <= set(told["tracked"])
    assert "def cost(rows)" in told["own"]


def compared(path: Path) -> set[str]:
    """Names of tasks that a module compares with, or looks up by."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        asked: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            asked = [key for key in node.keys if key is not None]
        for one in asked:
            parts = one.elts if isinstance(one, ast.Tuple | ast.Set | ast.List) else [one]
            found |= {part.value for part in parts if isinstance(part, ast.Constant) and part.value in NAMES}  # fmt: skip
    return found


def test_nothing_else_knows_the_tasks() -> None:
    """What differs between tasks is a part of `Task`; no other module asks which one it is."""
    modules = [path for path in PACKAGE.rglob("*.py") if "tasks" not in path.parent.name]
    assert len(modules) > 500
    knows = {str(path.relative_to(PACKAGE)) for path in modules if compared(path)}
    assert knows == set(OTHER_WORDS)


def test_each_task_says_what_it_is() -> None:
    for name in task_names():
        task = load_task(name)
        assert task.name == name
        assert task.answers in {PROBABILITY, CLASSES, NUMBER}
        assert task.metric in task.known_metrics()
        assert task.fairness
        assert task.tag != "other"
