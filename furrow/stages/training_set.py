"""Stage `training_set_P_S`.

The rows of a problem's spine, each with a feature service as of its event_timestamp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

# Feast loads it by name: the join is part of this stage's code
import furrow.ground.feast.offline  # noqa: F401
from furrow.data.contract import load_contract
from furrow.data.raw_files import project_files
from furrow.errors import FurrowError
from furrow.features import manifest
from furrow.files import read_json
from furrow.ground.feast.retrieve import historical_features
from furrow.ground.tables import write_parquet
from furrow.layout import CONTRACT, FEATURES, MANIFEST, PIPELINE, training_set
from furrow.plurals import number_of
from furrow.stages.command import note, run_stage, say
from furrow.training.dataset import seal
from furrow.training.problem import Problem
from furrow.training.spine_rows import PERIOD, SpineError, spine_rows

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from furrow.features.manifest import Manifest

__all__ = ["build"]

MOST_EMPTY = 0.5


def build(root: Path, problem: str, service: str) -> None:
    """Build the training set of a problem and a feature service, and say what was written.

    Args:
        root: The project.
        problem: The problem's name; empty for the only one.
        service: The feature service's name.

    Raises:
        FurrowError: The spine, the features or the data are not as they must be.
    """
    about = _problem(root, problem)
    rows = spine_rows(root, about, project_files(root, load_contract(root / CONTRACT)))
    held = manifest.load(root / MANIFEST)
    if service not in held.services:
        raise FurrowError(
            f"there is no feature service {service!r}",
            hint=f"there are: {', '.join(held.services)}",
        )
    features = [name for part in held.services[service].views for name in part.features]
    _refuse(features, rows.column_names, about)
    joined = historical_features(root / FEATURES, service, rows)
    features = [name for name in joined.column_names if name not in rows.column_names]
    _tell_empty(joined, held, service, about)
    facts = {"problem": about.name, "service": service, "digest": held.services[service].digest}
    write_parquet(
        seal(joined, features=features, **facts), root / training_set(about.name, service)
    )
    say(
        f"{about.name}, {service}: {number_of(joined.num_rows, 'row')},"
        f" {number_of(len(features), 'feature')}"
    )


def _problem(root: Path, name: str) -> Problem:
    """What compile wrote of a problem: all that its training sets hang on."""
    known = read_json(root / PIPELINE).get("problems", {})
    if name not in known:
        raise FurrowError(
            f"there is no problem {name!r}", hint=f"there are: {', '.join(known) or 'none'}"
        )
    return Problem(**{"name": name, **known[name]})


def _refuse(features: list[str], spine: list[str], problem: Problem) -> None:
    """Refuse a feature that has the name of a spine's column.

    One of the two would be taken for the other.
    """
    for name in features:
        if name in spine or name == PERIOD:
            what = "the label" if name == problem.label else "a column of the spine"
            what = "the rows' periods" if name == PERIOD else what
            raise SpineError(
                f"feature {name!r} has the name of {what} of problem {problem.name}",
                hint=f"name the feature otherwise, or leave the column out of {problem.spine}",
            )


def _tell_empty(joined: pa.Table, held: Manifest, service: str, problem: Problem) -> None:
    """Count the rows that come before all features; most of them can't be meant."""
    stored = [
        name
        for part in held.services[service].views
        if part.view in held.views
        for name in part.features
    ]
    stored = [name for name in stored if name in joined.column_names]
    if not stored:
        return
    empty = None
    for name in stored:
        null = pc.is_null(joined[name])
        empty = null if empty is None else pc.and_(empty, null)
    count = pc.sum(empty).as_py() or 0
    if count > MOST_EMPTY * joined.num_rows:
        raise SpineError(
            f"problem {problem.name}: {count:,} of {joined.num_rows:,} rows have no feature of"
            f" {service!r}: they come before every event of the feature tables, or after their ttl",
            hint=f"compare event_timestamp in {problem.spine} and in features/tables",
        )
    if count:
        note(
            f"{problem.name}: {count:,} of {number_of(joined.num_rows, 'row')} come before all"
            " features"
        )


if __name__ == "__main__":
    run_stage("training_set", "Build one training set.", ("problem", "service"), build)
