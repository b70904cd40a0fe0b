"""Regression: a number, with an interval."""

from __future__ import annotations

from typing import ClassVar

from furrow.training.tasks.numbers import NumberTask

__all__ = ["TASK"]


class Regression(NumberTask):
    """A number of each row."""

    name: ClassVar[str] = "regression"


TASK = Regression()
