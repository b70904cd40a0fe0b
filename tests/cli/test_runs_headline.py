"""The first lines of `furrow runs show`: how good a run is by what its gate looks at, and what the gate said."""

from dataclasses import fields

from furrow.cli.runs_show import _headline
from furrow.history.show import Details
from furrow.history.standings import Standing


def details(name: str) -> Details:
    empty = {one.name: () for one in fields(Details)}
    span = {"low": 0.4, "high": 0.6}
    metrics = {"accuracy": 0.9, "brier": 0.2, "own_cost": 7.0, "roc_auc": 0.8, "rows": 12}
    intervals = {one: span for one in metrics if one != "rows"}
    given = {"run": f"{name}@0123456789", "metrics": metrics, "intervals": intervals}
    return Details(**{**empty, "config": {}, "features": {}, "record": {}, **given})


def test_the_gates_metric_comes_first() -> None:
    """A metric of the project's own, too, with the verdict; then those that the registry names first."""
    said = Standing("late", "own_cost", {}, {"gbm": "champion", "small": "failed"}, {})
    *_, line = _headline(details("gbm"), said).splitlines()
    assert line.startswith("champion: own_cost 7 (0.4000 to 0.6000), roc_auc 0.8000")
    assert "failed: own_cost" in _headline(details("small"), said)


def test_where_no_gate_spoke_the_registrys_order_holds() -> None:
    *_, line = _headline(details("gbm"), None).splitlines()
    assert line.startswith("roc_auc 0.8000")
    assert "own_cost" not in line
