"""JSON schemas of typed configs.

A dataclass's fields, their types, and what its docstring says of each.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = ["dataclass_schema", "described"]

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": ["string", "number", "boolean"]},  # YAML reads 7 as a number; it is taken as text
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}
_ENTRY = re.compile(r"^    (\w+): (.*)$")


def dataclass_schema(kind: type, *, partial: bool = False) -> dict[str, Any]:
    """The schema of a typed config.

    Args:
        kind: A dataclass.
        partial: Whether no key needs to be there, as in a file that is one part of a config.

    Returns:
        An object that knows no other keys.
    """
    hints, told = get_type_hints(kind), described(kind)
    properties = {}
    required = []
    for one in dataclasses.fields(kind):
        schema = _of(hints[one.name], partial=partial)
        said = {"description": told[one.name]} if one.name in told else {}
        properties[one.name] = {**schema, **said}
        missing = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if missing or one.default == "???":
            required.append(one.name)
    found = {"type": "object", "additionalProperties": False, "properties": properties}
    first = (kind.__doc__ or "").strip().splitlines()
    return {
        **({"description": first[0]} if first else {}),
        **found,
        **({"required": required} if required and not partial else {}),
    }


def described(kind: type) -> dict[str, str]:
    """What a docstring's Attributes say, by name."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(kind.__doc__ or "").partition("Attributes:")[2].splitlines():
        entry = _ENTRY.match(line)
        if entry:
            name = entry[1]
            found[name] = entry[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found


def _of(hint: Any, *, partial: bool) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if dataclasses.is_dataclass(hint):
        return dataclass_schema(hint, partial=partial)  # type: ignore[arg-type]
    if origin in {Union, types.UnionType}:
        return {"anyOf": [_of(one, partial=partial) for one in inner]}
    if hint is type(None):
        return {"type": "null"}
    if origin is list:
        return {"type": "array", "items": _of(inner[0], partial=partial)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(inner[1], partial=partial)}
    return {}
