"""On-demand features in serving: the very source that training used, run on a request's values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.stores.feast_types import parse_type
from furrow.stores.floats import canonical
from furrow.stores.packed_values import conform, decoder, encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from furrow.features.schema import OnDemandView

__all__ = ["OnDemandError", "RequestError", "coerced", "compute", "function_of"]

_REQUESTED = {"Int32", "Int64", "Float32", "Float64", "String", "Bool"}


class OnDemandError(FurrowError):
    """The code of an on-demand view failed, or may not run."""

    def __init__(self, message: str, *, view: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.view = view


class RequestError(FurrowError):
    """A request lacks a value, or a value has the wrong type; `.field` says which."""

    def __init__(self, message: str, *, field: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


def function_of(view: OnDemandView) -> Callable[[dict[str, Any]], Any]:
    """The function that an on-demand view's code defines. Runs the code.

    The caller has checked where it comes from.

    Raises:
        OnDemandError: The code doesn't run or doesn't define the function.
    """
    space: dict[str, Any] = {"__name__": f"furrow_on_demand_{view.name}"}
    try:
        # see the docstring
        exec(compile(view.code, f"<on-demand view {view.name}>", "exec"), space)  # noqa: S102
        function: Callable[[dict[str, Any]], Any] = space[view.function]
    except Exception as exc:
        raise OnDemandError(
            f"the code of on-demand view {view.name} does not run: {type(exc).__name__}: {exc}",
            view=view.name,
            hint="correct features/on_demand.py, then `furrow compile`",
        ) from exc
    return function


def compute(
    view: OnDemandView,
    function: Callable[[dict[str, Any]], Any],
    inputs: Mapping[str, Sequence[Any]],
    count: int,
) -> dict[str, list[Any]]:
    """An on-demand view's features for some rows.

    Args:
        view: The view.
        function: What its code defines.
        inputs: The inputs' values, under each name that the function may use.
        count: How many rows.

    Returns:
        Each feature's values, None for null.

    Raises:
        OnDemandError: The function failed, or didn't return its features.
    """
    try:
        if view.mode == "pandas":
            frame: Any = function(_frame(view, inputs))
            answer = {name: frame[name].tolist() for name in frame.columns}
        elif view.singleton:
            rows = [
                function({name: values[at] for name, values in inputs.items()})
                for at in range(count)
            ]
            answer = {column.name: [row[column.name] for row in rows] for column in view.features}
        else:
            answer = (
                dict(function({name: list(values) for name, values in inputs.items()}))
                if count
                else {}
            )
        found = {c.name: conform(answer[c.name], c.dtype) if count else [] for c in view.features}
    except KeyError as exc:
        raise OnDemandError(f"on-demand view {view.name} lacks {exc}", view=view.name) from exc
    except Exception as exc:
        raise OnDemandError(
            f"on-demand view {view.name} failed: {type(exc).__name__}: {exc}",
            view=view.name,
            hint="a feature may be missing for a new entity: let the function take None",
        ) from exc
    short = [name for name, values in found.items() if len(values) != count]
    if short:
        raise OnDemandError(
            f"on-demand view {view.name} returned {len(found[short[0]])} values of {short[0]} for"
            f" {count} rows",
            view=view.name,
        )
    return found


def coerced(name: str, dtype: str, value: Any) -> Any:
    """A request's value in its declared type.

    Raises:
        RequestError: It can't be.
    """
    if value is None:
        return None
    if dtype == "UnixTimestamp":
        return _moment(name, value)
    if dtype not in _REQUESTED:
        return _recoded(name, dtype, value)
    value = canonical(value)
    wanted = {
        "Int32": int,
        "Int64": int,
        "Float32": float,
        "Float64": float,
        "String": str,
        "Bool": bool,
    }.get(dtype)
    if wanted is None or (
        isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
    ):
        return value
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hasattr(value, "item") and not isinstance(value, str):  # numpy's scalars
        return coerced(name, dtype, value.item())
    raise _wrong(name, dtype, value)


def _recoded(name: str, dtype: str, value: Any) -> Any:
    """A value of any other type as a record would give it back."""
    kind = parse_type(dtype)
    try:
        packed = encoder(kind)(value)
    except (TypeError, ValueError, OverflowError) as exc:
        raise _wrong(name, dtype, value) from exc
    plain = decoder(kind)
    return packed if plain is None else plain(packed)


def _moment(name: str, value: Any) -> datetime:
    """A time, from a datetime, ISO 8601, or seconds since 1970; naive ones are UTC."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = datetime.fromtimestamp(value, UTC)
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise _wrong(name, "UnixTimestamp", value) from exc
    raise _wrong(name, "UnixTimestamp", value)


def _wrong(name: str, dtype: str, value: Any) -> RequestError:
    shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
    return RequestError(
        f"{name} must be {dtype}, got {type(value).__name__} {shown}",
        field=name,
        hint=(
            "a time is ISO 8601, such as 2013-10-01T12:00:00+00:00"
            if dtype == "UnixTimestamp"
            else ""
        ),
    )


def _frame(view: OnDemandView, inputs: Mapping[str, Sequence[Any]]) -> Any:
    """The inputs as the data frame that the function saw in training.

    Made of Arrow's columns of the declared types.
    """
    import pyarrow as pa  # noqa: PLC0415 - only functions that are written for pandas need it

    from furrow.stores.pack import arrow_column  # noqa: PLC0415 - the same

    types = {
        name: source.dtype
        for source in view.inputs
        for name in (source.name, f"{source.view}__{source.name}")
    }
    return pa.table(
        {name: arrow_column(values, types[name]) for name, values in inputs.items()}
    ).to_pandas()
