"""Tables of a real PostgreSQL server: the types that it declares, names that need quotes, and a password that stays out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from furrow.intake.given import Given, find_given
from furrow.intake.given_error import GivenError
from furrow.intake.landed import land
from furrow.intake.postgres_address import fragment_of, without_password
from furrow.intake.postgres_source import open_postgres, postgres_tables
from furrow.intake.project_data import given_of
from tests.postgresserver import PASSWORD, PostgresServer, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("psycopg")

ODD = 'Odd "Name".#1@%'
EVERYTHING = """
    CREATE TABLE everything (
        id bigint PRIMARY KEY, zip text, small smallint, exact numeric(12, 2), wide numeric, whole numeric(9, 0),
        ratio real, price money, yes boolean, moment timestamptz, local timestamp, day date, who uuid, said jsonb,
        tags text[], mood mood, pinned yearly, code char(5), raw bytea, span interval, "Gone" int, "select" text)
"""
ROWS = """
    INSERT INTO everything VALUES
    (3, '00123', 1, 12.50, 'NaN', 7, 0.25, 9.99, true, '2024-03-31 02:30+02', '2024-03-31 02:30', '2024-02-29',
     '0b8e9f6e-2f0c-4bb6-9d1e-3f6a1c6f5a11', '{"a": [1, "x,\\"y\\""]}', ARRAY['a', 'b,c', NULL], 'glad', 2024, 'ab',
     '\\x00ff', '1 day', 0, E'two\\r\\nlines; "quoted"'),
    (1, '7', NULL, NULL, 1e30, NULL, 'Infinity', NULL, true, 'infinity', '0044-03-15 BC', NULL, NULL, NULL, '{}', NULL,
     NULL, '', NULL, NULL, NULL, ''),
    (2, NULL, -5, -0.10, 3, 8, NULL, 0, NULL, '1969-12-31 23:59:59.123456Z', NULL, '-infinity', NULL, 'null', NULL,
     'sad', 1999, 'x', NULL, NULL, NULL, NULL)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server with tables in two schemas, a view, partitions, and one table that needs quotes."""
    with postgres_server() as started:
        started.run(
            "SET standard_conforming_strings = on",
            "ALTER DATABASE postgres SET timezone = 'Asia/Kolkata'",
            "ALTER DATABASE postgres SET datestyle = 'German'",
            "CREATE TYPE mood AS ENUM ('sad', 'glad')",
            "CREATE DOMAIN yearly AS integer CHECK (value > 1900)",
            EVERYTHING,
            ROWS,
            'ALTER TABLE everything DROP COLUMN "Gone"',
            "CREATE VIEW glad AS SELECT id FROM everything WHERE mood = 'glad'",
            "CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day)",
            "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
            "INSERT INTO parts VALUES (2, '2024-05-01'), (1, '2024-06-01')",
            'CREATE SCHEMA "Späti"',
            f'CREATE TABLE "Späti"."{ODD.replace(chr(34), chr(34) * 2)}" ("Größe, cm" float8, "a.b" int)',
            f'INSERT INTO "Späti"."{ODD.replace(chr(34), chr(34) * 2)}" VALUES (1.5, 2)',
            "CREATE TABLE nothing ()",
        )
        yield started


def address(server: PostgresServer, after: str = "") -> str:
    return server.address.replace("shop@", f"shop:{quote(PASSWORD, safe='')}@") + after


def landed(
    given: Given, path: Path
) -> tuple[dict[str, str], list[dict[str, Any]], tuple[str, ...]]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - read back as anyone would

    done = land(given, path / f"{given.name}.parquet")
    return dict(done.columns), pq.read_table(done.path).to_pylist(), done.notes


def test_types_are_the_servers(server: PostgresServer, tmp_path: Path) -> None:
    """As they are declared, not as the text looks: a zip code keeps its zeros, a column of nulls its type.

    The database's own time zone and way of writing dates change nothing; what no column of Parquet
    holds (infinite moments, NaN) is missing; rows come by key.
    """
    tables = {one.name: one for one in find_given([address(server)])}
    assert sorted(tables) == ["everything", "glad", "parts"]
    columns, rows, notes = landed(tables["everything"], tmp_path)
    assert columns == {
        "id": "int64", "zip": "string", "small": "int64", "exact": "float64", "wide": "float64", "whole": "int64",
        "ratio": "float64", "price": "float64", "yes": "bool", "moment": "timestamp", "local": "timestamp",
        "day": "timestamp", "who": "string", "said": "string", "tags": "string", "mood": "string", "pinned": "int64",
        "code": "string", "raw": "string", "span": "string", "select": "string",
    }  # fmt: skip
    one, two, three = rows
    assert [row["id"] for row in rows] == [1, 2, 3]
    assert (three["zip"], three["exact"], three["wide"], three["price"]) == (
        "00123",
        12.5,
        None,
        9.99,
    )
    assert three["moment"] == datetime(2024, 3, 31, 0, 30, tzinfo=UTC)
    assert three["local"] == datetime(2024, 3, 31, 2, 30, tzinfo=UTC)
    assert three["day"] == datetime(2024, 2, 29, tzinfo=UTC)
    assert two["moment"] == datetime(1969, 12, 31, 23, 59, 59, 123456, tzinfo=UTC)
    assert (one["moment"], one["local"], two["day"], one["ratio"]) == (None, None, None, None)
    assert three["said"] == '{"a": [1, "x,\\"y\\""]}'
    assert (three["tags"], one["tags"], two["tags"]) == ('{a,"b,c",NULL}', "{}", None)
    assert (three["code"], three["raw"], three["pinned"]) == ("ab", "\\x00ff", 2024)
    assert three["select"] == 'two\r\nlines; "quoted"'
    assert [row["yes"] for row in rows] == [True, None, True]
    assert "said: jsonb is kept as text" in notes
    assert "tags: text[] is kept as text" in notes


def test_the_same_bytes_whatever_was_updated(server: PostgresServer, tmp_path: Path) -> None:
    """An update that changes nothing moves rows in the server's files, and nothing here."""
    given = {one.name: one for one in find_given([address(server)])}
    for name in ("everything", "parts"):
        assert land(given[name], tmp_path / f"{name}.parquet").changed
    server.run(
        "UPDATE everything SET zip = zip WHERE id < 3", "UPDATE parts SET id = id WHERE id = 2"
    )
    for name in ("everything", "parts"):
        assert not land(given[name], tmp_path / f"{name}.parquet").changed


@pytest.mark.parametrize(
    "after", ["#Späti", '#"Späti"', "?options=-csearch_path%3D%22Sp%C3%A4ti%22"]
)
def test_a_schema_and_names_that_need_quotes(
    server: PostgresServer, tmp_path: Path, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the project writes down leads to the very table again."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    (given,) = find_given([address(server, after)])
    assert given.name == "odd_name_1"
    if after == "#Späti":
        assert [name for name, _ in postgres_tables(server.address, PASSWORD, only="Späti")] == [
            ODD
        ]
    written = f"{given.places[0]}#{fragment_of(given.table)}"
    again = given_of(tmp_path, given.name, [written])
    assert again == given
    assert landed(again, tmp_path)[1] == [{"größe_cm": 1.5, "a_b": 2}]
    assert find_given([written]) == [given]


def test_a_table_that_went_away(server: PostgresServer) -> None:
    """It is named; where it was read from is no place of this machine."""
    with open_postgres(server.address, "glad", password=PASSWORD) as table:
        assert str(table.path) == "127.0.0.1/glad"
        assert [batch.num_rows for batch in table.batches()] == [1]
    with (
        pytest.raises(GivenError, match="has no table gone"),
        open_postgres(server.address, "gone", password=PASSWORD),
    ):
        pass


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("#none", "has no table none"),
        ("?options=-csearch_path%3Dnone", "no table on the search path\n  put one behind a #"),
        ("/", 'database "postgres/" does not exist'),
        ("?sslmode=strange", "invalid sslmode value"),
    ],
)
def test_what_is_not_there(server: PostgresServer, wanted: str, said: str) -> None:
    """It is named, with the server; the password never is."""
    with pytest.raises(GivenError) as caught:
        find_given([address(server, wanted)])
    assert said in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert "zq" not in str(caught.value)


def test_a_wrong_password_and_no_server(server: PostgresServer) -> None:
    """Both say where, and where a password is read from."""
    with pytest.raises(GivenError, match="password") as caught:
        find_given([server.address.replace("shop@", "shop:wr%C3%B6ng@")])
    assert "PGPASSWORD" in caught.value.hint
    assert "wr" not in caught.value.message.replace("wrong", "")
    with pytest.raises(GivenError, match=r"at 127\.0\.0\.1"):
        find_given(["postgres://shop:wr%C3%B6ng@127.0.0.1:1/postgres"])


@pytest.mark.parametrize(
    ("given", "bare", "password"),
    [
        ("postgres://u:p@h/d", "postgres://u@h/d", "p"),
        ("postgresql://u:p%40%2F@h:5433/d?sslmode=require", "postgresql://u@h:5433/d?sslmode=require", "p@/"),
        ("postgres://u@h/d?password=p%26&application_name=x%20y", "postgres://u@h/d?application_name=x%20y", "p&"),
        ("postgres:///d?host=/run/postgresql&password=p", "postgres:///d?host=%2Frun%2Fpostgresql", "p"),
        ("postgres://u:@h/d", "postgres://u@h/d", ""),
        ("postgres://u@h/d", "postgres://u@h/d", ""),
        ("postgres://[::1]:5432/d", "postgres://[::1]:5432/d", ""),
    ],
)  # fmt: skip
def test_an_address_without_its_password(given: str, bare: str, password: str) -> None:
    """What may be written down, and what may not."""
    assert without_password(given) == (bare, password)


@pytest.mark.parametrize(
    "given",
    [
        "postgres://u:zq@zq@h/d",
        "postgres://u:zq/zq@h/d",
        "postgres://u:zq?zq@h/d",
        "postgres://u:zq#zq@h/d",
        "postgres://u:[zq@h/d",
        "postgres://u@h:zq/d",
        "postgres://u@h/d?sslpassword=zq",
    ],
)
def test_an_address_that_would_tell_its_password(given: str) -> None:
    """Refused, with what to do, before any program sees it; nothing of it is repeated."""
    with pytest.raises(GivenError) as caught:
        find_given([given])
    assert caught.value.hint
    assert "zq" not in str(caught.value)
    assert caught.value.__cause__ is None
