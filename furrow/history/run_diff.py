"""What changed between two runs: config, metrics, features, data, code."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from furrow.drawing.notebook_tables import notebook_table
from furrow.errors import FurrowError
from furrow.ground.git import git
from furrow.history.artifacts import Output, cached
from furrow.history.raw_data import data_listing
from furrow.layout import RUN_CONFIG

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.history.load import Run
    from furrow.history.metrics_file import Value
    from furrow.history.paired_test import Comparison

__all__ = ["NOT_CODE", "DataChange", "RunDiff", "changed_files", "config_of", "diff_runs", "flat"]

NOT_CODE = (
    ":(top,exclude)runs",
    ":(top,exclude)dvc.lock",
    ":(top,exclude)data.dvc",
    ":(top,exclude)build",
)
"""What a commit's runs are made of, besides code: told apart from it, or no code at all."""


@dataclass(frozen=True, slots=True)
class DataChange:
    """What happened to the raw data between two commits.

    Attributes:
        before: DVC's output at the first commit; None when it has none.
        after: At the second.
        files: Path and "added", "removed" or "changed"; None when a list of files is not on this
            machine.
        rows: Parquet rows added (or, negative, removed), by file, for those that are on this
            machine.
    """

    before: Output | None
    after: Output | None
    files: tuple[tuple[str, str], ...] | None
    rows: dict[str, int]

    def __bool__(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class RunDiff:
    """What changed between two runs; falsy when nothing did.

    Attributes:
        before: RUN of the first.
        after: Of the second.
        config: Key, value before and value after; None where there is no such key.
        metrics: The same for metrics, as recorded, text and truth among them.
        comparison: The paired test; None when predictions are missing.
        untested: Why there is no test.
        features_added: Features that only the second was trained on.
        features_dropped: Features that only the first was trained on.
        rows: Training and test rows, before and after.
        data: The raw data.
        code: Path and lines added and deleted (None for a binary file).
    """

    before: str
    after: str
    config: tuple[tuple[str, Any, Any], ...]
    metrics: tuple[tuple[str, Value | None, Value | None], ...]
    comparison: Comparison | None
    untested: str
    features_added: tuple[str, ...]
    features_dropped: tuple[str, ...]
    rows: dict[str, tuple[int | None, int | None]]
    data: DataChange
    code: tuple[tuple[str, int | None, int | None], ...] = field(default=())

    def _repr_html_(self) -> str:
        rows: list[tuple[str, Any, Any]] = [
            *(row for row in self.metrics if row[1] != row[2]),
            *((key, _said(one), _said(two)) for key, one, two in self.config),
        ]
        notes = [f"{len(self.code)} files of code differ."] if self.code else []
        if self.comparison is None:
            notes.append(f"No test: {self.untested}")
        else:
            notes += [f"{one.metric}: {one.verdict}" for one in self.comparison.differences]
        # a notebook alone asks
        from furrow.history.notebook_runs import drawn_changes  # noqa: PLC0415

        table = notebook_table(
            f"{self.before} and {self.after}", ("what", "before", "after"), rows, notes=notes
        )
        return f"{table}{drawn_changes(self.metrics)}"

    def __bool__(self) -> bool:
        metrics = any(before != after for _, before, after in self.metrics)
        features = self.features_added or self.features_dropped
        return bool(self.config or metrics or features or self.data or self.code)


def _said(value: Any) -> str | float | None:
    return value if value is None or isinstance(value, str | float) else str(value)


def diff_runs(
    before: Run, after: Run, *, replicates: int = 2000, confidence: float = 0.95
) -> RunDiff:
    """Compare two runs.

    Args:
        before: The first.
        after: The second.
        replicates: Of the paired bootstrap.
        confidence: Of its intervals.

    Raises:
        RunFileError: A config or the metrics of one of them is missing or malformed.
    """
    configs = flat(config_of(before)), flat(config_of(after))
    metrics = before.metrics, after.metrics
    comparison, untested = _test(before, after, replicates=replicates, confidence=confidence)
    old, new = before.features, after.features
    return RunDiff(
        before=str(before),
        after=str(after),
        config=tuple(
            (key, configs[0].get(key), configs[1].get(key))
            for key in [*configs[0], *(key for key in configs[1] if key not in configs[0])]
            if configs[0].get(key) != configs[1].get(key)
        ),
        metrics=tuple(
            (name, metrics[0].get(name), metrics[1].get(name))
            for name in {**metrics[0], **metrics[1]}
        ),
        comparison=comparison,
        untested=untested,
        features_added=tuple(name for name in new if name not in old),
        features_dropped=tuple(name for name in old if name not in new),
        rows={part: (_rows(before, part), _rows(after, part)) for part in ("train", "test")},
        data=_data(before, after),
        code=changed_files(before.repo, before.commit, after.commit),
    )


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves of nested mappings by dotted key; lists are leaves."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            found |= flat(inner, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = inner
    return found


def _test(
    before: Run, after: Run, *, replicates: int, confidence: float
) -> tuple[Comparison | None, str]:
    """The paired test, or why there is none."""
    hashes = before.record.get("predictions_sha256"), after.record.get("predictions_sha256")
    if hashes[0] and hashes[0] == hashes[1]:
        same = "both have the same predictions, byte for byte"
        shared = [
            (name, value, after.metrics.get(name, value)) for name, value in before.metrics.items()
        ]
        odd = [
            name for name, old, new in shared if old != new and not (_is_nan(old) and _is_nan(new))
        ]
        return (
            None,
            (
                f"{same}, yet not the same {', '.join(odd)}: `furrow replay` tells which holds"
                if odd
                else same
            ),
        )
    # pandas, which a list of changes does without
    from furrow.history.compared_as import compared_as  # noqa: PLC0415
    from furrow.history.paired_test import compare  # noqa: PLC0415 - the same

    try:
        predictions = before.predictions(), after.predictions()
        about = compared_as(before, after)
        return compare(*predictions, about=about, replicates=replicates, confidence=confidence), ""
    except FurrowError as exc:
        return None, str(exc)
    except (OSError, ValueError) as exc:
        return None, f"predictions can't be read: {exc}"


def config_of(run: Run) -> dict[str, Any]:
    """A run's config; empty where a project keeps none."""
    return run.config if RUN_CONFIG in run.files else {}


def _is_nan(value: Value) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _rows(run: Run, part: str) -> int | None:
    rows = run.record.get("rows")
    found = rows.get(part) if isinstance(rows, dict) else None
    return found if isinstance(found, int) else None


def _data(before: Run, after: Run) -> DataChange:
    old, old_files = data_listing(before.repo, before.commit)
    new, new_files = data_listing(after.repo, after.commit)
    if old == new:
        return DataChange(old, new, (), {})
    if old_files is None or new_files is None:
        return DataChange(old, new, None, {})
    changes: list[tuple[str, str]] = []
    rows: dict[str, int] = {}
    for path in sorted({*old_files, *new_files}):
        was, now = old_files.get(path), new_files.get(path)
        if was != now:
            changes.append(
                (path, "added" if was is None else "removed" if now is None else "changed")
            )
            counts = _count(before.repo, was), _count(after.repo, now)
            if None not in counts:
                rows[path] = (counts[1] or 0) - (counts[0] or 0)
    return DataChange(old, new, tuple(changes), rows)


def _count(repo: Path, md5: str | None) -> int | None:
    """Rows of a Parquet file in the cache; 0 for no file, None when it is not there or is none."""
    if md5 is None:
        return 0
    path = cached(repo, md5)
    if path is not None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - the same

        with contextlib.suppress(OSError, ValueError):
            return int(pq.read_metadata(path).num_rows)
    return None


def changed_files(
    repo: Path, before: str, after: str
) -> tuple[tuple[str, int | None, int | None], ...]:
    """Files of code and declarations that differ between two commits.

    Path, lines added, lines deleted.
    """
    output = git(
        repo, "diff", "--numstat", "--no-renames", "-z", before, after, "--", ":/", *NOT_CODE
    )
    found = []
    for line in output.decode(errors="replace").split("\0"):
        if line:
            added, deleted, path = line.split("\t", 2)
            found.append(
                (
                    path,
                    None if added == "-" else int(added),
                    None if deleted == "-" else int(deleted),
                )
            )
    return tuple(found)
