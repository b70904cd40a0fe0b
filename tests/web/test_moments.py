"""What the foot of each page says of times, held: they are UTC."""

import pytest

from furrow.web.moments import utc_minute

from .conftest import asking, commit, made, run_files, shared_files


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("2024-03-01T14:05:09+02:00", "2024-03-01 12:05"),
        ("2024-03-01T23:30:00-05:00", "2024-03-02 04:30"),
        ("2024-03-01T14:05:09Z", "2024-03-01 14:05"),
        ("2024-03-01T14:05", "2024-03-01 14:05"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("yesterday", "yesterday"), ("", None), (None, None),
    ],
)  # fmt: skip
def test_one_clock(said: str | None, told: str | None) -> None:
    assert utc_minute(said) == told


def test_a_commit_from_elsewhere(tmp_path, monkeypatch) -> None:
    """Who made a run at seven in the evening in Tokyo made it at ten in the morning."""
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2024-03-01T19:00:00+09:00")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2024-03-01T19:00:00+09:00")
    folder = made(tmp_path / "project")
    commit(folder, {**run_files("gbm", {"roc_auc": 0.8}), **shared_files("gbm", ["gbm"])})
    ask = asking(folder)
    for path in ("/run?run=gbm", "/models"):
        page = ask(path).text
        assert "2024-03-01 10:00" in page
        assert "19:00" not in page
