"""Several files of one table are written down as a pattern: the next month's file is landed by the next run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from furrow.intake.file_patterns import files_of, pattern_of
from furrow.intake.given import GivenError
from furrow.intake.project_data import given_of, land_all
from furrow.scaffold.answers import Asked
from furrow.scaffold.place_files import place, scratch, stage
from furrow.scaffold.plan_init import look, plan_init

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["readings-2024-01.csv", "readings-2024-02.csv"], "readings-*.csv"),
        (["r2024_09.csv", "r2024_10.csv"], "r*.csv"),
        (["2023-sales.csv", "2024-sales.csv"], "*-sales.csv"),
        (["a_1_x.csv", "a_2_x.csv"], "a_*_x.csv"),
        (["2023.csv", "2024.csv"], ""),
        (["one1.csv"], ""),
        (["x[1].csv", "x[2].csv"], ""),
        (["x2.csv", "x1.csv"], ""),
    ],
)
def test_the_pattern_of_names(tmp_path: Path, names: list[str], pattern: str) -> None:
    """What differs is a star; no pattern where names share no letter, or are in another order."""
    for name in names:
        (tmp_path / name).write_text("a\n1\n")
    found = pattern_of([f"{tmp_path}/{name}" for name in names])
    assert found == (f"{tmp_path}/{pattern}" if pattern else "")


def test_no_pattern_that_takes_more(tmp_path: Path) -> None:
    """A file that was not given must not come in by the pattern."""
    for name in ("r-1.csv", "r-2.csv", "r-old.csv"):
        (tmp_path / name).write_text("a\n1\n")
    assert pattern_of([f"{tmp_path}/r-1.csv", f"{tmp_path}/r-2.csv"]) == ""
    with pytest.raises(GivenError, match="no file is named as q-"):
        files_of(tmp_path, "q-*.csv")
    assert files_of(tmp_path, "r-1.csv") == [f"{tmp_path}/r-1.csv"]
    assert given_of(tmp_path, "r", ["r-?.csv"]).places == tuple(
        f"{tmp_path}/r-{n}.csv" for n in "12"
    )


def test_the_next_months_file_is_landed(tmp_path: Path) -> None:
    """A project of two months names their pattern; the third month is there after the next landing."""

    def month(number: int) -> None:
        lines = [f"{number * 100 + n},2024-0{number}-{n % 28 + 1:02d},{n % 2}\n" for n in range(40)]
        (tmp_path / f"visits-2024-0{number}.csv").write_text(
            f"visit_id,day,missed\n{''.join(lines)}"
        )

    month(1)
    month(2)
    looked = look([f"{tmp_path}/visits-*.csv"], scratch(tmp_path) / "landed")
    asked = Asked(predict="missed", about="visit", at="day", known_after="1d", test="0.2")
    plan = plan_init(tmp_path, looked, asked, now=datetime.now(UTC))
    assert '"visits": ["visits-*.csv"],' in plan.texts["pipelines/ingest.py"]
    stage(tmp_path, plan.texts)
    place(tmp_path)
    sources = {"visits": ["visits-*.csv"]}
    (landed,) = land_all(tmp_path, sources)
    assert (landed.rows, landed.changed) == (80, False)
    month(3)
    (landed,) = land_all(tmp_path, sources)
    assert (landed.rows, landed.changed) == (120, True)
    assert pq.read_table(tmp_path / "data/landed/visits.parquet").num_rows == 120
