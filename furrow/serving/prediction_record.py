"""The prediction record.

Everything that one answer was made of, and what it takes to make it again.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from furrow.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PredictionRecord",
    "from_payload",
    "id_time",
    "new_id",
    "pack",
    "payload_values",
    "record_values",
    "to_payload",
    "unfolded",
    "unpack",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_PACK_RANGE = (-(1 << 63), (1 << 64) - 1)
_TAIL_BITS = 74
"""Bits of a UUIDv7 that are no time, version or variant."""


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """One line of the prediction log.

    Attributes:
        id: UUIDv7, as text: the time is in it, so that a log finds it fast.
        time: When it was answered; aware.
        model: The model's name.
        version: Such as "gbm@v1.0.0".
        commit: The version's commit.
        model_sha256: Of its model.
        service: The feature service.
        features_digest: Of the service, as the model was trained on it.
        keys: Join keys.
        request: Request fields.
        features: By name, as the model saw them.
        statuses: By feature: present, null, missing, expired.
        event_times: By feature: when what it says became known; None where nobody knows.
        prediction: By name: probability, prediction, low, high, probability_CLASS.
        variant: "main", "canary" or "shadow".
        latency_us: How long the answer took.
        sampling: With which probability a record like this one is kept: count it 1 / sampling
            times.
        redacted: Names whose values were taken out before it was written.
    """

    id: str
    time: datetime
    model: str
    version: str
    commit: str
    model_sha256: str
    service: str
    features_digest: str
    keys: Mapping[str, Any]
    request: Mapping[str, Any]
    features: Mapping[str, Any]
    statuses: Mapping[str, str]
    event_times: Mapping[str, datetime | None]
    prediction: Mapping[str, float | None]
    variant: str = "main"
    latency_us: int = 0
    sampling: float = 1.0
    redacted: tuple[str, ...] = field(default=())


FIELDS = tuple(one.name for one in fields(PredictionRecord))
_REDACTED = FIELDS.index("redacted")
_ALIKE = FIELDS.index("statuses"), FIELDS.index("event_times")
_VALUES = attrgetter(*FIELDS)
_FOLDED = 3
"""From so many names on a mapping is folded."""


class _Ids:
    """The last id's number: ids of a process grow, whatever the clock does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def in_child(self) -> None:
        """Begin anew where the process was forked: whoever held the lock is not here."""
        self._lock = threading.Lock()

    def next(self, milliseconds: int) -> int:
        """A number of 48 bits of time and 74 of chance, above the one before."""
        with self._lock:
            drawn = int.from_bytes(os.urandom(10), "big") >> (80 - _TAIL_BITS)
            number = milliseconds << _TAIL_BITS | drawn
            if (
                number <= self._last
            ):  # the clock stood or went back: a step of chance, as RFC 9562 has it
                number = self._last + 1 + (drawn & 0xFFFFFFFF)
            self._last = number
            return number


_IDS = _Ids()
os.register_at_fork(after_in_child=_IDS.in_child)


def new_id(now: datetime | None = None) -> str:
    """A UUIDv7 (RFC 9562) that is above the one before of this process, even if the clock steps back.

    Args:
        now: The time, aware; the clock's, if None.
    """
    stamp = time.time_ns() // 1_000_000 if now is None else (now - _EPOCH) // _MILLISECOND
    number = _IDS.next(stamp)
    low = number & (1 << 62) - 1
    middle = number >> 62 & 0xFFF
    value = number >> _TAIL_BITS << 80 | 0x7 << 76 | middle << 64 | 0b10 << 62 | low
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def id_time(text: str) -> datetime:
    """The time in a UUIDv7, to the millisecond.

    Raises:
        ValueError: It is no UUIDv7.
    """
    found = UUID(text)
    if found.version != 7:
        raise ValueError(f"{text!r} is not a UUIDv7")
    return _EPOCH + (found.int >> 80) * _MILLISECOND


def to_payload(record: PredictionRecord) -> bytes:
    """A record as the log keeps it: the values in the fields' order, in msgpack.

    A mapping whose values are one and the same, as statuses and event times mostly are, is a list
    of that value and the names.
    """
    values = list(_VALUES(record))
    for place in _ALIKE:
        values[place] = _folded(values[place])
    try:
        return pack(values)
    except (OverflowError, UnicodeError, TypeError):
        return pack(_packable(values))


def from_payload(content: bytes) -> PredictionRecord:
    """The record of `to_payload`; fields that a later format adds are passed over.

    Raises:
        ValueError: It is no record.
    """
    values = payload_values(content)
    for place in _ALIKE:
        values[place] = unfolded(values[place])
    return PredictionRecord(*values)


def payload_values(content: bytes) -> list[Any]:
    """The values of `to_payload`, in the fields' order; what is folded stays so (`unfolded`).

    Raises:
        ValueError: It is no record.
    """
    values = unpack(content)
    if not isinstance(values, list) or not values[_REDACTED:]:
        raise ValueError("no record")
    values[_REDACTED] = tuple(values[_REDACTED])
    if not isinstance(values[0], str) or not isinstance(values[1], datetime):
        raise ValueError("no record")  # noqa: TRY004 - content from a file, not an argument
    return values[: len(FIELDS)]


def record_values(record: PredictionRecord) -> tuple[Any, ...]:
    """A record's values in the fields' order."""
    values: tuple[Any, ...] = _VALUES(record)
    return values


def unfolded(value: Any) -> dict[str, Any]:
    """A mapping, of itself or of what it was folded to: its one value and its names."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not value:
        raise ValueError("no record")
    return dict.fromkeys(value[1:], value[0])


def pack(value: Any) -> bytes:
    """A plain value in msgpack; an aware time keeps its microseconds.

    Raises:
        MissingExtraError: The extra `serve` is not installed.
        OverflowError, UnicodeError, TypeError: The value has a part that msgpack has no word for.
    """
    content: bytes = _encoder().encode(value)
    return content


def unpack(content: bytes) -> Any:
    """The value of `pack`.

    Raises:
        MissingExtraError: The extra `serve` is not installed.
        ValueError: It is no msgpack.
    """
    decoder = _decoder()
    try:
        return decoder.decode(content)
    except (RecursionError, UnicodeDecodeError, _error()) as exc:
        raise ValueError(f"no record: {exc}") from exc


@cache
def _msgpack() -> Any:
    try:
        from msgspec import msgpack  # noqa: PLC0415 - of an extra
    except ImportError as exc:
        raise MissingExtraError("serve", "a prediction log that still grows") from exc
    return msgpack


@cache
def _encoder() -> Any:
    return _msgpack().Encoder(enc_hook=_plain)


@cache
def _decoder() -> Any:
    return _msgpack().Decoder()


def _folded(mapping: Mapping[str, Any]) -> Any:
    """The one value of a mapping and its names; the mapping itself if there are several, or few."""
    if len(mapping) < _FOLDED:
        return mapping
    try:
        alike = len(set(mapping.values())) == 1
    except TypeError:  # a value that is a list, say
        alike = False
    if not alike:
        return mapping
    return [next(iter(mapping.values())), *mapping]


@cache
def _error() -> type[Exception]:
    from msgspec import MsgspecError  # noqa: PLC0415 - of an extra

    return MsgspecError


def _plain(value: Any) -> Any:
    """What msgpack has no word for: a NumPy scalar as Python's, else its text.

    An answer isn't lost over it.
    """
    return value.item() if hasattr(value, "item") else str(value)


def _packable(value: Any) -> Any:
    """A value whose integers fit into 64 bits and whose texts are UTF-8.

    What does not is written out.
    """
    if isinstance(value, dict):
        return {_packable(name): _packable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_packable(one) for one in value]
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, int) and not _PACK_RANGE[0] <= value <= _PACK_RANGE[1]:
        return str(value)
    return value
