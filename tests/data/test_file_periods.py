"""Files by any period: named, checked, counted; what is missing between two of them is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.data.changes import data_changes
from furrow.data.contract import Contract, ContractError, load_contract
from furrow.data.data_check import check
from furrow.data.file_periods import FILE_PERIODS, end_of, names_between
from furrow.data.profile import profile
from furrow.data.profile_page import write_page
from furrow.data.raw_files import dependency, raw_files

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = """format: 1
clock: {timezone: Europe/Vienna}
tables:
  sales:
    files: "PATTERN"
    partition_by: sold
    columns: {shop: {type: string}, sold: {type: timestamp}, units: {type: int64, nullable: true}}
    by_partition: {rows: {min: 1}, null_share: {units: {max: 0.5}}}
"""
NAMES = {
    "hour": ["2020-03-28T23", "2020-03-29T00", "2020-03-29T01"],
    "day": ["2020-02-28", "2020-02-29", "2020-03-01"],
    "week": ["2020-W52", "2020-W53", "2021-W01"],
    "month": ["2020-11", "2020-12", "2021-01"],
    "quarter": ["2020-Q3", "2020-Q4", "2021-Q1"],
    "year": ["2019", "2020", "2021"],
}
ZONE = ZoneInfo("Europe/Vienna")


def contract(root: Path, files: str) -> Contract:
    path = root / "contract.yaml"
    path.write_text(CONTRACT.replace("PATTERN", files))
    return load_contract(path)


def landed(root: Path, names: list[str], period: str, files: str, *, late: bool = False) -> None:
    """A file for each name, whose one row was sold a second before the period ended on Vienna's clocks, or after."""
    for name in names:
        end = end_of(period, name, ZONE)
        table = pa.table({
            "shop": ["a"], "units": pa.array([1], pa.int64()),
            "sold": pa.array([int(end.timestamp() * 1e6) + (1 if late else -1) * 1_000_000], pa.timestamp("us", "UTC")),
        })  # fmt: skip
        path = root / "data" / files.replace(f"{{{period}}}", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)


@pytest.mark.parametrize("period", FILE_PERIODS)
def test_a_table_cut_by_any_period(tmp_path: Path, period: str) -> None:
    """Its rows lie in the file of their period; a missing one is named; what changed, and the profile, count by it."""
    names, files = NAMES[period], f"sales/part-{{{period}}}.parquet"
    about = contract(tmp_path, files)
    landed(tmp_path, names, period, files)
    assert names_between(period, names[0], names[-1]) == names
    report = check(tmp_path / "data", about)
    assert report, report.violations
    assert report.rows == {"sales": dict.fromkeys(names, 1)}
    assert report.as_of == end_of(period, names[-1], ZONE).isoformat()
    assert dependency(about.tables["sales"]) == "data/sales"
    assert len(raw_files(tmp_path / "data", about).files["sales"]) == 3
    found = profile(tmp_path / "data", about)
    assert (found.tables[0].period, found.tables[0].partitions) == (period, tuple(names))
    write_page(tmp_path / "page.html", found)
    assert f"Rows by {period}" in (tmp_path / "page.html").read_text()
    path = files.replace(f"{{{period}}}", names[1])
    said = data_changes(
        {}, {path: "x"}, before=lambda _: None, now=lambda _: None, folder=tmp_path / "data"
    )
    assert said == [f"sales +1 rows {names[1]}"]

    (tmp_path / "data" / path).unlink()
    (missing,) = check(tmp_path / "data", about, land="python -m land").violations
    assert (missing.rule, missing.files) == ("missing_partition", (path,))
    assert missing.message.startswith(f"a {period} is missing between {names[0]} and {names[-1]}")
    assert missing.message.endswith("land it: python -m land")
    landed(tmp_path, names, period, files, late=True)
    wrong = check(tmp_path / "data", about, as_of=datetime(2030, 1, 1, tzinfo=UTC)).violations
    assert {(one.rule, one.count) for one in wrong} == {("partition", 3)}


@pytest.mark.parametrize(
    ("files", "said"),
    [("{fortnight}.parquet", "{fortnight} is not a period; there are: hour, day"), ("{year}/{month}.parquet", "one is enough")],
)  # fmt: skip
def test_a_period_that_is_none(tmp_path: Path, files: str, said: str) -> None:
    """The contract is refused at that key."""
    with pytest.raises(ContractError) as caught:
        contract(tmp_path, files)
    assert f"tables.sales.files: '{files}'" in str(caught.value)
    assert said in str(caught.value)


def test_a_file_of_a_week_that_there_is_not(tmp_path: Path) -> None:
    """2021 has no week 53: told as the fault that it is, not raised."""
    about = contract(tmp_path, "{week}.parquet")
    landed(tmp_path, ["2020-W53"], "week", "{week}.parquet")
    (tmp_path / "data/2020-W53.parquet").rename(tmp_path / "data/2021-W53.parquet")
    rules = {one.rule for one in check(tmp_path / "data", about).violations}
    assert "partition_name" in rules
    assert "partition" in rules


def test_contracts_written_before_there_were_other_periods(tmp_path: Path) -> None:
    """`by_month` says what `by_partition` says."""
    path = tmp_path / "contract.yaml"
    now = contract(tmp_path, "{month}.parquet")
    path.write_text(path.read_text().replace("by_partition", "by_month"))
    assert load_contract(path) == now


def test_nothing_is_said_of_landing_where_no_command_is_known(tmp_path: Path) -> None:
    """The hint is the project's own command, or none."""
    about = contract(tmp_path, "{day}.parquet")
    with pytest.raises(Exception, match="holds none") as caught:
        check(tmp_path / "data", about)
    assert caught.value.hint == "bring it back with `dvc pull`"
    with pytest.raises(Exception, match="holds none") as caught:
        check(tmp_path / "data", about, land="make land")
    assert "`make land`" in caught.value.hint
