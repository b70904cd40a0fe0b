"""Rows in files beside a training set: sizes of drift by any engine, and what can't be compared is told."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from furrow.cli.monitor import command
from furrow.files import canonical_json
from furrow.monitoring.drift_reference import REFERENCE, Reference, _about
from furrow.monitoring.drift_sizes import drifts
from furrow.monitoring.monitor_settings import MonitorSettings
from furrow.monitoring.profile_bins import ProfileError
from furrow.monitoring.profile_counts import count, reference_of
from furrow.monitoring.rows_drift import rows_drift
from furrow.training.config import Engine

HERE = Engine("threading", 2, 1)


def table(seed: int, rows: int, shift: float = 0.0) -> pa.Table:
    draw = np.random.default_rng(seed)
    return pa.table({
        "wait": draw.normal(shift, 1, rows), "size": draw.gamma(2, 1, rows),
        "kind": draw.choice([*"abc"], rows), "score": draw.random(rows),
    })  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a model of which training left the profile."""
    folder = tmp_path / "build/models/gbm"
    folder.mkdir(parents=True)
    made = Reference("the training set of gbm", reference_of(table(0, 4000)), {})
    value = {"about": _about(MonitorSettings()), "reference": made.to_json()}
    (folder / REFERENCE).write_text(canonical_json(value))
    return tmp_path


def files(root: Path, *tables: pa.Table) -> Path:
    folder = root / "rows"
    folder.mkdir()
    for place, one in enumerate(tables):
        pq.write_table(one, folder / f"{place}.parquet")
    return folder


def test_many_files_are_compared_as_one(root: Path) -> None:
    """The column that moved comes first; the sizes are those of all rows counted in one go."""
    parts = [table(seed, 1500, shift=1.0).drop_columns("score") for seed in (1, 2)]
    found = rows_drift(root, "gbm", files(root, *parts), HERE, MonitorSettings())
    assert (found.rows, found.lacking) == (3000, [])
    assert found.drifts[0].column == "wait"
    reference = reference_of(table(0, 4000).drop_columns("score"))
    expected = drifts(reference, count(pa.concat_tables(parts), reference.bins))
    assert found.drifts == expected


def test_scores_are_compared_with_those_of_the_evaluation(root: Path) -> None:
    """A column `probability` is the score; what no file has is named, and nothing is said of it."""
    rows = table(3, 900).rename_columns(["wait", "size", "kind", "probability"])
    found = rows_drift(
        root, "gbm", files(root, rows.drop_columns(["size", "kind"])), HERE, MonitorSettings()
    )
    assert {one.column for one in found.drifts} == {"wait", "score"}
    assert found.lacking == ["kind", "size"]


@pytest.mark.parametrize(
    ("rows", "run", "said"),
    [
        (None, "gbm", "has no Parquet file"),
        (pa.table({"x": [1]}), "gbm", "no column is a feature of gbm"),
        (table(1, 9), "forest", "forest has no profile"),
    ],
)
def test_nothing_to_compare(root: Path, rows: pa.Table | None, run: str, said: str) -> None:
    (root / "conf").mkdir()
    folder = files(root, *([] if rows is None else [rows]))
    with pytest.raises(ProfileError, match=said):
        rows_drift(root, run, folder, HERE, MonitorSettings())


def test_a_file_that_is_none_is_named(root: Path) -> None:
    folder = files(root, table(1, 9))
    (folder / "x.parquet").write_text("no")
    with pytest.raises(ProfileError, match=r"x\.parquet"):
        rows_drift(root, "gbm", folder, HERE, MonitorSettings())


def test_the_command(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table for people, all sizes as JSON, and an engine that is not there with those that are."""
    monkeypatch.chdir(root)
    rows = files(root, table(1, 3000, shift=1.0))
    asked = ["--rows", str(rows), "--experiment", "gbm"]
    done = CliRunner().invoke(command, asked, catch_exceptions=False)
    assert "3,000 rows beside the training set of gbm" in done.output
    assert done.output.index("wait") < done.output.index("size")
    value = json.loads(CliRunner().invoke(command, [*asked, "--json"]).output)
    assert value["rows"] == 3000
    assert value["columns"][0]["psi"][0] > 0.25
    failed = CliRunner().invoke(command, [*asked, "--engine", "mars"])
    assert "there are: local, spark" in getattr(failed.exception, "hint", "")
