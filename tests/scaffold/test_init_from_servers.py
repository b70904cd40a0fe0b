"""`furrow init` from a PostgreSQL server and from S3, as one story each: made, trained, landed again, landed anew."""

from __future__ import annotations

import sqlite3
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs
from click.testing import CliRunner
from moto.server import ThreadedMotoServer
from pyarrow import fs

from furrow.cli.init import command
from furrow.intake.given import find_given
from furrow.intake.given_error import GivenError
from furrow.intake.landed import land
from furrow.intake.s3_source import s3_objects
from furrow.scaffold.first_runs import first_runs
from furrow.scaffold.template_base import read_base
from furrow.stages import evaluate, select, tables, train, training_set, validate
from tests.postgresserver import PASSWORD, PostgresServer, postgres_server
from tests.scaffold.conftest import ingest
from tests.scaffold.shop import HEADS, Shop, made_shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKED = ("--predict", "Churned", "--about", "customer", "--at", "Signed Up", "--known-after", "30d")
TYPES = {
    "Customer ID": "text", "Signed Up": "timestamptz", "Country": "text", "Age": "smallint", "Churned": "boolean",
    "Cancel Reason": "text", "Spent Later": "numeric(12, 2)", "Segment": "text", "Order ID": "text",
    "Ordered At": "timestamp with time zone", "Total": "numeric", "Channel": "varchar(20)", "Product": "text",
    "Quantity": "integer", "Price": "double precision",
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg")
    with postgres_server() as started:
        yield started


def fill(server: PostgresServer, shop: Shop) -> None:
    """The shop as tables of a schema, with what else a company's tables hold: ids, documents, lists, a view."""
    from psycopg import connect  # noqa: PLC0415 - not everywhere

    server.run("CREATE SCHEMA sales")
    with connect(server.address, password=PASSWORD) as db, db.cursor() as cursor:
        for name, head in HEADS.items():
            columns = ", ".join(f'"{column}" {TYPES[column]}' for column in head)
            cursor.execute(f"CREATE TABLE sales.{name} ({columns})")
            places = ", ".join(["%s"] * len(head))
            cursor.executemany(f"INSERT INTO sales.{name} VALUES ({places})", [
                [value if value != "" else None for value in row] for row in shop.tables[name]
            ])  # fmt: skip
    server.run(
        "ALTER TABLE sales.customers ADD who uuid DEFAULT gen_random_uuid(), ADD said jsonb DEFAULT '{\"a\": [1]}',"
        " ADD tags text[] DEFAULT '{x,\"y,z\"}', ADD note text",
        'ALTER TABLE sales.orders ADD PRIMARY KEY ("Order ID")',
    )


def trained_in(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage, in this process."""
    monkeypatch.chdir(root)
    assert validate.validate(root) == 0
    for path in sorted((root / "features/tables").glob("*.sql")):
        tables.tables(root, path.stem)
    training_set.build(root, "churned", "all")
    for experiment in ("baseline", "linear", "boosting"):
        train.train(root, experiment)
        evaluate.judge(root, experiment)
    select.select(root)


def init(root: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> str:
    """`furrow init` without a question; what it said."""
    root.mkdir()
    monkeypatch.chdir(root)
    said = CliRunner().invoke(
        command, [source, *ASKED, "--yes", "--no-run"], catch_exceptions=False
    )
    assert said.exit_code == 0, said.output
    return said.output


def everything(root: Path) -> bytes:
    """All that a commit could carry, and what Git keeps of it."""
    git = ["git", "-C", str(root), "cat-file", "--batch", "--batch-all-objects"]
    objects = subprocess.run(git, check=True, capture_output=True).stdout
    return objects + b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


def rows(root: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(root / f"data/landed/{name}.parquet").to_pylist()


def test_from_postgres(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A schema becomes a project with a champion; its password is nowhere; a new row lands, and no other byte."""
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    fill(server, made_shop(260))
    root = tmp_path / "a shop"
    address = server.address.replace("shop@", f"shop:{quote(PASSWORD, safe='')}@") + "#sales"
    said = init(root, monkeypatch, address)
    assert "customers.cancel_reason is left out" in said
    assert "pipelines/ingest.py reads PGPASSWORD" in said
    held = everything(root) + said.encode() + read_base(root).texts["pipelines/ingest.py"].encode()
    for secret in (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe="")):
        assert secret.encode() not in held

    trained_in(root, monkeypatch)
    best = first_runs(root)[0]
    assert best.champion
    assert best.name != "baseline"

    before = everything(root / "data")
    with pytest.raises(SystemExit):
        ingest(root)
    told = capsys.readouterr().err
    assert "no password supplied" in told
    assert "PGPASSWORD" in told
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    server.run('UPDATE sales.customers SET "Age" = "Age" WHERE "Age" > 40')
    ingest(root)
    assert capsys.readouterr().out.count("unchanged") == 3
    assert everything(root / "data") == before

    orders = rows(root, "orders")
    server.run(
        "INSERT INTO sales.orders SELECT 'new', \"Customer ID\", \"Ordered At\", 7.25, 'app'"
        " FROM sales.orders LIMIT 1"
    )
    ingest(root)
    assert "orders: " + f"{len(orders) + 1:,} rows, landed" in capsys.readouterr().out
    (new,) = [row for row in rows(root, "orders") if row not in orders]
    assert (new["order_id"], new["total"], new["channel"]) == ("new", 7.25, "app")
    assert validate.validate(root) == 0


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[fs.S3FileSystem]:
    """A store of objects on loopback, and what the environment says of it."""
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    store = fs.S3FileSystem(
        endpoint_override=f"{host}:{port}", scheme="http", allow_bucket_creation=True
    )
    store.create_dir("lake")
    yield store
    started.stop()


def test_from_s3(
    lake: fs.S3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A folder of objects becomes a project that lands them again, and then one more row; a lost object is named."""
    made_shop(120).write(tmp_path / "given")
    for name in HEADS:
        place = f"lake/shop 1/{name}.csv"
        with lake.open_output_stream(place) as stream:
            stream.write((tmp_path / f"given/{name}.csv").read_bytes())
    with lake.open_output_stream("lake/shop 1/_SUCCESS") as stream:
        stream.write(b"")
    root = tmp_path / "shop"
    said = init(root, monkeypatch, "s3://lake/shop 1")
    assert "from s3://lake/shop 1/orders.csv" in said
    before = everything(root / "data")
    ingest(root)
    assert capsys.readouterr().out.count("unchanged") == 3
    assert everything(root / "data") == before
    orders = rows(root, "orders")
    with lake.open_output_stream("lake/shop 1/orders.csv") as stream:
        stream.write((tmp_path / "given/orders.csv").read_bytes())
        stream.write(b"99999,00001,2023-06-01 12:00:00,7.25,app\n")
    ingest(root)
    assert f"orders: {len(orders) + 1:,} rows, landed" in capsys.readouterr().out
    lake.delete_file("lake/shop 1/orders.csv")
    with pytest.raises(SystemExit):
        ingest(root)
    assert "s3://lake/shop 1/orders.csv" in capsys.readouterr().err
    assert len(rows(root, "orders")) == len(orders) + 1


def test_what_s3_can_mean(
    lake: fs.S3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One object, a pattern, a folder of parts, a database; and what is not there, in words."""
    (tmp_path / "given").mkdir()
    with sqlite3.connect(tmp_path / "given/two.sqlite") as db:
        db.execute("CREATE TABLE one AS SELECT 1 AS a")
        db.execute("CREATE TABLE two AS SELECT 2 AS a")
    db.close()
    for part in range(3):
        pq.write_table(pa.table({"a": [part]}), tmp_path / f"given/part-{part}.parquet")
        (tmp_path / f"given/days_{part}.csv").write_text(f"a,b\n{part},x\n")
    for path in (tmp_path / "given").iterdir():
        with lake.open_output_stream(f"lake/mixed/{path.name}") as stream:
            stream.write(path.read_bytes())

    def found(address: str) -> dict[str, list[int]]:
        values = {}
        for one in find_given([address]):
            land(one, tmp_path / "out.parquet")
            values[one.name] = pq.read_table(tmp_path / "out.parquet")["a"].to_pylist()
        return values

    everything = {"one": [1], "two": [2], "part": [0, 1, 2], "days": [0, 1, 2]}
    assert found("s3://lake/mixed") == everything
    assert found(str(tmp_path / "given")) == everything
    assert found("s3://lake/mixed/*.csv") == {"days": [0, 1, 2]}
    assert s3_objects("s3://lake/mixed/*_1.csv", {".csv"}) == ["s3://lake/mixed/days_1.csv"]
    assert found("s3://lake/mixed/part-1.parquet") == {"part_1": [1]}
    for address in ("s3://lake/none", "s3://none/a.csv", "s3://lake/mixed/none.csv", "s3://"):
        with pytest.raises(GivenError) as caught:
            found(address)
        assert address in str(caught.value)
        assert caught.value.hint
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(GivenError, match="credentials"):
        found("s3://lake/mixed")
