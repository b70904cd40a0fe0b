"""Back to the version before, when labels say that the new one is surely worse.

Both versions are judged on labels that came late, each by an interval that holds at all times. The
new one must be surely worse than it was evaluated, and surely worse than the one before: days that
are hard for every version send nothing back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.layout import RUN_CONFIG, run_file
from furrow.monitoring.decisive_metric import decisive_metric
from furrow.serving.deployment_state import read_followed, read_holds, roll_back, wanted
from furrow.training import config
from furrow.training.metric_registry import sign
from furrow.training.own_metrics import own_metrics
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.monitoring.label_verdict import LabelVerdict
    from furrow.monitoring.labelled_performance import Tracked
    from furrow.monitoring.monitor_site import Site

__all__ = ["go_back", "surely_worse"]


def surely_worse(new: LabelVerdict, before: LabelVerdict, metric: str, way: int) -> str:
    """Why the new version is surely worse by a metric, in words; empty where it is not.

    Args:
        new: Of the version that is served.
        before: Of the one before it.
        metric: Which.
        way: 1 where more of it is better, -1 where less is.
    """
    one, other = _whole(new, metric), _whole(before, metric)
    if one is None or other is None or one.verdict != "surely worse":
        return ""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return ""
    apart = one.high < other.low if way > 0 else one.low > other.high
    if not apart:
        return ""
    return (
        f"{metric} is {one.value:.4f} [{one.low:.4f}, {one.high:.4f}] on {one.rows:,} labels, and"
        f" that of the version before {other.value:.4f} [{other.low:.4f}, {other.high:.4f}] on"
        f" {other.rows:,}"
    )


def go_back(site: Site, labels: Mapping[str, LabelVerdict]) -> str:
    """Have this machine's server answer with the version before, if labels say so and it is declared.

    Args:
        site: Whose log, and what is declared of it.
        labels: What labels say, by version.

    Returns:
        What was done, or what a person should do, in words; empty for nothing.
    """
    state = site.log.parent
    followed = read_followed(state, site.environment)
    if followed.main is None or followed.previous is None:
        return ""
    main, previous = followed.main.version, followed.previous.version
    served = wanted(followed, read_holds(state)).main
    if served != followed.main or main not in labels or previous not in labels:
        return ""
    path = site.root / run_file(main.partition("@")[0], RUN_CONFIG)
    if not path.is_file():
        return ""
    problem = config.load(path).problem
    metrics = load_task(problem.task).metrics(problem, own_metrics(site.root))
    ways = {name: one.direction for name, one in metrics.items()}
    metric = decisive_metric(site.root, problem)
    why = surely_worse(labels[main], labels[previous], metric, sign(metric, ways))
    if not why:
        return ""
    if not site.settings.rollback:
        return (
            f"{main} is surely worse than {previous}: {why}; next: furrow rollback"
            f" {site.environment}"
        )
    try:
        roll_back(state, why=f"late labels: {why}", now=site.now)
    except FurrowError as exc:
        return (
            f"{main} is surely worse than {previous}, and it could not be rolled back:"
            f" {exc.message}"
        )
    return f"rolled back from {main} to {previous}: {why}"


def _whole(verdict: LabelVerdict, metric: str) -> Tracked | None:
    """What is known of a metric over all rows."""
    return next((one for one in verdict.tracked if one.metric == metric and not one.slice), None)
