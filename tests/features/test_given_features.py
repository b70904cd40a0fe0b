"""What a request may give in the store's place: features by name, or those of a view; never what others are computed from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from furrow.features.given_features import GIVEN, GivenFeatureError, given_features
from furrow.features.schema import Projection
from tests.servingworld import declared


def giving(text: str, **changed: object):
    manifest = declared()
    full = replace(manifest.services["full"], tags={GIVEN: text}, **changed)
    return replace(manifest, services={"full": full})


def test_by_name_and_by_view() -> None:
    assert given_features(giving(""), "full") == {}
    assert given_features(giving("visits, visits"), "full") == {"visits": "Int64"}
    assert given_features(giving("day"), "full") == {"visits": "Int64"}
    assert given_features(giving("share"), "full") == {"share": "Float64"}


def test_names_as_they_are_served() -> None:
    """Of two projections of one view each has names of its own."""
    twice = (Projection("day", "day", ("visits",)), Projection("day", "before", ("visits",)))
    manifest = giving("before", views=twice)
    assert given_features(manifest, "full") == {"before__visits": "Int64"}


@pytest.mark.parametrize(
    ("text", "said"), [("visit", "names visit, which it has not"), ("spent_mean", "computed from")]
)
def test_what_can_not_be_given(text: str, said: str) -> None:
    with pytest.raises(GivenFeatureError, match=said):
        given_features(giving(text), "full")
