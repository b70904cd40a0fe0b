"""Which of two champions is better: by the direction of the gate's metric, whatever it is called."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from furrow.ci.judged import gate_check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def judge(repo: Path, git: Callable[..., str]) -> Callable[..., Any]:
    """Commits one champion after another, and compares the second with the first."""

    def champion(metrics: Any, select: Any, sha256: str) -> str:
        value = {
            "experiment": "linear",
            "metrics": metrics,
            "gate": {"select": select},
            "model_sha256": sha256,
            "verdicts": {"linear": {"passed": True, "failures": []}},
        }
        (repo / "runs").mkdir(exist_ok=True)
        (repo / "runs/champion.json").write_text(json.dumps(value))
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", "a champion")
        return git(repo, "rev-parse", "HEAD")

    def judged(before: Any, after: Any, select: Any) -> Any:
        tip, commit = champion(before, select, "a" * 64), champion(after, select, "b" * 64)
        return gate_check(repo, tip, commit, worse="fail")

    return judged


@pytest.mark.parametrize(
    ("metric", "declared", "before", "after", "status"),
    [
        ("mae", "minimize", 7.5, 80.0, "warning"),
        ("mae", "minimize", 80.0, 7.5, "passed"),
        ("mae", None, 7.5, 80.0, "warning"),
        ("rmse", None, 80.0, 7.5, "passed"),
        ("r2", None, 0.9, 0.1, "warning"),
        ("roc_auc", None, 0.7, 0.9, "passed"),
        ("cost in €", "minimize", 1, 2, "warning"),
        ("cost in €", "minimize", 2, 1, "passed"),
        ("val.profit", "maximize", 2, 1, "warning"),
        ("val.profit", "maximize", 1, 2, "passed"),
        ("val.profit", "maximize", 10**400, 1, "warning"),
        ("val.profit", None, 1, 1, "passed"),
    ],
)
def test_a_worse_champion_is_told(
    judge: Any, metric: str, declared: Any, before: float, after: float, status: str
) -> None:
    """Without a paired test, a number that is worse is a warning, and one that is better is none."""
    select = {"metric": metric} | ({"direction": declared} if declared else {})
    nested = [
        {"val": {"profit": value}} if metric == "val.profit" else {metric: value}
        for value in (before, after)
    ]
    assert judge(*nested, select).status == status


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_a_direction_that_nobody_said_is_not_guessed(
    judge: Any, before: float, after: float
) -> None:
    """A number that moved either way is a warning that says what to declare."""
    check = judge({"profit": before}, {"profit": after}, {"metric": "profit"})
    assert check.status == "warning"
    assert "nothing says whether more of it is better" in check.text
    assert "direction: minimize" in check.details[0]
