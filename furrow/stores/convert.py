"""What a source's columns become: one set of rules, for training and for serving.

A view declares its types (Feast's, as Arrow types here); a file may hold others, and each file its
own. A column is converted without loss, or refused by name. Nothing is guessed from values, and
nothing wraps around.

- Int32, Int64: integers, decimals and floats that are whole numbers and fit; booleans.
- Float32, Float64: floats, decimals (the nearest float), integers that a float holds exactly;
  booleans.
- Bool: booleans; numbers that are 0 or 1.
- String: text, integers, booleans, dates (ISO), UUIDs, bytes that are UTF-8. Not floats, decimals,
  timestamps, durations and times of day: their text depends on the file's unit or scale.
- Bytes: bytes, text (as UTF-8), UUIDs (16 bytes).
- UnixTimestamp: timestamps of any unit and zone (a naive one is UTC, what is finer than a
  microsecond is cut off) and
  dates (midnight, UTC), in the years 1 to 9999. Not numbers.
- Array, Set, Struct: lists and structs of what their parts take.

Text is no number and no time, a duration or a time of day is no number: all that is not named here
is refused. A dictionary is what its values are. A column of the type null is null. A NaN is null,
but not inside of a list. A key follows the rules of its type. An event time takes what
UnixTimestamp takes, to the nanosecond where the file has them.

A Hive partition is text: numbers, `true` and `false`, ISO dates and times are read from it as the
declared type asks.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from furrow.stores.timestamps import arrow_ticks, is_time

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ConvertError", "convert", "convertible", "parse", "settled"]

_WHOLE = re.compile(r"[+-]?[0-9]+")


class ConvertError(ValueError):
    """A column's type is not taken for the declared one, or one of its values isn't."""


def convertible(held: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a column of one type can be taken for another, as far as types alone tell."""
    if isinstance(held, pa.UuidType):
        return bool(pa.types.is_string(wanted) or pa.types.is_binary(wanted))
    held = settled(held)
    if pa.types.is_null(held) or held == wanted:
        return True
    if _is_number(wanted):
        return _is_number(held)
    if pa.types.is_string(wanted):
        return _is_text(held) or _is_bytes(held) or pa.types.is_integer(held) or _is_plain(held)
    if pa.types.is_binary(wanted):
        return _is_bytes(held) or _is_text(held)
    if pa.types.is_timestamp(wanted):
        return is_time(held)
    if pa.types.is_list(wanted):
        return _is_list(held) and convertible(held.value_type, wanted.value_type)
    if pa.types.is_struct(wanted) and pa.types.is_struct(held):
        parts = [(held.get_field_index(field.name), field.type) for field in wanted]
        return all(at >= 0 and convertible(held.field(at).type, type_) for at, type_ in parts)
    return False


def settled(type_: pa.DataType) -> pa.DataType:
    """The type of a column's values: of a dictionary's entries, of an extension's storage."""
    if pa.types.is_dictionary(type_):
        return settled(type_.value_type)
    if isinstance(type_, pa.BaseExtensionType):
        return settled(type_.storage_type)
    return type_


def convert(column: pa.Array | pa.ChunkedArray, wanted: pa.DataType | None) -> pa.Array:
    """A column in its declared type.

    Args:
        column: As the file holds it.
        wanted: The declared type; None: as it is.

    Raises:
        ConvertError: Its type is not taken for the declared one, or one of its values isn't.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if wanted is None:
        return array
    if not convertible(array.type, wanted):
        raise ConvertError(f"is of type {array.type}, which is not taken for {wanted}")
    try:
        return _missing(_converted(array, wanted))
    except (pa.ArrowException, ValueError) as exc:
        raise ConvertError(f"is of type {array.type} and declared {wanted}: {exc}") from exc


def parse(text: str | None, wanted: pa.DataType) -> pa.Scalar:
    """The value that the text of a Hive partition means.

    Raises:
        ConvertError: It is no value of the declared type.
    """
    if text is None:
        return pa.scalar(None, wanted)
    try:
        return pa.scalar(_parser(wanted)(text), wanted)
    except (pa.ArrowException, ValueError, OverflowError) as exc:
        raise ConvertError(f"is {text!r}, which is not of type {wanted}") from exc


def _parser(wanted: pa.DataType) -> Callable[[str], object]:
    if pa.types.is_integer(wanted):
        return _parsed_integer
    if pa.types.is_floating(wanted):
        return float
    if pa.types.is_boolean(wanted):
        return lambda text: {"true": True, "false": False, "1": True, "0": False}.get(
            text.lower(), text
        )
    if pa.types.is_timestamp(wanted):
        return _parsed_time
    if pa.types.is_binary(wanted):
        return str.encode
    return str


def _parsed_integer(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _parsed_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _converted(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if array.type == wanted and not _timed(
        wanted
    ):  # times are looked at: a file may hold any number
        return array
    if pa.types.is_dictionary(array.type):
        return _converted(array.dictionary_decode(), wanted)
    if isinstance(array.type, pa.UuidType) and pa.types.is_string(wanted):
        held = array.storage.to_pylist()
        return pa.array(
            [None if each is None else str(uuid.UUID(bytes=each)) for each in held], wanted
        )
    if isinstance(array.type, pa.BaseExtensionType):
        return _converted(array.storage, wanted)
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), wanted)
    if _is_number(wanted):
        return _number(array, wanted)
    if pa.types.is_string(wanted) or pa.types.is_binary(wanted):
        return _text(array, wanted)
    if pa.types.is_timestamp(wanted):
        return arrow_ticks(array).cast(wanted)
    if pa.types.is_list(wanted):
        return _list(array, wanted)
    parts = dict(zip(array.type.names, array.flatten(), strict=True))
    fields = [(field, _converted(parts[field.name], field.type)) for field in wanted]
    mask = array.is_null()
    return pa.StructArray.from_arrays(
        [part for _, part in fields], fields=[field for field, _ in fields], mask=mask
    )


def _number(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    if not pa.types.is_floating(wanted):
        array = _missing(array)
    if pa.types.is_boolean(wanted):
        numbers = array.cast(pa.float64())
        if pc.any(pc.and_(pc.not_equal(numbers, 0), pc.not_equal(numbers, 1))).as_py():
            raise ValueError("a number that is neither 0 nor 1")
        return numbers.cast(wanted)
    found = array.cast(wanted)
    if pa.types.is_float32(wanted) and pa.types.is_float64(array.type):
        grown = pc.and_(pc.is_inf(found), pc.invert(pc.is_inf(array)))
        if pc.any(grown).as_py():
            raise ValueError(f"{array.filter(grown)[0].as_py()} is beyond the range of 32 bits")
    return found


def _text(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_date(array.type):
        arrow_ticks(array)  # refuses what no calendar holds
    if pa.types.is_fixed_size_binary(array.type):
        array = array.cast(pa.binary())
    return array.cast(wanted)


def _list(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = _converted(array.flatten(), wanted.value_type)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=wanted, mask=array.is_null())


def _missing(array: pa.Array) -> pa.Array:
    """Floats with null for NaN."""
    if not pa.types.is_floating(array.type):
        return array
    strange = pc.is_nan(array)
    return (
        pc.if_else(strange, pa.scalar(None, array.type), array)
        if pc.any(strange).as_py()
        else array
    )


def _timed(type_: pa.DataType) -> bool:
    if pa.types.is_nested(type_):
        return any(_timed(type_.field(at).type) for at in range(type_.num_fields))
    return bool(pa.types.is_timestamp(type_))


def _is_number(type_: pa.DataType) -> bool:
    is_ = pa.types
    return bool(
        is_.is_integer(type_)
        or is_.is_floating(type_)
        or is_.is_decimal(type_)
        or is_.is_boolean(type_)
    )


def _is_plain(type_: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(type_) or pa.types.is_date(type_))


def _is_text(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_string_view(type_)
    )


def _is_bytes(type_: pa.DataType) -> bool:
    is_ = pa.types
    whole = is_.is_binary(type_) or is_.is_large_binary(type_) or is_.is_binary_view(type_)
    return bool(whole or is_.is_fixed_size_binary(type_))


def _is_list(type_: pa.DataType) -> bool:
    is_ = pa.types
    return bool(is_.is_list(type_) or is_.is_large_list(type_) or is_.is_fixed_size_list(type_))
