"""A batch: the features of some rows, with each value's status and age, in the form that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.features.decode import EXPIRED, MISSING, Columns
from furrow.stores.packed_values import as_moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from furrow.features.decode import Decoder
    from furrow.features.read_plan import Plan

__all__ = ["Batch"]

_NUMBERS = {"Int32", "Int64", "Float32", "Float64", "Bool"}
_FOREVER = 2**63


class Batch:
    """The answer to a request. Values are decoded when they are asked for, and once.

    Attributes:
        names: The features, in the service's order.
        digest: The feature service's digest.
        moment: When the answer was given, microseconds since 1970; ttl and ages count from it.
    """

    def __init__(
        self,
        plan: Plan,
        rows: Sequence[Mapping[str, Any]],
        records: Sequence[Sequence[Any]],
        *,
        moment: int,
        newest: int | None,
        decode: Decoder,
    ) -> None:
        self._plan = plan
        self._rows = rows
        self._records = records
        self._decode = decode
        self._newest = _FOREVER if newest is None else newest
        self._parts: list[Columns | None] = [None] * len(plan.parts)
        self._values: dict[str, list[Any]] | None = None
        self.moment = moment
        request = plan.request_values(rows) if plan.request else {}
        self._computed: list[dict[str, list[Any]]] = (
            plan.compute(self._column, request, len(rows)) if plan.computed else []
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in the service's order."""
        return self._plan.names

    @property
    def digest(self) -> str:
        """The feature service's digest."""
        return self._plan.service.digest

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return (
            f"Batch({self._plan.service.name}: {len(self)} rows, {len(self._plan.outputs)}"
            " features)"
        )

    def to_dict(self) -> dict[str, list[Any]]:
        """Each feature's values, None for null, missing and expired; times are aware datetimes."""
        if self._values is None:
            values = {}
            for name, part, where, _ in self._plan.outputs:
                if part < 0:
                    values[name] = self._computed[-1 - part][where]
                else:
                    values[name] = self._column(part, where)
            self._values = values
        return self._values

    def columns(self) -> dict[str, Any]:
        """Each feature's values.

        Float64 with NaN for null where they are numbers, else as `to_dict` has them.
        """
        found: dict[str, Any] = {}
        for name, part, where, dtype in self._plan.outputs:
            if part < 0:
                found[name] = self.computed(part)[where]
            elif dtype in _NUMBERS:
                found[name] = self.part(part).array(where)
            else:
                found[name] = self._column(part, where)
        return found

    def to_numpy(self) -> Any:
        """Rows by features, in the service's order.

        float64 with NaN for null if every feature is a number, else objects.
        """
        import numpy as np  # noqa: PLC0415 - an answer as plain values needs none

        outputs = self._plan.outputs
        if all(dtype in _NUMBERS for _, _, _, dtype in outputs):
            matrix = np.empty((len(self), len(outputs)), dtype="float64")
            for at, (_, part, where, _) in enumerate(outputs):
                if part < 0:
                    found = self._computed[-1 - part][where]
                    matrix[:, at] = [np.nan if value is None else value for value in found]
                else:
                    matrix[:, at] = self.part(part).array(where)
            return matrix
        values = self.to_dict()
        matrix = np.empty((len(self), len(outputs)), dtype=object)
        for at, name in enumerate(values):
            matrix[:, at] = values[name]
        return matrix

    def to_arrow(self) -> Any:
        """An Arrow table with the declared types."""
        import pyarrow as pa  # noqa: PLC0415 - only who asks for Arrow pays for it

        from furrow.stores.pack import arrow_column  # noqa: PLC0415 - as above

        values = self.to_dict()
        return pa.table(
            {name: arrow_column(values[name], dtype) for name, _, _, dtype in self._plan.outputs}
        )

    def to_pandas(self) -> Any:
        """A data frame: numbers as float64 or int64 (float64 with NaN if any is null), texts as objects."""
        import pandas as pd  # noqa: PLC0415 - only who asks for pandas pays for it

        values = self.to_dict()
        columns = {}
        for name, _, _, dtype in self._plan.outputs:
            column = values[name]
            if dtype in _NUMBERS and any(value is None for value in column):
                columns[name] = pd.Series(
                    [float("nan") if v is None else float(v) for v in column], dtype="float64"
                )
            elif dtype == "UnixTimestamp":
                columns[name] = pd.Series(pd.to_datetime(column, utc=True))  # type: ignore[assignment]
            else:
                columns[name] = pd.Series(column, dtype=_pandas_type(dtype))
        return pd.DataFrame(columns)

    @property
    def status(self) -> dict[str, list[str]]:
        """Each value's status.

        "present", "null", "missing" (an unknown entity) or "expired" (older than the ttl).
        """
        values, found = self.to_dict(), {}
        for name, part, _, _ in self._plan.outputs:
            if None not in values[name]:  # what is missing or expired has no value
                found[name] = ["present"] * len(self)
                continue
            states = self.part(part).states() if part >= 0 else [0] * len(self)
            found[name] = [
                (
                    "missing"
                    if state == MISSING
                    else "expired"
                    if state == EXPIRED
                    else "null"
                    if value is None
                    else "present"
                )
                for state, value in zip(states, values[name], strict=True)
            ]
        return found

    @property
    def event_time(self) -> dict[str, list[datetime | None]]:
        """Each value's event time; that of its oldest input for an on-demand feature."""
        moments: dict[int, list[datetime | None]] = {}
        found = {}
        for name, events in self._events():
            known = moments.get(id(events))
            if known is None:
                known = [None if one is None else as_moment(one) for one in events]
                moments[id(events)] = known
            found[name] = known
        return found

    @property
    def age(self) -> dict[str, list[float | None]]:
        """Each value's age in seconds; None where the entity isn't known."""
        return {
            name: [None if event is None else (self.moment - event) / 1e6 for event in events]
            for name, events in self._events()
        }

    def _events(self) -> Iterator[tuple[str, list[int | None]]]:
        """Each feature's event times in microseconds; features of one view share the list."""
        known: dict[int, list[int | None]] = {}
        for name, part, _, _ in self._plan.outputs:
            if part not in known:
                known[part] = self.part(part).events() if part >= 0 else self.oldest(part)
            yield name, known[part]

    def oldest(self, part: int) -> list[int | None]:
        """The event times of the oldest input of an on-demand view."""
        _, _, sources = self._plan.computed[-1 - part]
        parts = [self.part(at).events() for at in dict.fromkeys(at for _, at, _ in sources)]
        rows = zip(*parts, strict=True) if parts else [()] * len(self)
        return [min((e for e in row if e is not None), default=None) for row in rows]

    def computed(self, part: int) -> dict[str, list[Any]]:
        """An on-demand view's features, by -1 - its place in the plan."""
        return self._computed[-1 - part]

    def part(self, index: int) -> Columns:
        """A view's share, by its place in the plan."""
        found = self._parts[index]
        if found is None:
            part = self._plan.parts[index]
            oldest = -_FOREVER if part.ttl is None else self.moment - part.ttl
            found = self._decode(
                part.layout, self._records[index], oldest=oldest, newest=self._newest
            )
            self._parts[index] = found
        return found

    def _column(self, part: int, position: int) -> list[Any]:
        """A view's feature as plain values, times as datetimes."""
        values = self.part(part).values(position)
        plain = self._plan.parts[part].plain[position]
        return (
            values
            if plain is None
            else [None if value is None else plain(value) for value in values]
        )


def _pandas_type(dtype: str) -> Any:
    """The pandas type of a column without nulls; texts and lists are objects."""
    return {
        "Int32": "int32",
        "Int64": "int64",
        "Float32": "float32",
        "Float64": "float64",
        "Bool": "bool",
    }.get(dtype, "object")
