"""The champion of a commit beside the target branch's.

The gate, the metrics, and the paired replicates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ci.gather import Pair, champion_before, champions_of, declared_directions, paired
from furrow.ci.outcome import Check
from furrow.ground.git import show
from furrow.history.metrics_file import as_float, numbers
from furrow.layout import CHAMPION
from furrow.training.metric_registry import NEITHER, better, direction

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.ci.gather import Elsewhere
    from furrow.training.champions import Champion

__all__ = ["gate_check"]

_WORST = ("failed", "warning", "passed", "skipped")


def gate_check(
    repo: Path, tip: str, commit: str, *, worse: str, elsewhere: Elsewhere | None = None
) -> Check:
    """Whether the commit has a champion, and whether it is surely worse than the target branch's.

    Args:
        repo: The checkout.
        tip: The newest commit of the target branch; empty for none.
        commit: The commit.
        worse: "fail" or "warn": what becomes of one that is.
        elsewhere: What was found of runs that were judged on other days.
    """
    content = show(repo, commit, CHAMPION)
    champions = champions_of(content)
    if not champions:
        words = f"there is no {CHAMPION}" if content is None else f"{CHAMPION} holds no verdict"
        return Check("gate", "skipped", f"{words}: nothing was judged")
    there = champions_of(show(repo, tip, CHAMPION)) if tip else {}
    checks = [
        _problem_check(
            repo,
            (tip, commit),
            (champion_before(there, one), one),
            worse=worse,
            elsewhere=elsewhere,
        )
        for one in champions.values()
    ]
    if len(checks) == 1:
        return checks[0]
    status = min((check.status for check in checks), key=_WORST.index)
    words = "; ".join(
        f"{name}: {check.text}" for name, check in zip(champions, checks, strict=True)
    )
    return Check("gate", status, words, tuple(line for check in checks for line in check.details))


def _problem_check(
    repo: Path,
    commits: tuple[str, str],
    champions: tuple[Champion | None, Champion],
    *,
    worse: str,
    elsewhere: Elsewhere | None,
) -> Check:
    """The champion of one problem beside the target branch's."""
    (tip, commit), (there, here) = commits, champions
    name = here.experiment
    if name is None:
        return Check("gate", "failed", "no run passes the gate", tuple(_failures(here)))
    before = there.experiment if there is not None else None
    if there is None or before is None:
        return Check("gate", "passed", f"{name} is the champion; the target branch has none")
    metric = here.metric or "log_loss"
    values = [_value(one, metric) for one in (there, here)]
    numbers = " -> ".join("none" if value is None else f"{value:.4f}" for value in values)
    words = f"{name} is the champion, {metric} {numbers}"
    words += f", before it was {before}" if before != name else ""
    if here.model_sha256 and here.model_sha256 == there.model_sha256:
        return Check("gate", "passed", f"{words}: the same model")
    own = declared_directions(here)
    differences, how = paired(repo, Pair(tip, str(before), commit, str(name)), elsewhere or {}, own)
    if direction(metric, own) == NEITHER and values[0] != values[1]:
        hint = (
            f"say in the gate what is better: select: {{metric: {metric}, direction: minimize}}, or"
            " maximize"
        )
        return Check(
            "gate", "warning", f"{words}; nothing says whether more of it is better", (hint,)
        )
    if metric not in differences:
        seems = _seems_worse(there, here, metric)
        return Check(
            "gate",
            "warning" if seems else "passed",
            f"{words}{', which is worse' * seems}; {how or 'the metric is not compared'}",
        )
    low, high, verdict = differences[metric]
    said = {"luck": "may be luck"}.get(verdict, verdict)
    words += f": {said} ({low:+.4f} to {high:+.4f}, {how})"
    if verdict == "worse":
        return Check("gate", "failed" if worse == "fail" else "warning", words)
    return Check("gate", "passed", words)


def _seems_worse(there: Champion, here: Champion, metric: str) -> bool:
    """Whether a metric's number is worse, which nothing says is more than luck."""
    before, after = _value(there, metric), _value(here, metric)
    own = declared_directions(here)
    return before is not None and after is not None and better(metric, before, after, own)


def _value(record: Champion, metric: str) -> float | None:
    metrics = record.metrics
    value = numbers(dict(metrics)).get(metric) if isinstance(metrics, dict) else None
    return None if value is None else as_float(value)


def _failures(record: Champion) -> list[str]:
    found = []
    for name, verdict in record.verdicts.items():
        failures = verdict.get("failures") or []
        if failures:
            first = failures[0]
            rest = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
            found.append(
                f"{name}: {first.get('rule')} is {first.get('value')}, needs"
                f" {first.get('limit')}{rest}"
            )
    return found
