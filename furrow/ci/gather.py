"""Runs of two commits side by side.

Metrics with intervals, whether a difference is real, slices, curves, changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from furrow import layout
from furrow.ci.outcome import Measure, RunReport, SliceRow
from furrow.errors import FurrowError
from furrow.ground.git import files_at
from furrow.history.artifacts import cached, outputs
from furrow.history.named_run import run
from furrow.history.run_diff import changed_files, flat
from furrow.history.show import curves
from furrow.parse import parse_json
from furrow.training.champions import Champion, read_champions, verdict_of
from furrow.training.metric_registry import MAXIMIZE, NEITHER, direction
from furrow.training.metrics import interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from furrow.history.load import Run

__all__ = [
    "Elsewhere",
    "Pair",
    "blocks_of",
    "champion_before",
    "champions_of",
    "changed_experiments",
    "code_changes",
    "declared_directions",
    "evaluation",
    "experiments_at",
    "paired",
    "side_by_side",
]

_CURVES = {
    "roc": ("false_positive_rate", "true_positive_rate"),
    "pr": ("recall", "precision"),
    "calibration": ("predicted", "observed"),
}
_POINTS = 60
_LINES = 200


def experiments_at(repo: Path, commit: str) -> list[str]:
    """Experiments that have a folder in runs/ at a commit."""
    paths = files_at(repo, commit, "runs")
    return sorted(
        {
            path.split("/")[1]
            for path in paths
            if path.count("/") > 1 and path.endswith("/metrics.json")
        }
    )


def champions_of(content: bytes | None) -> dict[str, Champion]:
    """The champion of each problem; empty when there is no runs/champion.json that can be read."""
    try:
        found = read_champions(content)
    except FurrowError:
        return {}
    return {name: replace(one, verdicts=_mappings(one.verdicts)) for name, one in found.items()}


def _mappings(verdicts: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): one for name, one in verdicts.items() if isinstance(one, dict)}


def champion_before(there: Mapping[str, Champion], here: Champion) -> Champion | None:
    """What was champion of the same problem.

    By its name, or by its runs where a commit is older than problems.
    """
    if here.problem in there:
        return there[here.problem]
    if "" in there and (there[""].experiment in here.verdicts or not here.problem):
        return there[""]
    if not here.problem:
        return next((one for one in there.values() if here.experiment in one.verdicts), None)
    return None


def declared_directions(champion: Champion) -> dict[str, str]:
    """The directions of metrics that a champion's gate declares.

    Of the project's own, and of the one it selects by.
    """
    select = champion.gate.get("select")
    found = {str(name): str(way) for name, way in champion.directions.items()}
    if isinstance(select, dict) and select.get("direction"):
        found.setdefault(str(select.get("metric")), str(select["direction"]))
    return found


def _load(repo: Path, commit: str, name: str) -> Run | None:
    try:
        return run(name, commit, repo=repo)
    except FurrowError:
        return None


def _try(value: Run | None, attribute: str, nothing: Any) -> Any:
    """A part of a run; nothing when the run or the part is missing or malformed."""
    try:
        return getattr(value, attribute) if value is not None else nothing
    except FurrowError:
        return nothing


def changed_experiments(repo: Path, base: str, commit: str) -> list[str]:
    """Experiments whose run is other than at the base, or new."""
    after = experiments_at(repo, commit)
    before = set(experiments_at(repo, base)) if base else set()
    return [
        name
        for name in after
        if name not in before or _state(repo, base, commit, name) == "changed"
    ]


def _state(repo: Path, base: str, commit: str, name: str) -> str:
    one, two = _load(repo, base, name), _load(repo, commit, name)
    return (
        "unchanged" if one is not None and two is not None and one.files == two.files else "changed"
    )


def side_by_side(
    repo: Path,
    base: str,
    commit: str,
    champions: Mapping[str, Champion],
    elsewhere: Elsewhere | None = None,
) -> Iterator[RunReport]:
    """Every experiment of two commits.

    Args:
        repo: The repository.
        base: The commit to measure against; empty for none.
        commit: The commit.
        champions: What runs/champion.json says at the commit.
        elsewhere: What was found of runs that were judged on other days.
    """
    before = experiments_at(repo, base) if base else []
    after = experiments_at(repo, commit)
    for name in sorted({*before, *after}):
        old = _load(repo, base, name) if name in before else None
        new = _load(repo, commit, name) if name in after else None
        state = (
            "gone"
            if new is None
            else "new"
            if old is None
            else "unchanged"
            if old.files == new.files
            else "changed"
        )
        pair = Pair(base, name, commit, name)
        verdict = verdict_of(champions, name)
        of = next(
            (one for one in champions.values() if name in one.verdicts),
            next(iter(champions.values()), Champion()),
        )
        own = declared_directions(of)
        differences, method = (
            paired(repo, pair, elsewhere or {}, own) if state == "changed" else ({}, "")
        )
        first = of.metric or "log_loss"
        champion = any(one.experiment == name for one in champions.values())
        yield RunReport(
            experiment=name,
            status=state,
            champion=champion,
            passed=(
                bool(verdict.get("passed"))
                if isinstance(verdict, dict) and new is not None
                else None
            ),
            measures=tuple(_measures(old, new, state, differences, first)),
            method=method,
            config=tuple(_config(old, new)) if state == "changed" else (),
            features_added=tuple(
                one for one in _features(new) if old is not None and one not in _features(old)
            ),
            features_dropped=tuple(
                one for one in _features(old) if new is not None and one not in _features(new)
            ),
            slices=tuple(_slices(old, new, first)) if new is not None else (),
            curves=_curves(old, new) if state in {"new", "changed"} or champion else {},
        )


def _features(value: Run | None) -> list[str]:
    found: list[str] = _try(value, "features", [])
    return found


def _config(old: Run | None, new: Run | None) -> Iterator[tuple[str, str, str]]:
    before, after = flat(_try(old, "config", {})), flat(_try(new, "config", {}))
    for key in [*before, *(key for key in after if key not in before)]:
        if before.get(key) != after.get(key):
            yield key, _short(before.get(key)), _short(after.get(key))


def _short(value: Any) -> str:
    text = "–" if value is None else str(value)
    return f"{text[:10]}…" if len(text) == 64 else text[:120]


def _span(intervals: Any, metric: str) -> tuple[float, float] | None:
    found = intervals.get(metric) if isinstance(intervals, dict) else None
    try:
        return (float(found["low"]), float(found["high"])) if found else None
    except (KeyError, TypeError, ValueError):
        return None


def _measures(
    old: Run | None,
    new: Run | None,
    state: str,
    differences: Mapping[str, tuple[float, float, str]],
    first: str,
) -> Iterator[Measure]:
    before, after = _try(old, "numbers", {}), _try(new, "numbers", {})
    spans = _try(old, "intervals", {}), _try(new, "intervals", {})
    names = [
        name for name in dict.fromkeys([first, *after, *before]) if name in after or name in before
    ]
    for name in names:
        if name in {"rows", "prevalence"} and name != first:
            continue
        low, high, verdict = differences.get(name, (None, None, ""))
        same = state == "unchanged" or (
            before.get(name) is not None and before.get(name) == after.get(name)
        )
        yield Measure(
            metric=name,
            before=before.get(name),
            before_span=_span(spans[0], name),
            after=after.get(name),
            after_span=_span(spans[1], name),
            span=(low, high) if low is not None and high is not None else None,
            verdict=verdict or ("new" if state == "new" else "same" if same else "untested"),
        )


@dataclass(frozen=True)
class Pair:
    """Two runs to compare: commit and name of the earlier, and of the later one."""

    commit: str
    name: str
    other_commit: str
    other: str


Differences = dict[str, tuple[float, float, str]]
Elsewhere = Mapping[Pair, tuple[Differences, str]]


def paired(
    repo: Path, pair: Pair, elsewhere: Elsewhere, own: Mapping[str, str] | None = None
) -> tuple[Differences, str]:
    """The paired interval of each metric's difference, from the replicates that both evaluations keep.

    The replicates of both are of the same draws of days, so their differences are of pairs.

    Args:
        repo: The repository.
        pair: The two runs.
        elsewhere: What was found of runs that were judged on other days.
        own: Directions that the project declares.

    Returns:
        Low, high and verdict by metric; and how it was done, or why it was not.
    """
    one = evaluation(repo, pair.commit, pair.name)
    two = evaluation(repo, pair.other_commit, pair.other)
    if one is None or two is None:
        return {}, "not tested: an evaluation is not on this machine"
    if blocks_of(one) != blocks_of(two):
        return elsewhere.get(pair, ({}, "not tested: the two were judged on other days"))
    found = {}
    for metric, values in one.get("replicates", {}).items():
        way = direction(metric, {**(two.get("directions") or {}), **(own or {})})
        others = two.get("replicates", {}).get(metric)
        if way == NEITHER or not others or len(others) != len(values):
            continue
        spread = np.array(others, dtype=float) - np.array(values, dtype=float)
        low, high = (float(end) for end in interval(spread, 0.95))
        if not np.isfinite([low, high]).all():
            continue
        verdict = "same" if low == high == 0 else "luck" if low <= 0 <= high else (
            "better" if (low > 0) == (way == MAXIMIZE) else "worse"
        )  # fmt: skip
        found[metric] = (low, high, verdict)
    days = len(blocks_of(one))
    return found, f"paired bootstrap of {days} day{'s' * (days != 1)}"


def blocks_of(evaluated: Mapping[str, Any]) -> list[Any]:
    """What an evaluation drew from; evaluations of older commits call them days."""
    found = evaluated.get("blocks", evaluated.get("days"))
    return found if isinstance(found, list) else []


def evaluation(repo: Path, commit: str, name: str) -> dict[str, Any] | None:
    """What build/evaluations/NAME.json of a commit says; None when it is not on this machine."""
    output = outputs(repo, commit).get(layout.evaluation(name))
    path = cached(repo, output.md5) if output else None
    try:
        value = parse_json(path.read_bytes(), path) if path else None
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _slices(old: Run | None, new: Run | None, first: str) -> Iterator[SliceRow]:
    def named(value: Run | None) -> dict[tuple[str, str], dict[str, Any]]:
        return {
            (str(row.get("slice")), str(row.get("value"))): row for row in _try(value, "slices", [])
        }

    before = named(old)
    for key, row in named(new).items():
        after, low, high = (
            _number(row.get(name)) for name in (first, f"{first}_low", f"{first}_high")
        )
        yield SliceRow(
            name=key[0],
            value=key[1],
            rows=int(_number(row.get("rows")) or 0),
            metric=first,
            before=_number(before.get(key, {}).get(first)),
            after=after,
            after_span=(low, high) if low is not None and high is not None else None,
        )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _curves(
    old: Run | None, new: Run | None
) -> dict[str, dict[str, tuple[tuple[float, float], ...]]]:
    found: dict[str, dict[str, tuple[tuple[float, float], ...]]] = {}
    for side, value in (("before", old), ("after", new)):
        if value is None:
            continue
        for name, rows in curves(value).items():
            if name in _CURVES:
                points = tuple(_points(rows, *_CURVES[name]))
                if points:
                    found.setdefault(name, {})[side] = points
    return found


def _points(
    rows: Sequence[Mapping[str, str]], across: str, up: str
) -> Iterator[tuple[float, float]]:
    step = max(1, len(rows) // _POINTS)
    for place, row in enumerate(rows):
        if place % step and place != len(rows) - 1:
            continue
        try:
            yield float(row[across]), float(row[up])
        except (KeyError, TypeError, ValueError):
            continue


def code_changes(repo: Path, base: str, commit: str) -> tuple[str, ...]:
    """Files of code and declarations that differ, with lines added and deleted."""
    found = []
    for path, added, deleted in changed_files(repo, base, commit):
        counts = "binary" if added is None else f"+{added} -{deleted}"
        found.append(f"{path} {counts}")
    return tuple(found[:_LINES]) + (
        (f"and {len(found) - _LINES} more files",) if len(found) > _LINES else ()
    )
