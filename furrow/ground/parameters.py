"""Files of parameters as DVC reads them (YAML 1.2, JSON, TOML), and single keys of them, without loading DVC."""

from __future__ import annotations

import re
from typing import Any

import yaml

from furrow.errors import FurrowError
from furrow.parse import ParseError, parse_json, parse_toml, parse_yaml

__all__ = ["MISSING", "ParameterError", "flat_diff", "parse_text", "pick"]

MISSING: Any = object()
"""What `pick` returns for a key that isn't there."""


class ParameterError(FurrowError):
    """A file of parameters can't be parsed."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2's scalars: `1e-3` is a number, `yes` and `on` are words."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
     "-+0123456789."),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "0123456789"),
    ("merge", r"<<", "<"),
):  # fmt: skip
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), ["" if c == "\0" else c for c in _first]
    )
_Loader.add_constructor(
    "tag:yaml.org,2002:int",
    lambda loader, node: int(text, 0) if (text := loader.construct_scalar(node))[:2] in ("0o", "0x") else int(text),
)
_Loader.add_constructor(
    "tag:yaml.org,2002:float",
    lambda loader, node: float(loader.construct_scalar(node).lower().replace(".inf", "inf").replace(".nan", "nan")),
)


def parse_text(text: str, path: str) -> Any:
    """Parse a file of parameters.

    Args:
        text: Its content.
        path: Its name, which says the language; for messages too.

    Raises:
        ParameterError: It is malformed.
    """
    try:
        if path.endswith(".json"):
            return parse_json(text)
        if path.endswith(".toml"):
            return parse_toml(text)
        return parse_yaml(text, loader=_Loader)
    except ParseError as exc:
        raise ParameterError(f"{path} is malformed: {' '.join(str(exc).split())}", hint="mend it") from exc


def pick(value: Any, key: str) -> Any:
    """The value behind a dotted key, such as "model.learning_rate"; MISSING when there is none."""
    for part in key.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def flat_diff(key: str, old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """The leaves in which two values differ, as (dotted key, before, after); MISSING where one has no such leaf."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for name in [*old, *(name for name in new if name not in old)]:
            found += flat_diff(f"{key}.{name}" if key else str(name), old.get(name, MISSING), new.get(name, MISSING))
        return found
    if old is MISSING and isinstance(new, dict) and new:
        return flat_diff(key, {}, new)
    if new is MISSING and isinstance(old, dict) and old:
        return flat_diff(key, old, {})
    same = (type(old) is type(new) and old == new) or (old is not MISSING and new is not MISSING and old == new)
    return [] if same else [(key, old, new)]
