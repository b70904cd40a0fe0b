"""A key of several columns: whom a prediction is about where one column does not name them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from furrow.features import manifest
from furrow.ground.tables import RawFiles, run_sql
from furrow.layout import MANIFEST
from furrow.scaffold.answer_error import AnswerError
from furrow.scaffold.answers import Asked
from furrow.scaffold.bring_up import compile_project
from furrow.scaffold.joint_keys import guessed_joint, key_names, rows_each
from furrow.scaffold.place_files import place, scratch, stage
from furrow.scaffold.plan_init import InitPlan, Looked, look, plan_init
from tests.scaffold.conftest import ingest

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
STORES, PRODUCTS, WEEKS = ("North", "South"), (7, 8, 9), 30
SALES = Asked(predict="sold", about="Store, product", at="week")


def written(folder: Path) -> dict[tuple[str, int, datetime], int]:
    """Weekly sales of products in stores; deliveries of them; prices of products; towns of stores."""
    draw = random.Random(4)
    folder.mkdir(parents=True)
    sold = {
        (store, product, BEGIN + timedelta(weeks=week)): draw.randrange(100)
        for store in STORES
        for product in PRODUCTS
        for week in range(WEEKS)
    }
    rows = [f"{s},{p},{w:%Y-%m-%d},{n},{n % 3}" for (s, p, w), n in sold.items()]
    write(folder / "sales.csv", "Store,product,week,sold,posters", rows)
    rows = [
        f"{draw.choice(STORES)},{draw.choice(PRODUCTS)},{BEGIN + timedelta(days=day):%Y-%m-%d},{day % 9}"
        for day in range(200)
    ]
    write(folder / "deliveries.csv", "store,product,came_on,pieces", rows)
    write(folder / "prices.csv", "product,price", [f"{one},{one}.5" for one in PRODUCTS])
    return sold


def write(path: Path, head: str, rows: list[str]) -> None:
    path.write_text("\n".join([head, *rows, ""]))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Looked, dict[Any, int]]:
    folder = tmp_path_factory.mktemp("joint") / "shop"
    folder.mkdir()
    sold = written(folder.parent / "given")
    return folder, look([str(folder.parent / "given")], scratch(folder) / "landed"), sold


def planned(seen: tuple[Path, Looked, Any], asked: Asked) -> InitPlan:
    return plan_init(seen[0], seen[1], asked, now=datetime.now(UTC))


def rows_of(plan: InitPlan, folder: Path, text: str) -> list[dict[str, Any]]:
    raw = RawFiles(folder, {one.name: [one.path] for one in plan.landed})
    found: list[dict[str, Any]] = run_sql(text, raw, sql_file=folder / "one.sql").to_pylist()
    return found


def test_a_row_for_each_key_and_moment(seen: tuple[Path, Looked, dict[Any, int]]) -> None:
    """None is dropped because its store comes again; each has its own label."""
    plan = planned(seen, SALES)
    assert plan.answers.entity == "store, product"
    assert plan.answers.repeated == 0
    spine = rows_of(plan, seen[0], plan.texts["features/spines/sold.sql"])
    got = {(row["store"], row["product"], row["event_timestamp"]): row["sold"] for row in spine}
    assert len(spine) == len(got) == len(seen[2])
    assert got == seen[2]


def test_features_are_those_of_the_key(seen: tuple[Path, Looked, dict[Any, int]]) -> None:
    """The last sale of the same product in the same store, from when it was known; what is of a product alone is found by it."""
    plan = planned(seen, SALES)
    found: dict[str, Any] = {}
    for one in plan.features:
        rows = rows_of(plan, seen[0], one.sql)
        assert set(rows[0]) == {"store", "product", "event_timestamp", *one.features}
        assert len({tuple(list(row.values())[:3]) for row in rows}) == len(rows)
        for name in one.features:
            found[name] = rows
    compared = 0
    for row in found["sales_outcomes_sold_last"]:
        before = [
            (moment, number)
            for (store, product, moment), number in seen[2].items()
            if (store, product) == (row["store"], row["product"])
            and moment + timedelta(days=1) <= row["event_timestamp"]
        ]
        if before:
            assert row["sales_outcomes_sold_last"] == max(before)[1]
            compared += 1
    assert compared > len(seen[2]) / 2
    prices = {(row["product"], row["prices_price"]) for row in found["prices_price"]}
    assert {(product, product + 0.5) for product in PRODUCTS} <= prices
    assert any("deliveries_pieces" in name for name in found)
    assert not {"sales_store", "sales_product"} & set(found)


def test_a_joint_key_is_guessed(seen: tuple[Path, Looked, Any]) -> None:
    """Where no column names each row by itself; in the rows of a list each line is named by its place."""
    assert planned(seen, Asked(predict="sold")).answers.entity == "store, product"
    sales = seen[1].tables["sales"]
    assert rows_each(sales, "store, product") == WEEKS
    assert rows_each(sales, "store") == WEEKS * len(PRODUCTS)
    assert guessed_joint(sales, ["store"], [], "sold", 0) == ""
    assert key_names("") == []


@pytest.mark.parametrize("about", ["store, nobody", "store,store", "store,sold", "store,"])
def test_what_is_no_part_of_a_key(seen: tuple[Path, Looked, Any], about: str) -> None:
    """Unknown, named twice, the label, or nothing."""
    with pytest.raises(AnswerError, match="no column of sales that can be part of a key"):
        planned(seen, Asked(predict="sold", about=about))


def test_joint_entities(seen: tuple[Path, Looked, Any]) -> None:
    """Feast's: each view has both join keys, with their types; the problem names both."""
    plan = planned(seen, SALES)
    root = seen[0]
    stage(root, plan.texts)
    place(root)
    ingest(root)
    compile_project(root, lambda step: None)
    for view in manifest.load(root / MANIFEST).views.values():
        keys = {key.name: key.dtype for key in view.join_keys}
        assert keys == {"store": "String", "product": "Int64"}
    problem = yaml.safe_load(plan.texts["conf/problem/sold.yaml"])
    assert problem["entity"] == ["store", "product"]
