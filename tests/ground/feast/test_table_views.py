"""Views declared by the types of their fields are Feast's views, a Field for each feature."""

from __future__ import annotations

import pytest
from feast import Entity, ValueType, types

from furrow.ground.feast.table_views import TableViewError, table_view, windows

ABOUT = Entity(name="who", join_keys=["who"], value_type=ValueType.INT64)


def test_fields_by_type() -> None:
    """Names begin as is said once, and each has its type."""
    view = table_view("orders_profile", ABOUT, owner="me", of="orders", Int64="units\n  lines", String="country")  # fmt: skip
    assert {field.name: field.dtype for field in view.schema if field.name != "who"} == {
        "orders_units": types.Int64,
        "orders_lines": types.Int64,
        "orders_country": types.String,
    }
    assert (view.owner, view.batch_source.path) == ("me", "../build/tables/orders_profile.parquet")


def test_fields_of_windows() -> None:
    """Counts of each window, figures of each number and its last value."""
    found = windows("orders", "price", spans="7d ever", figures="mean")
    assert found == {
        "orders_7d": "Int64", "orders_ever": "Int64", "orders_price_mean_7d": "Float64",
        "orders_price_mean_ever": "Float64", "orders_price_last": "Float64",
    }  # fmt: skip
    view = table_view("history", ABOUT, happened=found | windows("visits"), String="word")
    assert {"word", "visits_90d", *found} <= {field.name for field in view.schema}


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"Int46": "a"}, "Int46 is no type"), ({"Int64": "a b", "String": "b"}, "b comes twice"), ({"Array": "a"}, "no type")],
)  # fmt: skip
def test_what_can_not_be_declared(fields: dict[str, str], said: str) -> None:
    """A type that Feast does not have, a field twice: named, with the view."""
    with pytest.raises(TableViewError, match=f"view v: {said}|{said}"):
        table_view("v", ABOUT, **fields)
