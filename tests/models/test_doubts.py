"""What speaks against a prediction is said: a model never answers confidently from nothing."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from furrow.models.doubts import DoubtfulError, doubts_of
from furrow.training.encoding import Category, Encoding, Number

AT = datetime(2020, 5, 1, 12, tzinfo=UTC)
SHOPS = Category("shop", {"north": 0.0, "south": 1.0}, None, None, 0)
MODEL = SimpleNamespace(encoding=Encoding((SHOPS, Number("visits"))))


def test_nothing_speaks_against_what_was_seen() -> None:
    features = {"shop": "north", "visits": 3}
    status = {"visits": "present"}
    assert doubts_of(features, status, MODEL, at=AT, newest=AT) == ()
    assert doubts_of({"shop": None, "visits": None}, {"visits": "null"}, MODEL, at=AT) == ()


def test_each_doubt_is_named() -> None:
    """A text that training never saw, features that are not there, and a moment after all data."""
    status = {f"f{n}": "missing" for n in range(6)} | {"visits": "expired"}
    features = {"shop": "nowhere", "visits": None}
    late, missing, expired, unknown = doubts_of(
        features, status, MODEL, at=AT, newest=AT - timedelta(minutes=1)
    )
    assert late.startswith("2020-05-01 12:00 UTC is after the newest event")
    assert missing.startswith("6 of 7 features are missing")
    assert missing.endswith("f0, f1, f2, f3 and 2 more")
    assert expired == "1 of 7 features are expired (older than their ttl): visits"
    assert unknown == "shop 'nowhere' was never seen in training"
    (everything,) = doubts_of({}, {"a": "missing"}, None, at=AT)
    assert everything.startswith("all features are missing")


def test_a_strict_error_holds_them() -> None:
    error = DoubtfulError(("one", "two"))
    assert "one; two" in str(error)
    assert error.doubts == ("one", "two")
