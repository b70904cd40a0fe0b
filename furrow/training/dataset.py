"""Training sets: rows of a spine with a service's features, and the list of what a model may see of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from furrow.errors import FurrowError
from furrow.parse import parse_json
from furrow.stores.float_columns import canonical_table
from furrow.training.splits import folds as split_folds
from furrow.training.splits import period_names
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from furrow.training.config import Experiment
    from furrow.training.problem import Problem
    from furrow.training.splits import Fold

__all__ = ["FORMAT", "DatasetError", "TrainingSet", "load", "seal", "sealed"]

FORMAT = 1
_SEAL = b"furrow.training_set"


class DatasetError(FurrowError):
    """A training set is missing, damaged, or not the one that the experiment asks for."""


@dataclass(frozen=True)
class TrainingSet:
    """A training set in memory: one row for each row of the spine, oldest first.

    Attributes:
        frame: The rows, and the `period` of each.
        features: Names of the features, in the service's order: these, and the keys that an
            experiment names, are all that a model may see.
        classes: Of a multiclass label, sorted.
        problem: What is predicted.
    """

    frame: pd.DataFrame
    features: list[str]
    problem: Problem
    classes: tuple[str, ...] = ()
    spine: list[str] = field(default_factory=list)

    def folds(self, seed: int) -> list[Fold]:
        """The folds of the problem's split, each of which can be predicted.

        Raises:
            SplitError: The split leaves nothing.
            LabelError: A fold's labels can't be learnt from what comes before.
        """
        found = split_folds(self.frame, self.problem, seed)
        task, label = load_task(self.problem.task), self.frame[self.problem.label]
        for fold in found:
            train, test = label.iloc[fold.train_rows], label.iloc[fold.test_rows]
            task.check_fold(train, test, self.problem, period=fold.test)
        return found

    @property
    def periods(self) -> list[str]:
        """The periods that the rows cover, oldest first."""
        return sorted(self.frame["period"].unique())


def seal(
    table: pa.Table, *, problem: str, service: str, digest: str, features: Sequence[str]
) -> pa.Table:
    """Write into a table's metadata what it is.

    Whose features it holds, and which of its columns they are.

    Args:
        table: Spine columns and features.
        problem: The problem's name.
        service: The feature service.
        digest: Of the service.
        features: Its features.
    """
    facts = {
        "format": FORMAT,
        "problem": problem,
        "service": service,
        "features_digest": digest,
        "features": list(features),
    }
    return table.replace_schema_metadata({_SEAL: json.dumps(facts, sort_keys=True).encode()})


def sealed(schema: pa.Schema, path: Path) -> dict[str, Any]:
    """What a training set says that it is.

    Raises:
        DatasetError: It says nothing, or has another format.
    """
    try:
        facts: dict[str, Any] = parse_json((schema.metadata or {})[_SEAL], path)
    except (KeyError, ValueError) as exc:
        hint = "the stage training_set writes that list: run `dvc repro`"
        raise DatasetError(
            f"{path} does not say which of its columns are features", hint=hint
        ) from exc
    if facts.get("format") != FORMAT:
        said = f"{path} has format {facts.get('format')!r}, and this is {FORMAT}"
        raise DatasetError(said, hint="run `dvc repro` to make it again")
    return facts


def load(path: Path, experiment: Experiment) -> TrainingSet:
    """Read a training set and check that it is what the experiment names.

    Raises:
        DatasetError: The file is missing or damaged, was made of other features, or lacks a column.
        LabelError: The labels can't be learnt.
        SplitError: The split names no column.
    """
    problem = experiment.problem
    try:
        table = canonical_table(pq.read_table(path))
    except (OSError, pa.ArrowException) as exc:
        raise DatasetError(
            f"cannot read the training set {path}: {exc}", hint="run `dvc repro`"
        ) from exc
    facts = sealed(table.schema, path)
    features: list[str] = facts["features"]
    wanted = experiment.features.digest
    if wanted and wanted != facts["features_digest"]:
        raise DatasetError(
            f"{path} was made with another definition of the service {facts['service']!r}",
            hint="run `dvc repro` to make it again",
        )
    named = (*experiment.features.keys, problem.label, "event_timestamp", *features)
    missing = [name for name in named if name not in table.column_names]
    if missing:
        known = ", ".join(sorted(table.column_names))
        raise DatasetError(f"{path} has no column {missing[0]!r}", hint=f"it has: {known}")
    frame = _as_numbers(table, features).replace_schema_metadata(None).to_pandas()
    frame["period"] = period_names(frame, problem)
    task = load_task(problem.task)
    task.check(frame[problem.label], problem)
    spine = [name for name in table.column_names if name not in features]
    return TrainingSet(frame, features, problem, task.classes(frame[problem.label], problem), spine)


def _as_numbers(table: pa.Table, features: Sequence[str]) -> pa.Table:
    """The table with booleans and decimals among the features as floats.

    With a null among them pandas holds either as objects, which would be encoded as categories.
    """
    for name in features:
        kind = table.schema.field(name).type
        if pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
            numbers = table.column(name).cast(pa.float64())
            table = table.set_column(table.column_names.index(name), name, numbers)
    return table
