"""What `furrow init` writes, as text, and what it leaves out, for names and values that real files have."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from furrow.intake.given import Given
from furrow.intake.table_profile import ColumnProfile, Reference, TableProfile, readable
from furrow.scaffold.answers import Answers
from furrow.scaffold.feature_sql import feature_tables, moment_sql, rows_sql
from furrow.scaffold.feature_texts import definitions_text, feature_store_text, spine_text
from furrow.scaffold.leaks import find_leaks
from furrow.scaffold.stage_texts import dvc_text, workflow_text
from furrow.scaffold.texts import Facts, abouts_of, project_texts, raw_patterns, yaml_key
from furrow.scaffold.window_sql import WINDOWS

NAMES = st.text(min_size=1, max_size=12).filter(lambda name: name.isprintable() and name.strip())


def answers(**facts: Any) -> Answers:
    """Who churns, of customers, asked when they sign up."""
    known = {
        "table": "customers", "label": "churned", "task": "binary", "positive": "true", "entity": "customer",
        "at": "signed_up", "moment": "", "known_after": "90d", "by": "month", "test": 3.0,
    }  # fmt: skip
    return Answers(**{**known, **facts})


def column(name: str, kind: str, distinct: int = 50, **facts: Any) -> ColumnProfile:
    """A column of a hundred rows."""
    moment = np.datetime64("2024-01-01").item() if kind == "timestamp" else 0
    known = {"rows": 100, "nulls": 0, "least": moment, "most": moment or 9}
    return ColumnProfile(name=name, kind=kind, distinct=distinct, **{**known, **facts})


def tables(amount: str = "amount") -> dict[str, TableProfile]:
    """Customers and their orders."""
    of = {
        "customers": [column("customer", "int64", 100), column("signed_up", "timestamp"), column("city", "string", 5), column("churned", "bool", 2)],
        "orders": [column("order_id", "int64", 100), column("customer", "int64"), column("at", "timestamp"), column(amount, "float64"), column("paid", "bool", 2)],
    }  # fmt: skip
    keys = {"customers": ("customer",), "orders": ("order_id",)}
    return {
        name: TableProfile(
            name, Path(f"{name}.parquet"), 100, {one.name: one for one in columns}, keys[name]
        )
        for name, columns in of.items()
    }


REFERENCES = [Reference("orders", "customer", "customers", "customer", 0.0)]


def facts(amount: str = "amount") -> Facts:
    """What the project of customers and orders is written from."""
    known = tables(amount)
    features, _ = feature_tables(answers(), known, REFERENCES)
    given = [Given("customers", ("customers.csv",), ""), Given("orders", ("shop.db",), "orders")]
    return Facts("shop", answers(), given, known, REFERENCES, features)


def test_a_table_for_each_source_with_its_windows() -> None:
    """Attributes beside the label, windows of what has moments; label, entity and moment are no features."""
    found, told = feature_tables(answers(), tables(), REFERENCES)
    assert [one.name for one in found] == ["customers_profile", "orders_history"]
    assert told == []
    profile, orders = (set(one.features) for one in found)
    assert profile == {
        "customers_city",
        "customers_weekday",
        "customers_month",
        "customers_hour",
    }
    assert {f"orders_amount_sum_{days}d" for days in WINDOWS} < orders
    assert "orders_paid_last" in orders
    for one in found:
        sqlglot.parse_one(one.sql, dialect="duckdb")


def test_events_without_a_moment_to_predict_at() -> None:
    """Where predictions have no moment, events can't be counted before it, and that is said."""
    found, told = feature_tables(answers(at="", by="random", test=0.2), tables(), REFERENCES)
    assert [one.name for one in found] == ["customers_profile"]
    assert ["--at" in line for line in told] == [True]


def test_the_windows_are_the_obvious_counts() -> None:
    """Executed on drawn orders, each row's figures are those of the days before its moment, boundary and all."""
    known = {**tables(), "orders": tables()["orders"]}
    _, orders = feature_tables(answers(), known, REFERENCES)[0]
    draw = np.random.default_rng(2)
    at = np.datetime64("2024-01-01", "s") + draw.integers(0, 40, 60) * np.timedelta64(86_400, "s")
    who, amount = draw.integers(0, 3, 60), np.round(draw.random(60), 2)
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        db.register("drawn", pa.table({"order_id": range(60), "customer": who, "at": at, "amount": amount, "paid": who > 0}))  # fmt: skip
        db.execute('create table orders as select * replace ("at"::timestamptz as "at") from drawn')
        rows = db.sql(orders.sql).to_arrow_table().to_pylist()
    assert len(rows) > 60
    for row in rows[::7]:
        moment = np.datetime64(row["event_timestamp"].replace(tzinfo=None), "s")
        for days in WINDOWS:
            inside = (
                (who == row["customer"])
                & (at <= moment)
                & (at > moment - np.timedelta64(days * 86_400, "s"))
            )
            assert row[f"orders_{days}d"] == inside.sum()
            assert (row[f"orders_amount_sum_{days}d"] or 0) == pytest.approx(amount[inside].sum())


@settings(max_examples=10, deadline=None)
@given(name=NAMES)
@example(name="µ")  # which Python reads as another letter
@example(name="class")
def test_any_name_of_a_column_is_written_so_that_it_can_be_read(name: str) -> None:
    """YAML, Python and SQL of a project hold a name as the file had it."""
    assert yaml.safe_load(f"{yaml_key(name)}: 1") == {name: 1}
    table = replace(tables()["customers"])
    columns = {**table.columns, name: column(name, "float64")}
    known = {"customers": replace(table, columns=columns)}
    asked = answers()
    features, _ = feature_tables(asked, known, [])
    (made,) = features
    sqlglot.parse_one(made.sql, dialect="duckdb")
    definitions = definitions_text(abouts_of(asked, known["customers"]), features, "shop")
    ast.parse(definitions)
    if name not in {asked.label, asked.entity, asked.at}:
        assert f"customers_{name}" in made.features
        assert name in " ".join(map(str, _words_of(definitions))).split()
    contract = yaml.safe_load(project_texts(replace(facts(), tables=known))["conf/data/contract.yaml"])  # fmt: skip
    named = contract["tables"]["customers"]["types"].values()
    assert {one for names in named for one in names} == set(columns)


def test_words_of_sql_are_names_of_columns() -> None:
    """Each keyword of DuckDB and of SQLGlot, written as init writes names, is read as a column by both."""
    words = {row[0] for row in duckdb.sql("select keyword_name from duckdb_keywords()").fetchall()}
    words |= {word.lower() for word in DuckDB.Tokenizer.KEYWORDS if word.isidentifier()}
    words |= {name.lower() for name in DuckDB.Parser.FUNCTIONS}
    assert {"alter", "current_date", "select"} <= words
    for word in sorted(words):
        name = readable(word)
        sql = f"select {name}, c.{name}, {name} + 1 as {name} from t as c where {name} is not null"
        found = sqlglot.parse_one(sql, dialect="duckdb").find_all(exp.Column)
        assert [one.name for one in found] == [word] * 4, word


def _words_of(text: str) -> set[str]:
    """Keyword arguments and text constants of Python source."""
    nodes = list(ast.walk(ast.parse(text)))
    return {one.arg for one in nodes if isinstance(one, ast.keyword) and one.arg} | {
        one.value for one in nodes if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


def test_the_spine_asks_for_one_row_each() -> None:
    """With the label's moment behind it; rows of which no label can be known are left out by name."""
    spine = spine_text(answers(repeated=3), tables()["customers"], "2024-03-01 00:00:00+00")
    sqlglot.parse_one(spine, dialect="duckdb")
    for part in ("interval '90 days'", "qualify row_number()", "lie in the future", "signed_up"):
        assert part in spine
    assert moment_sql(answers(at="", moment="2024-03-01")) == "timestamptz '2024-03-01'"
    assert moment_sql(answers(at="")).startswith("timestamptz '1970")
    assert "churned is not null" in rows_sql(answers(), tables()["customers"], "churned")


def test_every_file_of_a_project() -> None:
    """Each parses as what it is, and they agree: experiments of the problem, tables of the contract, stages of dvc.yaml."""
    texts = project_texts(facts())
    for path, text in texts.items():
        if path.endswith((".yaml", ".yml")):
            assert isinstance(yaml.safe_load(text), dict), path
        elif path.endswith(".py"):
            compile(text, path, "exec")
        elif path.endswith(".sql"):
            sqlglot.parse_one(text, dialect="duckdb")
    problem = yaml.safe_load(texts["conf/problem/churned.yaml"])
    assert problem["spine"] in texts
    experiments = yaml.safe_load(texts["conf/experiments.yaml"])["experiments"]
    assert {one["problem"] for one in experiments.values()} == {"churned"}
    tables_said = yaml.safe_load(texts["conf/data/contract.yaml"])["tables"]
    assert set(tables_said) == {"customers", "orders"}
    assert json.dumps(["shop.db#orders"]) in texts["pipelines/ingest.py"]
    assert feature_store_text("shop").startswith("project: shop\n")


def test_stages_start_python_by_its_module() -> None:
    """No stage is left with the mark that stands for it; the workflow judges every push and may only read."""
    stages = yaml.safe_load(dvc_text())["stages"]
    assert set(stages) == {"compile", "validate", "train", "evaluate", "select"}
    commands = [stage.get("cmd") or stage["do"]["cmd"] for stage in stages.values()]
    assert all(command.startswith("python -m furrow") for command in commands)
    workflow = yaml.safe_load(workflow_text())
    assert workflow["permissions"] == {"contents": "read"}


def test_the_documentation_shows_the_stages_that_are_written() -> None:
    """docs/PROJECT.md holds the whole dvc.yaml of a new project, and names its files."""
    told = (Path(__file__).parents[2] / "docs/PROJECT.md").read_text()
    assert dvc_text() in told
    for path in project_texts(facts()):
        if path.startswith(("conf/", "features/", "pipelines/", "dvc.yaml")):
            assert path in told or f"{Path(path).parent}/*.sql" in told, path


@pytest.mark.parametrize(
    ("kind", "said"),
    [("honest", ""), ("later", "later than signed_up"), ("filled", "filled in for one"), ("copy", "it alone tells")],
)  # fmt: skip
def test_columns_that_are_written_with_the_label(tmp_path: Path, kind: str, said: str) -> None:
    """A moment after the prediction, a value that is there for one label only, a column that tells it alone."""
    draw = np.random.default_rng(1)
    churned = draw.random(400) < 0.3
    at = np.datetime64("2024-01-01", "us") + np.arange(400) * np.timedelta64(3600, "s")
    suspects = {
        "honest": draw.normal(size=400) + churned,
        "later": at + np.where(churned, 86_400, -86_400).astype("timedelta64[s]"),
        "filled": [3.5 if one else None for one in churned],
        "copy": np.where(churned, "gone", "here"),
    }
    table = pa.table({"customer": range(400), "signed_up": at, "suspect": suspects[kind], "churned": churned})  # fmt: skip
    pq.write_table(table, tmp_path / "customers.parquet")
    kinds = {"customer": "int64", "signed_up": "timestamp", "suspect": "timestamp" if kind == "later" else "string", "churned": "bool"}  # fmt: skip
    profile = TableProfile(
        "customers",
        tmp_path / "customers.parquet",
        400,
        {name: column(name, kinds[name]) for name in table.column_names},
        ("customer",),
    )
    found = find_leaks(profile, answers())
    assert set(found) == ({"suspect"} if said else set())
    assert said in found.get("suspect", "")


def test_raw_files_are_left_to_dvc() -> None:
    """Files of the root one by one, those of a folder by what they end with; addresses and other places never."""
    sources = [
        Given("customers", ("customers.csv",)),
        Given("orders", ("raw [x]/orders_*.csv.gz",)),
        Given("parts", ("readings/month=*/part-*.parquet",)),
        Given("far", ("/else/x.csv", "s3://bucket/x.csv", "postgres://host/db")),
        Given("odd", ("raw [x]/noend",)),
    ]
    assert raw_patterns(sources) == [
        "/customers.csv", "/raw \\[x\\]/*.csv.gz", "/raw \\[x\\]/noend", "/readings/month=*/*.parquet",
    ]  # fmt: skip
