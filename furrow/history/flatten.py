"""The small files of a run as flat columns: `model: {depth: 3}` becomes `model.depth = 3`.

A history holds the same passages over and over. So a file is cut at its top-level keys into
sections that can be read alone, and remembered; and a section of plain block YAML is read line by
line, some ten times faster than by a parser. Whatever is not so plain goes to the parser: first the
section, then, if need be, the file.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

from furrow.parse import ParseError, parse_json, parse_yaml

__all__ = [
    "NotAloneError",
    "Scalar",
    "config_section",
    "config_sections",
    "flat_config",
    "flat_record",
    "model_family",
    "record_section",
    "record_sections",
]

Scalar = str | int | float | None

_LONGEST_LIST = 200
_LINE = re.compile(r"( *)(?:([A-Za-z_][\w.\-/]*):(?: (.*))?|(- )(.*))$")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})$")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+(?:e[+-][0-9]+)?$")
_WORDS = re.compile(r"[A-Za-z_][A-Za-z0-9_./ ()+\-]*$")
_HEX = re.compile(r"[0-9a-f]{64}$")
# YAML takes the last four for ends of lines, too.
_QUOTED = re.compile(r"""'([^'\r\x85\u2028\u2029]*)'$|"([^"\\\r\x85\u2028\u2029]*)"$""")
# Words that YAML 1.1 reads as something else than text, or may.
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_CONSTANTS: dict[str, Scalar] = {"true": True, "false": False, "null": None, "[]": ""}
_TOP_OF_CONFIG = re.compile(r"\n(?=[^\s\-#])")
_TEXT_IN_RECORD = re.compile(r'([^"\\]+)": "([^"\\]*)",$')
_FAMILIES = (
    ("Boost", "gbm"),
    ("LGBM", "gbm"),
    ("XGB", "gbm"),
    ("Forest", "forest"),
    ("ExtraTrees", "forest"),
    ("Logistic", "logistic"),
    ("Dummy", "base_rate"),
)


class NotAloneError(Exception):
    """A section can't be read without the rest of its file."""


class _NotPlainError(Exception):
    """The text is YAML of a kind that only the parser understands."""


def config_sections(text: str) -> list[str]:
    """Cut a config at its top-level keys."""
    return _TOP_OF_CONFIG.split(text)


def config_section(text: str) -> dict[str, Scalar]:
    """Read one section of a config.

    Raises:
        NotAloneError: It needs the rest of the file.
    """
    try:
        return _plain(text)
    except _NotPlainError:
        pass
    try:
        return flat_config(text)
    except (ValueError, TypeError) as exc:
        raise NotAloneError from exc


def flat_config(text: str) -> dict[str, Scalar]:
    """A run's whole config.yaml as flat columns.

    Raises:
        ValueError: It is not YAML.
        TypeError: It is not a mapping.
    """
    try:
        value = parse_yaml(text)
        flat: dict[str, Scalar] = {}
        if isinstance(value, dict):
            _flatten(value, "", flat)
            return flat
    except (ParseError, RecursionError) as exc:
        raise ValueError(" ".join(str(exc).split())) from exc
    raise TypeError("it is not a mapping")


def record_sections(text: str) -> list[str]:
    """Cut a record.json, as Furrow writes it (indented by one), at its top-level keys."""
    return text.split('\n "')


def record_section(text: str) -> dict[str, Scalar]:
    """Read one section of a record.

    Raises:
        NotAloneError: It needs the rest of the file.
    """
    if text == "{":
        return {}
    if simple := _TEXT_IN_RECORD.match(text):
        return {simple[1]: simple[2]}
    try:
        value = parse_json(f'{{"{text.rstrip().removesuffix(",")}}}')
    except ValueError:
        try:  # the last one, with the object's own brace
            value = parse_json(f'{{"{text}')
        except ValueError as exc:
            raise NotAloneError from exc
    except RecursionError as exc:
        raise NotAloneError from exc
    flat: dict[str, Scalar] = {}
    _flatten(value, "", flat)
    return flat


def flat_record(text: str) -> dict[str, Scalar]:
    """A run's whole record.json as flat columns.

    Raises:
        ValueError: It is not JSON.
        TypeError: It is not an object.
    """
    flat: dict[str, Scalar] = {}
    _flatten(_object(text), "", flat)
    return flat


def model_family(config: dict[str, Scalar]) -> str | None:
    """A short name for the kind of model.

    `model.name` if the config has it, else told from the class.
    """
    name = config.get("model.name") or config.get("model")
    if isinstance(name, str):
        return name
    target = config.get("model._target_")
    if not isinstance(target, str):
        return None
    short = target.rsplit(".", 1)[-1]
    return next((family for part, family in _FAMILIES if part in short), short)


def _object(text: str) -> dict[str, Any]:
    try:
        value = parse_json(text)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    if not isinstance(value, dict):
        raise TypeError("it is not an object")
    return value


def _column(value: Any) -> Scalar:
    """A leaf as SQLite can hold it: dates as text, NaN as nothing."""
    if isinstance(value, int):  # booleans are integers
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return None if math.isnan(value) else value
    return value if value is None else str(value)


def _flatten(value: dict[Any, Any], prefix: str, into: dict[str, Scalar]) -> None:
    """Leaves by dotted key; a list of a few scalars is its words, any other list its length."""
    for key, inner in value.items():
        name = f"{prefix}{key}"
        if isinstance(inner, dict):
            _flatten(inner, f"{name}.", into)
        elif isinstance(inner, list):
            _put_list(name, inner, into)
        else:
            into[name] = _column(inner)


def _put_list(name: str, values: list[Any], into: dict[str, Scalar]) -> None:
    if len(values) * 2 <= _LONGEST_LIST and not any(isinstance(v, (dict, list)) for v in values):
        words = " ".join(map(str, values))
        if len(words) <= _LONGEST_LIST:
            into[name] = words
            return
    into[f"{name}.count"] = len(values)


def _scalar(text: str) -> Scalar:
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _HEX.match(text) and not text.isdigit():
        return text
    if _WORDS.match(text) and text.lower() not in _NOT_TEXT and text[-1] != " ":
        return text
    if quoted := _QUOTED.match(text):
        return quoted[1] if quoted[1] is not None else quoted[2]
    raise _NotPlainError


@lru_cache(maxsize=5_000)
def _line(line: str) -> tuple[int, str | None, bool, Scalar]:
    """A line as (indent, key or None for an item of a list, whether it holds a value, the value).

    A comment has the indent -1.
    """
    found = _LINE.match(line)
    if not found:
        if line.lstrip(" ")[:1] in {"", "#"}:
            return (-1, None, False, None)
        raise _NotPlainError
    value = found[3] if found[2] else found[5]
    if not value and not found[2]:
        raise _NotPlainError
    return (len(found[1]), found[2], bool(value), _scalar(value) if value else None)


def _plain(text: str) -> dict[str, Scalar]:
    """Read block YAML of nested mappings with scalars and lists of scalars.

    Raises:
        _NotPlainError: It is anything else.
    """
    flat: dict[str, Scalar] = {}
    lists: dict[str, list[Scalar]] = {}
    open_mappings: list[tuple[int, str]] = [
        (0, "")
    ]  # their indents, and the prefixes of their keys
    waiting, waiting_at = "", 0  # a key without a value yet, and its indent
    for line in text.split("\n"):
        if not line:
            continue
        indent, key, has_value, value = _line(line)
        if key is None:
            if indent < 0:
                continue
            if not waiting or indent < waiting_at:
                raise _NotPlainError
            lists.setdefault(waiting, []).append(value)
            continue
        if waiting and waiting not in lists:
            if indent > waiting_at:
                open_mappings.append((indent, f"{waiting}."))
            else:
                flat[waiting] = None
        while indent < open_mappings[-1][0]:
            open_mappings.pop()
        at, prefix = open_mappings[-1]
        name = prefix + key
        if indent != at or name in flat or name in lists:
            raise _NotPlainError
        if has_value:
            waiting, flat[name] = "", value
        else:
            waiting, waiting_at = name, indent
    if waiting:
        flat.setdefault(waiting, None)
    return _with_lists(flat, lists)


def _with_lists(flat: dict[str, Scalar], lists: dict[str, list[Scalar]]) -> dict[str, Scalar]:
    for name, values in lists.items():
        flat.pop(name, None)
        _put_list(name, values, flat)
    return flat
