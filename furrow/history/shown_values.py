"""Values of runs as a person reads them, and as JSON takes them."""

from __future__ import annotations

import math
from typing import Any

from furrow.safe_text import line

__all__ = ["WIDEST", "cell", "setting", "strict"]

WIDEST = 44


def cell(value: Any, name: str = "", *, widest: int = WIDEST) -> str:
    """A value as a person reads it: four digits, dates to the minute, ids cut short."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not math.isfinite(value):
            return {math.inf: "inf", -math.inf: "-inf"}.get(value, "NaN")
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"
    text = str(value)
    if name.endswith("date") and len(text) == 20:
        return f"{text[:10]} {text[11:16]}"
    if len(text) >= 40 and all(c in "0123456789abcdef" for c in text):
        return text[:10]
    text = line(text)
    return text if len(text) <= widest else text[: widest - 1] + "…"


def setting(value: Any, *, widest: int = WIDEST) -> str:
    """A value of a config as it would be written there: 0.1, not 0.1000.

    Args:
        value: The value.
        widest: How many characters it may take.
    """
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    words = " ".join(map(str, value)) if isinstance(value, list) else value
    return cell(words, widest=widest)


def strict(value: Any) -> Any:
    """A value that JSON has: NaN and infinities become words."""
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if isinstance(value, dict):
        return {key: strict(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(inner) for inner in value]
    return value
