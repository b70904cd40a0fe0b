"""A request's fields: filled in where they are declared, told of where they are missing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from furrow.models.request import RequestError, complete

AT = datetime(2024, 1, 1, tzinfo=UTC)


def test_fields_that_hang_on_the_moment(tmp_path: Path) -> None:
    assert complete(tmp_path, {"a": 1}, AT, ["a"]) == {"a": 1}
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/predict.yaml").write_text("ahead: {departure: 2h, due: 90m, day: 1d}\n")
    found = complete(tmp_path, {"day": "given"}, AT, ["departure"])
    assert found == {
        "departure": AT + timedelta(hours=2),
        "due": AT + timedelta(minutes=90),
        "day": "given",
    }


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="needs a_b, c") as caught:
        complete(tmp_path, {}, AT, ["a_b", "c"])
    assert "--a-b VALUE --c VALUE" in str(caught.value)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/predict.yaml").write_text("ahead: {due: soon}\n")
    with pytest.raises(RequestError, match=r"ahead\.due 'soon' is not a time span"):
        complete(tmp_path, {}, AT, [])
