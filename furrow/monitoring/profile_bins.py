"""How a column is counted: bins of its reference's quantiles, or its reference's categories.

Bins of equal width hide drift as soon as a few values lie far out; those of quantiles hold equal
shares of the reference, wherever its values lie. What lies outside the reference's range has a bin
at either end, and so has a value that is a share of the reference by itself, such as zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from furrow.errors import FurrowError
from furrow.files import sha256_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "BINS",
    "CATEGORY",
    "NUMBER",
    "Bins",
    "ProfileError",
    "bins_digest",
    "bins_of",
    "numbers",
]

NUMBER, CATEGORY = "number", "category"
BINS = 256
"""Bins of a number, those outside the reference included; and categories, the rest included."""
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


class ProfileError(FurrowError):
    """A profile that can't be read, or is of other bins than what it meets."""


@dataclass(frozen=True)
class Bins:
    """How one column is counted.

    Attributes:
        kind: "number" or "category".
        cuts: Of a number, ascending: a value on a cut lies above it.
        values: Of a category, sorted: the most frequent ones.
        whole: Of a category: whether the reference held no other ones, so that any other is new.
    """

    kind: str
    cuts: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    whole: bool = True

    @property
    def cells(self) -> int:
        """How many counts there are: one more than cuts, or than values (the rest is the last)."""
        return (len(self.cuts) if self.kind == NUMBER else len(self.values)) + 1

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        if self.kind == NUMBER:
            return {"kind": NUMBER, "cuts": list(self.cuts)}
        return {"kind": CATEGORY, "values": list(self.values), "whole": self.whole}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Bins:
        """What `to_json` gave.

        Raises:
            ProfileError: It is something else.
        """
        try:
            if value["kind"] == NUMBER:
                cuts = tuple(float(cut) for cut in value["cuts"])
                found = cls(NUMBER, cuts)
            else:
                found = cls(
                    value["kind"], (), tuple(map(str, value["values"])), bool(value["whole"])
                )
        except (KeyError, TypeError, ValueError) as exc:
            raise ProfileError(f"the bins of a profile are malformed: {exc!r}") from exc
        held: list[Any] = list(found.cuts or found.values)
        if found.kind not in {NUMBER, CATEGORY} or held != sorted(set(held)):
            raise ProfileError(
                f"the bins of a profile are malformed: {found.kind!r}, not ascending"
            )
        return found


def bins_digest(bins: Mapping[str, Bins]) -> str:
    """What tells the bins of a profile from others."""
    return sha256_json({name: one.to_json() for name, one in bins.items()})


def bins_of(column: pa.ChunkedArray | pa.Array) -> Bins:
    """The bins that a reference's column gives.

    Args:
        column: Numbers (booleans, times and decimals among them), or texts.
    """
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if _is_category(column.type):
        return _categories(column)
    return _quantiles(numbers(column))


def numbers(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    """A column as numbers, nulls as NaN; a zero has no sign.

    Raises:
        pyarrow.ArrowInvalid: A text is no number.
    """
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_temporal(column.type):
        column = pc.cast(
            pc.cast(column, pa.timestamp("us", tz=getattr(column.type, "tz", None))), pa.int64()
        )
    elif pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    found: NDArray[np.float64] = np.asarray(
        pc.cast(column, pa.float64(), safe=False), dtype=np.float64
    )
    return found + 0.0


def _is_category(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in _TEXT)


def _quantiles(values: NDArray[np.float64]) -> Bins:
    known = np.sort(values[np.isfinite(values)])
    if not known.size:
        return Bins(NUMBER)
    # The inner cuts, between the least value and what lies above the greatest.
    places = (np.arange(1, BINS - 2) * known.size) // (BINS - 2)
    cuts, times = np.unique(known[places], return_counts=True)
    # A value that takes several quantiles is a bin of its own: its upper end is the next number.
    own = cuts[times > 1]
    exact = [*own, *_next(own), known[0], *_next(known[-1:])]
    return Bins(NUMBER, tuple(np.unique([*exact, *_short(cuts[times == 1])]).tolist()))


def _next(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers after these, where there are any."""
    with np.errstate(over="ignore"):
        after = np.nextafter(values, np.inf)
    return after[np.isfinite(after)]


def _short(cuts: NDArray[np.float64]) -> list[float]:
    """Cuts of fewer digits, each moved by a twentieth of its bin at most.

    Any cut nearby is as good.
    """
    if cuts.size < 2:
        return [float(cut) for cut in cuts]
    gaps = np.diff(cuts / 2)  # halves, that the widest gap is a number
    widths = 2 * np.minimum(np.append(gaps, gaps[-1]), np.insert(gaps, 0, gaps[0]))
    return [
        round(cut, 1 - int(np.floor(np.log10(width)))) if 1e-100 < width < 1e100 else cut
        for cut, width in zip(cuts.tolist(), widths.tolist(), strict=True)
    ]


def _categories(column: pa.ChunkedArray) -> Bins:
    counted = pc.value_counts(pc.drop_null(_texts(column)))
    values, counts = counted.field(0).to_pylist(), counted.field(1).to_pylist()
    order = sorted(range(len(values)), key=lambda place: (-counts[place], values[place]))
    kept = sorted(values[place] for place in order[: BINS - 1])
    return Bins(CATEGORY, (), tuple(kept), len(values) == len(kept))


def _texts(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    found = pc.cast(column, pa.string())
    return pa.chunked_array([found]) if isinstance(found, pa.Array) else found
