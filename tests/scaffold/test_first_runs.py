"""What init says of a champion whose squared errors are worse than a mean's."""

from __future__ import annotations

from furrow.scaffold.first_runs import FirstRun, doubted_champion


def run(name: str, rmse: float, r2: float, *, champion: bool = False) -> FirstRun:
    return FirstRun(name, {"mae": 1.0, "rmse": rmse, "r2": r2}, champion, ())


def test_a_champion_that_is_told_to_be_doubted() -> None:
    """A negative r2, or a greater rmse than the baseline's; nothing where all is well, or nobody is champion."""
    base = run("baseline", 5.0, 0.0)
    assert "r2 of -0.086" in doubted_champion([run("boosting", 6.0, -0.086, champion=True), base])
    assert "greater rmse" in doubted_champion([run("boosting", 6.0, 0.1, champion=True), base])
    assert doubted_champion([run("boosting", 4.0, 0.3, champion=True), base]) == ""
    assert doubted_champion([run("boosting", 6.0, -1.0), base]) == ""
    two = FirstRun("boosting", {"log_loss": 0.3}, champion=True, failed=())
    assert doubted_champion([two, FirstRun("baseline", {"log_loss": 0.5}, False, ())]) == ""
