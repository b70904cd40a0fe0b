"""Where a metric's function comes from: Furrow by its name, a project by its own file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from furrow.training import ranking_metrics
from furrow.training.metric_functions import metric_function
from furrow.training.metric_registry import METRICS, Metric, MetricError

if TYPE_CHECKING:
    from pathlib import Path


def own(root: Path, function: str = "pipelines.costs:cost") -> Metric:
    """A metric of a project."""
    return Metric("cost", "minimize", ("binary",), function, "cost", str(root))


def project(root: Path, text: str) -> Path:
    """A project whose pipelines/costs.py says something."""
    (root / "pipelines").mkdir(parents=True)
    (root / "pipelines/costs.py").write_text(text)
    return root


def test_furrows_own_and_two_projects(tmp_path: Path) -> None:
    """Two projects call their modules the same, and each gets its own; neither stays importable."""
    one = project(tmp_path / "one", "def cost(rows):\n    return 1\n")
    two = project(tmp_path / "two", "def cost(rows):\n    return 2\n")
    assert [metric_function(own(root))(None) for root in (one, two, one)] == [1, 2, 1]
    assert metric_function(METRICS["roc_auc"]) is ranking_metrics.roc_auc


@pytest.mark.parametrize(
    ("text", "function", "said"),
    [
        ("def cost(rows): ...\n", "pipelines.costs:price", "AttributeError"),
        ("def cost(rows): ...\n", "pipelines.prices:cost", "ModuleNotFoundError"),
        ("raise RuntimeError('no licence')\n", "pipelines.costs:cost", "no licence"),
        ("def cost(\n", "pipelines.costs:cost", "SyntaxError"),
    ],
)
def test_a_function_that_is_not_to_be_had(
    tmp_path: Path, text: str, function: str, said: str
) -> None:
    """The metric, its function and what is wrong are named."""
    root = project(tmp_path, text)
    with pytest.raises(
        MetricError, match=f"(?s)metric cost: there is no function {function}.*{said}"
    ):
        metric_function(own(root, function))
