"""A run's metrics as DVC's metrics files hold them.

Read once here, for lists, for `furrow.run()` and for tags.

The format is told from the suffix, text is UTF-8 without a byte order mark, a nested metric goes by
its path (`val.auc`), numbers, text and truth are values: what `dvc metrics show` shows. What DVC
passes over without a word (lists, nulls, dates) is said.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeGuard

from furrow.layout import METRICS_JSON
from furrow.parse import ParseError, parse_json, parse_toml, parse_yaml_12

__all__ = [
    "NAMES",
    "Metrics",
    "MetricsFileError",
    "Value",
    "as_float",
    "flatten",
    "is_number",
    "numbers",
    "read_metrics",
]

NAMES = (METRICS_JSON, "metrics.yaml", "metrics.yml", "metrics.toml")
"""What a run's metrics may be called; the first that is there counts."""

DEEPEST = 100
MOST = 10_000

Value = int | float | str | bool


class MetricsFileError(ValueError):
    """The file can't be read as metrics; the text says why."""


class Metrics(NamedTuple):
    """What a file says.

    Attributes:
        values: By name, in the file's order; NaN, infinities and integers of any size included.
        odd: What is worth a sentence each: values that are no number of use.
        left_out: What is not shown, one sentence each.
        torn: Whether a text holds half a character, which is written out.
    """

    values: dict[str, Value]
    odd: list[str]
    left_out: list[str]
    torn: bool = False


def read_metrics(file: str, content: bytes) -> Metrics:
    """Read a metrics file.

    Args:
        file: Its name, whose suffix tells the format.
        content: Its bytes.

    Raises:
        MetricsFileError: It is no text of UTF-8, not of its format, or not a mapping.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as exc:
        raise MetricsFileError("it is binary, not text") from exc
    if text.startswith("\ufeff"):
        raise MetricsFileError("it begins with a byte order mark: write it as plain UTF-8")
    twice: list[str] = []
    found = flatten(_parse(file, text, twice))
    found.left_out.extend(f"{_key(key)} is there twice" for key in twice)
    return found


def _parse(file: str, text: str, twice: list[str]) -> dict[Any, Any]:
    """The mapping that a metrics file holds, and which of its keys JSON has twice.

    Raises:
        MetricsFileError: It holds none.
    """

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            twice.extend(key for key in made if keys.count(key) > 1)
        return made

    suffix = file.rpartition(".")[2]
    try:
        if suffix == "json":
            value = parse_json(text, object_pairs_hook=mapping)
        elif suffix == "toml":
            value = parse_toml(text.replace("\r\n", "\n"))
        else:
            value = parse_yaml_12(text)
    except ParseError as exc:
        raise MetricsFileError(exc.reason) from exc
    if isinstance(value, (int, float, str)) and value and suffix != "toml":
        return {"metrics": value}  # DVC shows a bare value by the name of its file
    if value is not None and not isinstance(value, dict):
        raise MetricsFileError("it is not a mapping")
    return value or {}


def flatten(mapping: dict[Any, Any]) -> Metrics:
    """The leaves of a mapping by their dotted names.

    Raises:
        MetricsFileError: It has very many, or is nested very deeply.
    """
    if _is_plain(mapping):
        return Metrics(dict(mapping), [], [])
    found = Metrics({}, [], [])
    torn = False
    todo: list[tuple[str, Any, int]] = [("", mapping, 0)]
    seen = 0
    while todo:
        name, value, depth = todo.pop()
        if not isinstance(value, dict):
            torn = _leaf(found, name, value) or torn
            continue
        if depth > DEEPEST:
            raise MetricsFileError("it is nested too deeply")
        seen += len(value)
        if seen > MOST:  # aliases of YAML can make a small file endless
            raise MetricsFileError(f"it holds more than {MOST:,} values")
        prefix = f"{name}." if depth else ""
        todo += [
            (f"{prefix}{_key(key)}", inner, depth + 1) for key, inner in reversed(value.items())
        ]
    return found._replace(torn=torn)


def _is_plain(mapping: dict[Any, Any]) -> bool:
    """Whether a mapping is what most are.

    Names of plain letters with finite numbers, and not too many.
    """
    return len(mapping) <= MOST and all(
        (type(value) is int or (type(value) is float and math.isfinite(value)))
        and type(key) is str
        and key.isascii()
        for key, value in mapping.items()
    )


def numbers(mapping: dict[Any, Any]) -> dict[str, int | float]:
    """The numbers among the leaves of a mapping by dotted names.

    Empty where it is too large to be metrics.
    """
    try:
        values = flatten(mapping).values
    except MetricsFileError:
        return {}
    return {name: value for name, value in values.items() if is_number(value)}


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value can be compared as a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_float(number: float) -> float:
    """A number of any size as a float: an integer beyond them is infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _leaf(found: Metrics, name: str, value: Any) -> bool:
    """Take in one leaf; whether a text of it was torn."""
    whole = _whole(name), _whole(value) if isinstance(value, str) else value
    torn = whole != (name, value)
    name, value = whole
    if not isinstance(value, (int, float, str)):
        kind = {list: "a list", type(None): "null"}.get(type(value), f"a {type(value).__name__}")
        found.left_out.append(f"{name} is {kind}, not a number")
        return torn
    if name in found.values:
        found.left_out.append(f"{name} is there twice")
    if isinstance(value, float) and not math.isfinite(value):
        found.odd.append(f"{name} is {'NaN' if math.isnan(value) else value}")
    found.values[name] = value
    return torn


def _key(key: Any) -> str:
    """A key as JSON writes it."""
    if key is None or isinstance(key, bool):
        return {True: "true", False: "false", None: "null"}[key]
    return str(key)


def _whole(text: str) -> str:
    """Text that UTF-8 has: half of a surrogate pair, which JSON can spell, is written out."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()
