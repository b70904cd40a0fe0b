"""A profile of many files: the bytes of all their rows counted in one go, on any engine, in any split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.monitoring import profile_parts as module
from furrow.monitoring.profile_bins import ProfileError
from furrow.monitoring.profile_counts import count, empty, reference_of
from furrow.monitoring.profile_parts import profile_file, profile_parts
from furrow.training.config import Engine

if TYPE_CHECKING:
    from pathlib import Path

HERE = Engine("threading", 2, 1)


def rows_of(seed: int, rows: int) -> pa.Table:
    """Numbers, texts, nulls, infinities, and a value that no reference knows."""
    draw = np.random.default_rng(seed)
    number = draw.normal(size=rows)
    number[::7], number[1::11] = np.nan, np.inf
    kinds = draw.choice([*"abc", None, f"new{seed}"], rows)
    return pa.table({
        "number": pa.array(number), "narrow": pa.array(draw.gamma(2, 1, rows).astype("float32")),
        "kind": pa.array(kinds, pa.string()), "count": pa.array(draw.integers(0, 4, rows)),
    })  # fmt: skip


def parts_in(folder: Path) -> tuple[list[Path], pa.Table]:
    """Files of several row groups, one of them without rows; and all of their rows."""
    tables = [rows_of(seed, rows) for seed, rows in enumerate((900, 0, 1, 400), 1)]
    files = [folder / f"{place}.parquet" for place in range(len(tables))]
    for path, table in zip(files, tables, strict=True):
        pq.write_table(table, path, row_group_size=250)
    return files, pa.concat_tables(tables)


def test_the_bytes_of_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, whole = parts_in(tmp_path)
    bins = reference_of(rows_of(0, 500)).bins
    expected = count(whole, bins).to_bytes()
    assert profile_parts(files, bins, HERE).to_bytes() == expected
    assert profile_parts(files[::-1], bins, HERE).to_bytes() == expected
    monkeypatch.setattr(module, "_CELLS", 500)  # two columns at a time
    assert profile_parts(files, bins, HERE).to_bytes() == expected


def test_columns_that_a_file_lacks_are_null(tmp_path: Path) -> None:
    files, whole = parts_in(tmp_path)
    bins = reference_of(rows_of(0, 500)).bins
    pq.write_table(whole.drop_columns(["kind"]), files[0], row_group_size=300)
    found = profile_file(files[0], bins)
    assert found.to_bytes() == count(whole.drop_columns(["kind"]), bins).to_bytes()
    assert found.columns["kind"].nulls == whole.num_rows


def test_no_files_and_no_parquet(tmp_path: Path) -> None:
    bins = reference_of(rows_of(0, 500)).bins
    assert profile_parts([], bins, HERE).to_bytes() == empty(bins).to_bytes()
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(ProfileError, match=r"x\.parquet"):
        profile_parts([tmp_path / "x.parquet"], bins, HERE)
    with pytest.raises(ProfileError, match=r"gone\.parquet"):
        profile_file(tmp_path / "gone.parquet", bins)
