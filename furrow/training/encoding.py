"""The encoder as data: how columns of a row become the numbers that a model computes with."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from furrow.stores.float_columns import canonical_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Category", "Encoding", "Number"]

_WIDEST = 1 << 20


@dataclass(frozen=True)
class Category:
    """A column of texts, each of which stands for a number, or for the place of a one among zeros.

    Attributes:
        column: Its name.
        codes: What each known text stands for; None for no number, or no place.
        missing: What a missing value stands for.
        unknown: What any other text stands for.
        width: How many numbers it becomes: 1 for a code, more for a one among zeros; 0 marks a
            code.
    """

    column: str
    codes: Mapping[str, float | None]
    missing: float | None
    unknown: float | None
    width: int

    def __post_init__(self) -> None:
        """Hold each place to the width.

        Raises:
            ValueError: One lies beyond it, or nothing is that wide.
        """
        if not 0 <= self.width <= _WIDEST:
            raise ValueError(f"{self.column!r} becomes {self.width} numbers")
        places = [*self.codes.values(), self.missing, self.unknown] if self.width else []
        for place in places:
            if place is not None and not math.isnan(place) and not 0 <= place < self.width:
                raise ValueError(f"{self.column!r} has place {place} of {self.width}")

    def numbers(self, values: Iterable[Any]) -> NDArray[np.float64]:
        """The column's numbers, shape (rows, width or 1)."""
        codes, unknown = self.codes, self.unknown
        found = np.array(
            [
                (self.missing if value is None or value != value else codes.get(value, unknown))  # noqa: PLR0124
                for value in values
            ],
            dtype=np.float64,
        )
        if not self.width:
            return found[:, None]
        block = np.zeros((len(found), self.width))
        rows = np.flatnonzero(~np.isnan(found))
        block[rows, found[rows].astype(np.intp)] = 1.0
        return block

    def one(self, value: Any) -> list[float]:
        """One value's numbers."""
        missing = value is None or value != value  # noqa: PLR0124 - NaN
        code = self.missing if missing else self.codes.get(value, self.unknown)
        if not self.width:
            return [math.nan if code is None else code]
        block = [0.0] * self.width
        if code is not None and code == code:  # noqa: PLR0124 - NaN
            block[int(code)] = 1.0
        return block


@dataclass(frozen=True)
class Number:
    """A column of numbers.

    What stands for a missing one, and how it is scaled, (value - mean) / scale.
    """

    column: str
    fill: float | None = None
    mean: float = 0.0
    scale: float = 1.0

    def numbers(self, values: Any) -> NDArray[np.float64]:
        """The column's numbers, shape (rows, 1)."""
        if hasattr(values, "to_numpy"):
            found = values.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            found = np.array(values, dtype=np.float64)
        if self.fill is not None:
            found = np.where(np.isnan(found), self.fill, found)
        if self.mean != 0.0:
            found = found - self.mean
        if self.scale != 1.0:
            found = found / self.scale
        return canonical_matrix(found)[:, None]

    def one(self, value: Any) -> list[float]:
        """One value's number."""
        found = math.nan if value is None else float(value)
        if self.fill is not None and found != found:  # noqa: PLR0124 - NaN
            found = self.fill
        return [(found - self.mean) / self.scale + 0.0]


class _Block(Protocol):
    """Columns that become numbers together."""

    def matrix(self, columns: Mapping[str, Any]) -> NDArray[np.float64]:
        """Their numbers, shape (rows, numbers)."""


@dataclass(frozen=True)
class _Alone:
    """A column by itself."""

    part: Category | Number

    def matrix(self, columns: Mapping[str, Any]) -> NDArray[np.float64]:
        return self.part.numbers(columns[self.part.column])


class _Numbers:
    """Columns of numbers.

    The same bits as one by one, at a tenth of the time for a request's one row.
    """

    def __init__(self, parts: tuple[Any, ...]) -> None:
        self._columns = [part.column for part in parts]
        fill = np.array([np.nan if part.fill is None else part.fill for part in parts])
        self._fill = None if np.isnan(fill).all() else fill
        self._mean = np.array([part.mean for part in parts])
        self._scale = np.array([part.scale for part in parts])

    def matrix(self, columns: Mapping[str, Any]) -> NDArray[np.float64]:
        found = np.array([columns[name] for name in self._columns], dtype=np.float64).T
        if self._fill is not None:
            found = np.where(np.isnan(found), self._fill, found)
        return canonical_matrix((found - self._mean) / self._scale)


@dataclass(frozen=True)
class Encoding:
    """Columns in the order of the model's numbers."""

    parts: tuple[Category | Number, ...]

    def matrix(self, columns: Mapping[str, Any] | pd.DataFrame) -> NDArray[np.float64]:
        """The numbers of rows, shape (rows, numbers).

        Args:
            columns: The columns by name: a data frame, or a mapping of sequences.
        """
        if isinstance(columns, dict):
            return np.hstack([block.matrix(columns) for block in self._blocks])
        return np.hstack([part.numbers(columns[part.column]) for part in self.parts])

    def row(self, values: Mapping[str, Any]) -> list[float]:
        """The numbers of one row, to the bit those of `matrix`.

        Args:
            values: By column.
        """
        if self._as_they_are is not None:
            try:
                return [
                    math.nan if (value := values[name]) is None else value + 0.0
                    for name in self._as_they_are
                ]
            except TypeError:
                pass  # decimals and the like
        return [number for part in self.parts for number in part.one(values[part.column])]

    @cached_property
    def _as_they_are(self) -> list[str] | None:
        """The columns, if each is a number that nothing is done to."""
        plain = all(part == Number(part.column) for part in self.parts)
        return [part.column for part in self.parts] if plain else None

    @cached_property
    def _blocks(self) -> list[_Block]:
        """The parts, numbers that stand side by side together."""
        runs = groupby(self.parts, key=lambda part: isinstance(part, Number))
        return [
            block
            for numbers, run in runs
            for block in ([_Numbers(tuple(run))] if numbers else map(_Alone, run))
        ]

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values for JSON; floats keep every bit."""
        return [{"kind": type(part).__name__.lower(), **asdict(part)} for part in self.parts]

    @classmethod
    def from_json(cls, parts: list[dict[str, Any]]) -> Encoding:
        """The encoding that `to_json` wrote."""
        kinds = {"category": Category, "number": Number}
        made = [
            kinds[part["kind"]](**{k: v for k, v in part.items() if k != "kind"}) for part in parts
        ]
        return cls(tuple(made))
