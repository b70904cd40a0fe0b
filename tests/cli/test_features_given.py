"""What is typed at `furrow features`, in the types of its columns; and which commands reach the stores."""

import io
import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from furrow.cli.features import command
from furrow.cli.features_given import given_rows, jsonable, row_text, typed_moment
from furrow.cli.features_store import COMMANDS
from furrow.errors import FurrowError, UsageError

TYPES = {"origin": "String", "flight": "Int32", "distance": "Float64", "late": "Bool"}


def test_a_row_of_pairs_has_the_types_of_its_columns():
    pairs = ("origin=07", "flight=07", "distance=1e3", "late=True", "note=a=b")
    row = {"origin": "07", "flight": 7, "distance": 1000.0, "late": True, "note": "a=b"}
    assert given_rows(pairs, None, TYPES) == [row]
    assert row_text({"origin": "JFK", "flight": 7}) == "origin=JFK, flight=7"


def test_rows_of_a_file():
    text = '{"origin": "JFK"}\n\n{"origin": "EWR"}\n'
    assert given_rows((), io.StringIO(text), TYPES) == [{"origin": "JFK"}, {"origin": "EWR"}]


@pytest.mark.parametrize(
    ("pairs", "text", "said"),
    [
        ((), None, "name one row with -e KEY=VALUE"),
        (("a=1",), "{}", "name one row with -e KEY=VALUE"),
        (("flight",), None, "should be KEY=VALUE"),
        (("flight=seven",), None, "not of the type Int32"),
        (("late=maybe",), None, "not of the type Bool"),
        ((), "{\n", "line 1 is not JSON"),
        ((), "\n[1]\n", "line 2: should be an object"),
        ((), "\n", "holds no rows"),
    ],
)
def test_what_is_no_row(pairs, text, said):
    source = None if text is None else io.StringIO(text)
    if source is not None:
        source.name = "rows.jsonl"
    with pytest.raises(FurrowError, match=said):
        given_rows(pairs, source, TYPES)


def test_moments():
    """UTC where no zone is named."""
    noon = datetime(2013, 9, 30, 12, tzinfo=UTC)
    assert typed_moment("2013-09-30T12:00", "--at") == noon
    assert typed_moment("2013-09-30T14:00+02:00", "--at") == noon
    assert typed_moment(None, "--at") is None
    with pytest.raises(UsageError, match="--at: 'noon' is not a time"):
        typed_moment("noon", "--at")


def test_values_that_json_lacks():
    value = {
        "at": datetime(2013, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        "x": (math.nan, math.inf, 1.5, None, True),
        "b": b"a",
    }
    said = {"at": "2013-01-01T00:00:00+01:00", "x": [None, None, 1.5, None, True], "b": "b'a'"}
    assert json.loads(json.dumps(jsonable(value))) == said


def test_the_stores_commands_are_there():
    assert {one.name for one in COMMANDS} == {
        "materialize", "verify", "compare-stores", "get", "push",
    }  # fmt: skip
    assert all(command.commands[one.name] is one for one in COMMANDS)
