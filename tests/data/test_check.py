"""Every rule of the contract, broken once on real data."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from furrow.data.check_report import Report, Violation
from furrow.data.contract import Contract, ContractError, load_contract
from furrow.data.data_check import check
from furrow.data.raw_tables import NoDataError
from furrow.files import canonical_json

CONTRACT = Path(__file__).resolve().parents[2] / "conf/data/contract.yaml"


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract(CONTRACT)


@pytest.fixture
def january(data: Path) -> Path:
    """One month is enough for most rules."""
    for path in data.rglob("2013-0[23].parquet"):
        path.unlink()
    return data


def edit(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(path)), path)


def put(column: str, value: Any, rows: int = 3) -> Callable[[pa.Table], pa.Table]:
    """Set a column's first rows to a value."""

    def change(table: pa.Table) -> pa.Table:
        old = table[column]
        new = pa.concat_arrays([pa.array([value] * rows, old.type), *old.slice(rows).chunks])
        return table.set_column(table.column_names.index(column), column, new)

    return change


def only(report: Report, rule: str, column: str | None = None) -> Violation:
    found = [v for v in report.violations if v.rule == rule and column in (None, v.column)]
    assert len(found) == 1, report.violations
    return found[0]


def test_good_data_pass(landed: Path, contract: Contract) -> None:
    """As landed, nothing is wrong; the report counts rows by month and says the same each time."""
    report = check(landed, contract)
    assert report
    assert report.violations == ()
    assert report.not_checked == ()
    assert report.rows["flights"] == {"2013-01": 27_004, "2013-02": 24_951, "2013-03": 28_834}
    assert report.rows["airlines"] == {"airlines": 16}
    assert report.as_of == "2013-04-01T04:00:00+00:00"
    assert report.rules > 100
    assert canonical_json(report.to_json()) == canonical_json(check(landed, contract).to_json())


@pytest.mark.parametrize(
    ("file", "column", "value", "rule"),
    [
        ("flights/2013-01.parquet", "carrier", None, "null"),
        ("flights/2013-01.parquet", "carrier", "united", "pattern"),
        ("flights/2013-01.parquet", "tailnum", "N1", "pattern"),
        ("flights/2013-01.parquet", "flight", 0, "range"),
        ("flights/2013-01.parquet", "distance", 99_999, "range"),
        ("flights/2013-01.parquet", "scheduled_arrival", datetime(1970, 1, 1, tzinfo=UTC), "range"),
        ("flights/2013-01.parquet", "status", "lost", "allowed"),
        ("flights/2013-01.parquet", "dest", "QQQ", "reference"),
        ("flights/2013-01.parquet", "arrival", datetime(2013, 2, 9, tzinfo=UTC), "future"),
        (
            "flights/2013-01.parquet",
            "scheduled_departure",
            datetime(2013, 2, 1, 12, tzinfo=UTC),
            "partition",
        ),
        ("weather/2013-01.parquet", "wind_speed", 1048.0, "range"),
        ("weather/2013-01.parquet", "temp", float("nan"), "nan"),
        ("planes.parquet", "seats", -1, "range"),
        ("airports.parquet", "tzone", "nowhere", "pattern"),
    ],
)
def test_a_wrong_value(
    january: Path, contract: Contract, file: str, column: str, value: Any, rule: str
) -> None:
    """Null, out of range, not allowed, of the wrong form, unknown elsewhere, in the future, in the wrong month."""
    edit(january / file, put(column, value))
    report = check(january, contract)
    assert not report
    found = only(report, rule, column)
    assert found.count == 3
    assert found.files == (file,)
    assert len(found.sample) == 3
    assert found.sample[0]["file"] == file
    shown = found.sample[0][column]
    assert shown is None if value is None or value != value else str(shown)[:10] == str(value)[:10]


def test_a_known_broken_reading_is_let_through(landed: Path, tmp_path: Path) -> None:
    """The wind of 1,048 mph is declared; undeclared, it is out of range."""
    path = tmp_path / "contract.yaml"
    path.write_text(CONTRACT.read_text().replace(", known: [1048.36058]", ""))
    found = only(check(landed, load_contract(path)), "range", "wind_speed")
    assert found.count == 1
    assert found.sample[0]["wind_speed"] == pytest.approx(1048.36058)


def test_duplicate_flights(january: Path, contract: Contract) -> None:
    """Rows that share the key are counted and shown together."""
    path = january / "flights/2013-01.parquet"
    edit(path, lambda t: pa.concat_tables([t, t.slice(100, 4)]))
    found = only(check(january, contract), "unique")
    assert found.count == 8
    assert found.column == "carrier, flight, origin, scheduled_departure"
    assert len(found.sample) == 5
    assert found.sample[0] == found.sample[1]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (put("departure", None), "cancelled_without_departure"),
        (put("status", "cancelled"), "landed_with_arrival"),
        (put("departure_delay", 7, 1), "departure_is_schedule_plus_delay"),
        (put("arrival_delay", None), "delays_where_times"),
        (put("air_time", 700), "in_the_air_no_longer_than_under_way"),
        (put("arrival", datetime(2013, 1, 1, 9, tzinfo=UTC)), "arrives_after_it_leaves"),
    ],
)
def test_a_row_that_contradicts_itself(
    january: Path, contract: Contract, change: Callable[[pa.Table], pa.Table], rule: str
) -> None:
    """Rules in SQL over several columns of a row."""
    edit(january / "flights/2013-01.parquet", change)
    found = only(check(january, contract), rule)
    assert 1 <= found.count <= 3
    assert "breaks: " in found.message
    assert {"carrier", "flight", "origin", "scheduled_departure", "file"} < set(found.sample[0])


def test_columns_missing_renamed_retyped(data: Path, contract: Contract) -> None:
    """Each is told with its file; a likely new name is suggested; what depends on it is listed as not checked."""
    edit(data / "flights/2013-01.parquet", lambda t: t.drop_columns("distance"))
    edit(
        data / "flights/2013-02.parquet",
        lambda t: t.rename_columns(["tail_num" if n == "tailnum" else n for n in t.column_names]),
    )
    edit(
        data / "flights/2013-03.parquet",
        lambda t: t.set_column(
            t.column_names.index("air_time"), "air_time", t["air_time"].cast("float64")
        ),
    )
    report = check(data, contract)
    assert only(report, "missing_column", "distance").files == ("flights/2013-01.parquet",)
    renamed = only(report, "missing_column", "tailnum")
    assert "'tail_num'" in renamed.message
    assert only(report, "unknown_column", "tail_num").files == ("flights/2013-02.parquet",)
    retyped = only(report, "column_type", "air_time")
    assert retyped.message == "the column is double instead of int32"
    assert len(report.violations) == 4
    assert "flights: reference of tailnum (needs tailnum)" in report.not_checked
    assert "flights: the rules on distance alone" in report.not_checked


def test_a_truncated_partition_hides_nothing_else(data: Path, contract: Contract) -> None:
    """The unreadable file is named with the way to mend it, and the others are still checked."""
    path = data / "flights/2013-02.parquet"
    path.write_bytes(path.read_bytes()[:100_000])
    edit(data / "flights/2013-03.parquet", put("status", "lost"))
    report = check(data, contract, land="python -m pipelines.ingest")
    found = only(report, "unreadable_file")
    assert found.files == ("flights/2013-02.parquet",)
    assert "python -m pipelines.ingest" in found.message
    assert only(report, "allowed", "status").count == 3


def test_a_month_missing_in_the_middle(data: Path, contract: Contract) -> None:
    """The month is named, and so is what its absence leaves uncovered."""
    (data / "weather/2013-02.parquet").unlink()
    report = check(data, contract)
    assert only(report, "missing_partition").files == ("weather/2013-02.parquet",)
    assert only(report, "covers").files == ("flights/2013-02.parquet",)


def test_months_out_of_bounds(data: Path, contract: Contract) -> None:
    """Too few rows, too many nulls, too few late flights, no readings at the end: each by month."""
    path = data / "flights/2013-03.parquet"
    edit(
        path,
        lambda t: put("tailnum", None, 2000)(
            t.filter(pc.less(t["arrival_delay"], 15)).slice(0, 15_000)
        ),
    )
    edit(data / "weather/2013-03.parquet", lambda t: t.filter(pc.less(t["observed_at"], MARCH_20)))
    report = check(data, contract)
    told = [v.message for v in report.violations if v.rule == "partition_rows"]
    assert "15,000 rows, not 20,000 to 40,000" in told
    assert {v.rule for v in report.violations} >= {
        "partition_rows",
        "partition_null_share",
        "partition_share",
        "fresh",
    }
    assert only(report, "partition_null_share").column == "tailnum"
    assert all(
        v.files in {("flights/2013-03.parquet",), ("weather/2013-03.parquet",)}
        for v in report.violations
    )


MARCH_20 = pa.scalar(datetime(2013, 3, 20, tzinfo=UTC), pa.timestamp("us", tz="UTC"))


def test_a_missing_and_an_unknown_file(january: Path, contract: Contract) -> None:
    """A table that is not there, and a file that nobody knows."""
    (january / "airlines.parquet").unlink()
    (january / "flights/2013-1.parquet").write_text("?")
    report = check(january, contract)
    assert only(report, "missing_file").files == ("airlines.parquet",)
    assert only(report, "unknown_file").files == ("flights/2013-1.parquet",)
    assert "flights: reference of flights.carrier (no readable file)" not in report.not_checked
    assert any("reference of flights.carrier" in rule for rule in report.not_checked)


@pytest.mark.parametrize("there", [True, False])
def test_no_data_at_all(tmp_path: Path, contract: Contract, there: bool) -> None:
    """An empty or absent folder is an error with the two ways to get the data."""
    if there:
        (tmp_path / "data").mkdir()
    with pytest.raises(NoDataError, match="holds none") as caught:
        check(tmp_path / "data", contract, land="python -m pipelines.ingest")
    assert "pipelines.ingest" in caught.value.hint
    assert "dvc pull" in caught.value.hint


def test_everything_at_once_in_order(january: Path, contract: Contract) -> None:
    """Faults in several tables come in one report, by table and column in the contract's order."""
    edit(january / "planes.parquet", put("engines", 9))
    edit(january / "flights/2013-01.parquet", put("status", "lost"))
    edit(january / "flights/2013-01.parquet", put("carrier", "??"))
    report = check(january, contract)
    found = [(v.table, v.column, v.rule) for v in report.violations]
    assert found.index(("flights", "carrier", "pattern")) < found.index(
        ("flights", "status", "allowed")
    )
    assert found[-1] == ("planes", "engines", "range")


def test_as_of_can_be_given(january: Path, contract: Contract) -> None:
    """Seen from mid-January, the rest of the month lies in the future."""
    report = check(january, contract, as_of=datetime(2013, 1, 15, tzinfo=UTC))
    assert only(report, "future", "scheduled_departure").count > 10_000


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("arrivall > departure", "arrivall"),
        ("(SELECT count(*) FROM read_text('/etc/passwd')) = 0", "disabled"),
    ],
    ids=["a misspelt column", "a look at the machine's files"],
)
def test_a_rules_sql_is_confined_and_named(
    january: Path, tmp_path: Path, sql: str, said: str
) -> None:
    """SQL that does not run names its rule; SQL that reaches out of the tables does not run."""
    path = tmp_path / "contract.yaml"
    path.write_text(CONTRACT.read_text().replace(": arrival > departure\n", f': "{sql}"\n'))
    with pytest.raises(ContractError, match=said) as caught:
        check(january, load_contract(path))
    assert "tables.flights.rules.arrives_after_it_leaves" in caught.value.message
