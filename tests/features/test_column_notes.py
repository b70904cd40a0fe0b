"""What a feature means and its unit: from its Field, else from the comment beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from furrow.features.catalog import Catalog
from furrow.features.column_notes import Meaning, meaning, noted, tagged
from furrow.features.manifest import load
from furrow.features.schema import Column

ROOT = Path(__file__).parents[2]
SQL = """-- a table [nothing]
with inner_rows as (select a as wind, -- the inner one [kn]
  b from raw)
select
    place,
    wind * 2 as wind,  -- mean wind of the hour [mph]
    'x -- y' as text_of,
    max(b) over (
        order by t
    ) as "most"  -- the most, so far
from inner_rows
"""


def test_comments_beside_columns() -> None:
    """The outermost SELECT's count; a unit stands in brackets; words elsewhere are none of a column's."""
    found = noted(SQL)
    assert found["wind"] == Meaning("mean wind of the hour", "mph")
    assert found["most"] == Meaning("the most, so far", "")
    assert "place" not in found
    assert "text_of" not in found


def test_a_long_comment_is_cut() -> None:
    assert len(noted(f"select a, -- {'x' * 10_000}\n")["a"].description) == 500


@pytest.mark.parametrize(
    ("column", "source", "found"),
    [
        (Column("wind", "Float64"), "", ("mean wind of the hour", "mph")),
        (Column("wind", "Float64", "as I say", "kn"), "", ("as I say", "kn")),
        (Column("wind", "Float64", "as I say"), "", ("as I say", "mph")),
        (Column("renamed", "Float64"), "wind", ("mean wind of the hour", "mph")),
        (Column("other", "Float64"), "", ("", "")),
    ],
)
def test_the_field_comes_first(column: Column, source: str, found: tuple[str, str]) -> None:
    assert meaning(column, noted(SQL), source) == found


def test_what_a_column_means_makes_no_other_of_it() -> None:
    """Nor does a manifest say what nobody said."""
    told = Column("a", "Int64", "what it is", "h")
    assert told == Column("a", "Int64")
    assert told.to_json() == {
        "name": "a",
        "dtype": "Int64",
        "description": "what it is",
        "unit": "h",
    }
    assert Column("a", "Int64").to_json() == {"name": "a", "dtype": "Int64"}


def test_each_feature_of_this_repository_is_told() -> None:
    """What it is and its unit, and a search finds it by either."""
    catalog = Catalog(ROOT / "features", ROOT, load(ROOT / "features"))
    assert [one.name for one in catalog.features() if not (one.description and one.unit)] == []
    found = [one.entry.name for one in catalog.search(("gust", "mph"))]
    assert found[0] == "weather_origin:weather_gust_3h"


def test_an_on_demand_view_says_it_in_tags() -> None:
    """By the feature's name; what else the view is tagged with is no meaning."""
    tags = {"domain": "x", "hour": "of the departure [h]", "late": "whether it was"}
    assert tagged(tags, ["hour", "late", "other"]) == {
        "hour": Meaning("of the departure", "h"),
        "late": Meaning("whether it was"),
    }
