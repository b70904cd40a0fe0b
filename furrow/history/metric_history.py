"""A metric of one experiment over commits, through renames."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow import layout
from furrow.ground.git import files_at, git, resolve
from furrow.ground.gitobjects import read_objects, seconds
from furrow.ground.project_place import project_prefix
from furrow.history.indexing import LARGEST
from furrow.history.load import NoSuchRunError
from furrow.history.metrics_file import NAMES, MetricsFileError, as_float, is_number, read_metrics
from furrow.history.where import UnknownColumnError
from furrow.parse import parse_json
from furrow.training.metric_registry import METRICS

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.history.metrics_file import Value

__all__ = ["History", "Point", "history"]


@dataclass(frozen=True, slots=True)
class Point:
    """The value of a metric since a commit.

    Attributes:
        commit: Full id of the commit that brought it.
        time: Seconds since 1970.
        author: Of the commit.
        subject: Of the commit.
        name: What the experiment was called then.
        value: NaN or infinite if the record says so; None when the run was removed, not evaluated,
            or is damaged.
        low: Lower end of the recorded interval, if there is one.
        high: Upper end.
        problem: Why there is no value.
    """

    commit: str
    time: int
    author: str
    subject: str
    name: str
    value: float | None
    low: float | None
    high: float | None
    problem: str


@dataclass(frozen=True, slots=True)
class History:
    """A metric of an experiment over commits, oldest first.

    Attributes:
        experiment: Its name at the newest commit.
        metric: The metric.
        points: One for each commit that changed the run; equal values stay.
        names: What the experiment was called before, newest first.
    """

    experiment: str
    metric: str
    points: tuple[Point, ...]
    names: tuple[str, ...]


def history(
    repo: Path, experiment: str, *, rev: str = "HEAD", metric: str = "", most: int = 0
) -> History:
    """Follow an experiment along the first parents of a revision.

    Args:
        repo: A folder inside the repository.
        experiment: Its name at the revision, or at some commit before.
        rev: Where to start.
        metric: Which metric; the most usual one that the run has by default.
        most: How many commits at most, the newest; all of them, if 0.

    Raises:
        NoSuchRunError: No commit has such a run.
        UnknownColumnError: No commit's run has such a metric.
        UnknownRevisionError: There is no such revision.
    """
    start = resolve(repo, rev)
    commits = _changes(repo, experiment, start, most) if experiment else []
    if not commits:
        runs = sorted(
            {path.split("/")[1] for path in files_at(repo, rev, "runs") if path.count("/") > 1}
        )
        raise NoSuchRunError(experiment, rev, runs)
    files, prefix = (*NAMES, "intervals.json"), project_prefix(repo)
    asked = [
        f"{commit[0]}:{prefix}{layout.RUNS}/{commit[4]}/{file}"
        for commit in commits
        for file in files
    ]
    answers = iter(list(read_objects(repo, asked, largest=LARGEST)))
    contents = [(commit, [(file, next(answers)) for file in files]) for commit in commits]
    parsed = [(commit, *_metrics(found), _intervals(found[-1][1][2])) for commit, found in contents]
    known = dict.fromkeys(key for _, metrics, _, _ in reversed(parsed) for key in metrics)
    chosen = metric or next(
        (name for name in METRICS if name in known), next(iter(known), "roc_auc")
    )
    if metric and metric not in known:
        raise UnknownColumnError(metric, known, where="--metric")
    points = tuple(
        _point(commit, chosen, found, problem, spans) for commit, found, problem, spans in parsed
    )
    names = tuple(
        name for name in dict.fromkeys(commit[4] for commit in commits) if name != experiment
    )
    return History(experiment, chosen, tuple(reversed(points)), names)


_Change = tuple[str, int, str, str, str]  # commit, time, author, subject, the experiment's name


def _changes(repo: Path, experiment: str, start: str, most: int) -> list[_Change]:
    """Commits that changed the run, newest first, following it when it was renamed.

    At most so many, unless 0.
    """
    found: list[_Change] = []
    name, tip = experiment, start
    while True:
        part = _log(repo, name, tip, most - len(found) if most else 0)
        found.extend(part)
        if not part or (most and len(found) >= most):
            return found
        before = _renamed_from(repo, name, part[-1][0])
        if before is None:
            return found
        name, tip = before


def _log(repo: Path, name: str, tip: str, most: int) -> list[_Change]:
    bound = [f"--max-count={most}"] if most else []
    output = git(
        repo, "log", "--first-parent", "--encoding=UTF-8", "-z", *bound,
        "--format=%H%x00%ct%x00%an%x00%s", tip, "--", f":(top,literal){project_prefix(repo)}{layout.RUNS}/{name}",
    )  # fmt: skip
    parts = output.decode(errors="replace").split("\0")
    return [
        (parts[at], seconds(parts[at + 1]), parts[at + 2], parts[at + 3], name)
        for at in range(0, len(parts) - 3, 4)
    ]


def _renamed_from(repo: Path, name: str, commit: str) -> tuple[str, str] | None:
    """If the run came to its name in this commit by a rename.

    Its name before, and the commit's parent.
    """
    parent = (
        git(repo, "rev-list", "--first-parent", "--max-count=1", "--skip=1", commit)
        .decode()
        .strip()
    )
    if not parent:
        return None
    prefix = project_prefix(repo)
    output = git(
        repo, "diff", "--name-status", "-M", "-z", parent, commit, "--", f":(top){prefix}runs"
    )
    fields = output.decode(errors="replace").split("\0")
    sources: Counter[str] = Counter()
    at = 0
    while at + 1 < len(fields):
        if re.fullmatch(r"R\d+", fields[at]):
            old, new = (fields[at + more][len(prefix) :].split("/") for more in (1, 2))
            if len(old) > 2 and len(new) > 2 and new[1] == name and old[2:] == new[2:]:
                sources[old[1]] += 1
            at += 3
        else:
            at += 2
    for source, _ in sources.most_common():
        if source != name and not files_at(repo, commit, layout.run(source)):
            return source, parent
    return None


def _metrics(
    found: list[tuple[str, tuple[str, str, bytes | None, int]]],
) -> tuple[dict[str, Value], str]:
    """Metrics by name, and why there are none, given what was found of each file."""
    for file, (_, kind, content, size) in found[:-1]:
        if kind == "missing":
            continue
        if content is None:
            return {}, f"it has {size:,} bytes"
        try:
            return read_metrics(file, content).values, ""
        except MetricsFileError as exc:
            return {}, f"not valid: {exc}"
    return {}, "not evaluated, or removed"


def _intervals(content: bytes | None) -> dict[str, Any]:
    try:
        value = parse_json(content or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _point(
    commit: _Change, metric: str, metrics: dict[str, Value], problem: str, intervals: dict[str, Any]
) -> Point:
    value = metrics.get(metric)
    span = intervals.get(metric)
    low, high = (span.get("low"), span.get("high")) if isinstance(span, dict) else (None, None)
    number = _number(value)
    if number is None and not problem:
        problem = f"has no {metric}" if value is None else f"{metric} is {json.dumps(value)[:40]}"
    elif number is not None and not math.isfinite(number):
        problem = f"{metric} is {number}"
    return Point(*commit, number, _number(low), _number(high), problem)


def _number(value: Any) -> float | None:
    return as_float(value) if is_number(value) else None
