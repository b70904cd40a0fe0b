"""A view as the embedded store has it, and the options of that store."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from furrow.errors import FurrowError
from furrow.features.lmdb_options import open_lmdb
from furrow.features.schema import Column, View
from furrow.features.stored_views import schema_of, stored_name

if TYPE_CHECKING:
    from pathlib import Path


def view(name: str) -> View:
    """A view of two keys and two features, in an order that is no alphabet's."""
    return View(
        name=name,
        digest="",
        table=None,
        source="v.parquet",
        join_keys=(Column("user_id", "Int64"), Column("city", "String")),
        features=(Column("z", "Float64"), Column("a", "Array(Int64)")),
        timestamp_field="t",
        created_timestamp_column=None,
        ttl_seconds=None,
        field_mapping={},
        owner="",
        description="",
        tags={},
    )


def test_projects_of_one_store_are_apart() -> None:
    """Two projects may each have a view `trips`, and both keep their places in one store."""
    names = {stored_name(SimpleNamespace(project=one), "trips") for one in ("shop", "shop2")}  # type: ignore[arg-type]
    assert names == {"shop/trips", "shop2/trips"}


def test_a_record_keeps_the_views_order() -> None:
    """Records are read by place: keys by their names, as Feast sorts them, features as they are declared."""
    found = schema_of(view("trips"))
    assert found.keys == (("city", "String"), ("user_id", "Int64"))
    assert found.features == (("z", "Float64"), ("a", "Array(Int64)"))


def opened(folder: Path, **options: Any) -> Any:
    """The store that options name."""
    return open_lmdb(SimpleNamespace(), folder, options, create=True)  # type: ignore[arg-type]


def test_the_path_begins_at_the_features_folder(tmp_path: Path) -> None:
    """Given or not, it is relative to the Feast repository, and what one handle writes another reads."""
    features = tmp_path / "features"
    features.mkdir()
    for options in ({}, {"path": "../elsewhere"}):
        store = opened(features, **options)
        store.define("shop/trips", schema_of(view("trips")))
        store.close()
    assert (tmp_path / "build/online").is_dir()
    assert (tmp_path / "elsewhere").is_dir()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pth": "x"}, "pth"),
        ({"limit": "much"}, "limit"),
        ({"limit": -1}, "limit"),
    ],
)
def test_an_option_that_is_wrong_is_named(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    """It is never dropped, and nothing is made."""
    with pytest.raises(FurrowError, match=said):
        opened(tmp_path / "features", **options)
    assert list(tmp_path.iterdir()) == []
