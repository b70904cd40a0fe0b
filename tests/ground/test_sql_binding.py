"""SQL that can't run is refused before anything is planned: bound to tables that hold no row."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.errors import FurrowError
from furrow.ground.sql_binding import bind
from furrow.ground.tables import RawFiles, TableError, run_sql
from furrow.plan.compile import compile_repository
from tests.shopproject import declare

COLUMNS = {
    "orders": {
        "order id": "int64",
        "customer": "string",
        "paid": "float64",
        "lines": "int32",
        "gift": "bool",
        'at "noon"': "timestamp",
    },
    "Kunden": {"customer": "string"},
}
TYPES = {
    "string": (pa.string(), "a"),
    "int32": (pa.int32(), 3),
    "int64": (pa.int64(), 3),
    "float64": (pa.float64(), 2.5),
    "timestamp": (pa.timestamp("us", tz="UTC"), datetime(2020, 1, 1, tzinfo=UTC)),
    "bool": (pa.bool_(), True),
}
SQL = {
    "all": ('select *, "at ""noon""" as event_timestamp from orders order by 1', ""),
    "a window": (
        (
            'select customer, sum(paid) over (partition by customer order by "at ""noon""" '
            "range between interval '7 days' preceding and current row) from orders"
        ),
        "",
    ),
    "a join": ('select k.customer, "order id" from orders join kunden k using (customer)', ""),
    "a clock": ('select "at ""noon""" at time zone \'Europe/Berlin\' from orders', ""),
    "a misspelt column": ("select customer,\n  payd from orders", r":2: .*payd"),
    "a misspelt function": ("select summ(paid) from orders", "summ"),
    "a sum of words": ("select sum(customer) from orders", "sum"),
    "a time and a word": ('select "at ""noon""" - \'x\' || customer from orders', "-"),
    "no group": ("select customer, sum(paid) from orders", "GROUP BY"),
    "a flag and a number compared": ("select * from orders where gift > paid", "compare"),
}


@pytest.mark.parametrize("kind", SQL)
def test_what_binds_is_what_runs(kind, tmp_path: Path) -> None:
    """On empty tables as on rows: accepted by both, or refused by both with one message."""
    sql, refused = SQL[kind]
    path = tmp_path / "t.sql"
    path.write_text(sql)
    files = {}
    for table, columns in COLUMNS.items():
        rows = pa.table(
            {name: pa.array([TYPES[kind][1]], TYPES[kind][0]) for name, kind in columns.items()}
        )
        files[table] = [tmp_path / f"{table}.parquet"]
        pq.write_table(rows, files[table][0])
    raw = RawFiles(tmp_path, files)
    if not refused:
        bind([path], COLUMNS)
        run_sql(sql, raw, sql_file=path)
        return
    with pytest.raises(TableError, match=refused) as found:
        bind([path], COLUMNS)
    with pytest.raises(TableError) as ran:
        run_sql(sql, raw, sql_file=path)
    assert found.value.message == ran.value.message
    assert found.value.line == ran.value.line


@pytest.mark.attack
@pytest.mark.parametrize(
    "sql",
    ["select * from read_csv('{}')", "select * from '{}'", "select * from read_text('{}')"],
)
def test_no_file_is_opened(sql, tmp_path: Path) -> None:
    """Binding reads nothing of this machine: a file that SQL names is refused, not looked at."""
    secret = tmp_path / "secret.csv"
    secret.write_text("harmless,words\n1,2\n")
    path = tmp_path / "t.sql"
    path.write_text(sql.format(secret))
    with pytest.raises(TableError) as found:
        bind([path], COLUMNS)
    assert "harmless" not in str(found.value)


@pytest.mark.parametrize("name", ["features/tables/day.sql", "features/spines/again.sql"])
def test_a_project_with_such_sql_does_not_compile(name, tmp_path: Path) -> None:
    """Neither with a feature table's, nor with a spine's: the file is named."""
    declare(tmp_path)
    assert compile_repository(tmp_path, check=False).experiments
    path = tmp_path / name
    path.write_text(path.read_text().replace("select", "select nowhere.at_all,", 1))
    with pytest.raises(TableError, match=path.name):
        compile_repository(tmp_path, check=False)


def test_columns_that_no_view_has_and_views_without_a_column(tmp_path: Path) -> None:
    """The former are told, the latter refused, with the name that was meant."""
    declare(tmp_path)
    assert compile_repository(tmp_path, check=False).notes == ()
    path = next((tmp_path / "features/tables").glob("*.sql"))
    text = path.read_text()
    path.write_text(text.replace("count(*) as visits", "count(*) as visits, 2 as twice", 1))
    (told,) = compile_repository(tmp_path, check=False).notes
    assert f"{path.name} makes twice, and no view has it" in told
    path.write_text(text.replace("count(*) as visits", "count(*) as visit", 1))
    with pytest.raises(FurrowError, match=r"has visits, which .* does not make") as caught:
        compile_repository(tmp_path, check=False)
    assert caught.value.hint == "did you mean 'visit'?"
