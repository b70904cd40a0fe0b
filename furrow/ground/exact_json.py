"""Values of YAML, TOML and Python files as JSON and back.

What JSON would make another value is marked.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

__all__ = ["UnstorableError", "pack", "unpack"]

_PLAIN = (str, int, float, bool, type(None))
_TIMES: dict[str, Any] = {"datetime": dt.datetime, "date": dt.date, "time": dt.time}


class UnstorableError(ValueError):
    """A value that has no exact form in JSON."""


def pack(value: Any) -> Any:
    """A value as JSON can hold it.

    Raises:
        UnstorableError: It is of another kind than YAML, TOML and Python literals have.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        if all(type(key) is str for key in value):
            return {"d": {key: pack(each) for key, each in value.items()}}
        return {"p": [[pack(key), pack(each)] for key, each in value.items()]}
    if kind is list:
        return [pack(each) for each in value]
    if kind is tuple:
        return {"t": [pack(each) for each in value]}
    for name, known in _TIMES.items():
        if kind is known:
            return {name: value.isoformat()}
    raise UnstorableError(kind.__name__)


def unpack(value: Any) -> Any:
    """The value that was packed."""
    if isinstance(value, list):
        return [unpack(each) for each in value]
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "d":
        return {key: unpack(each) for key, each in held.items()}
    if kind == "p":
        return {unpack(key): unpack(each) for key, each in held}
    if kind == "t":
        return tuple(unpack(each) for each in held)
    return _TIMES[kind].fromisoformat(held)
