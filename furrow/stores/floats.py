"""One form of a float: a zero has no sign, and every NaN is the same NaN.

0.0 and -0.0 are equal, and so are no two NaNs, but their bits differ; which of them a calculation
or a sort leaves depends on the processor. Whatever is written, packed or fitted goes through here
first, or through `furrow.stores.float_columns`, so that equal values have equal bytes everywhere.
Nothing is imported: serving uses it.
"""

from __future__ import annotations

from typing import Any

__all__ = ["NAN", "canonical"]

NAN = float("nan")
"""The one NaN: quiet, positive, without a payload."""


def canonical(value: Any) -> Any:
    """A plain value in its one form; lists, tuples and dicts part by part, all else as it is."""
    if isinstance(value, float):
        return value + 0.0 if value == value else NAN  # noqa: PLR0124 - NaN; -0.0 + 0.0 is 0.0
    if isinstance(value, list):
        return [canonical(part) for part in value]
    if type(value) is tuple:  # no msgpack extension, which is a named one
        return tuple(canonical(part) for part in value)
    if isinstance(value, dict):
        return {key: canonical(part) for key, part in value.items()}
    return value
