"""The text of a view, run, has a Field for each feature of its table, of the type that it has."""

from __future__ import annotations

import pytest
from feast import Entity, ValueType

from furrow.ground.feast.table_views import table_view, windows
from furrow.scaffold.source_tables import FeatureTable
from furrow.scaffold.view_texts import view_lines

HISTORY = windows("orders", "price items") | windows("late", "x", spans="7d 30d 90d ever", figures="mean")  # fmt: skip
FEATURES = {
    "one prefix": {"orders_a": "Int64", "orders_größe": "String", "orders_class": "Float64"},
    "none": {"a": "Int64", "orders_b": "Int64"},
    "windows": {**HISTORY, "orders_word_last": "String"},
    "a count that lacks a window": {"orders_7d": "Int64", "orders_30d": "Int64"},
    "a number that lacks a figure": {name: kind for name, kind in HISTORY.items() if name != "orders_price_last"},
    "many": {f"orders_column_{at}": "Float64" for at in range(200)},
}  # fmt: skip


@pytest.mark.parametrize("kind", FEATURES)
def test_every_feature_has_its_field(kind: str) -> None:
    """However they are grouped, none is lost, none is more; a line fits on a screen."""
    table = FeatureTable("orders_history", "", FEATURES[kind])
    lines = view_lines(table, ["about"], "me")
    about = Entity(name="who", join_keys=["who"], value_type=ValueType.STRING)
    found: dict[str, object] = {"about": about, "table_view": table_view, "windows": windows}
    exec("\n".join(lines), found)
    fields = {one.name: str(one.dtype) for one in found["orders_history_view"].schema}  # type: ignore[attr-defined]
    assert fields == FEATURES[kind]
    assert max(map(len, lines)) <= 100
