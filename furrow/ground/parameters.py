"""Files of parameters as DVC reads them (YAML, JSON, TOML, Python), and single keys of them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from furrow.errors import FurrowError
from furrow.parse import ParseError, check_yaml, parse_json, parse_toml, parse_yaml_12

__all__ = [
    "MISSING",
    "ParameterError",
    "check_bounds",
    "flat_diff",
    "keys_of",
    "parse_text",
    "pick",
]

MISSING: Any = object()
"""What `pick` returns for a key that isn't there."""
_SMALL = 64 << 10
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*")


class ParameterError(FurrowError):
    """A file of parameters can't be parsed."""


def parse_text(text: str, path: str) -> Any:
    """Parse a file of parameters, with the parsers that DVC uses.

    Args:
        text: Its content.
        path: Its name, which says the language; for messages too.

    Raises:
        ParameterError: It is malformed.
    """
    try:
        return _parse(text, PurePosixPath(path).suffix.lower())
    except (ValueError, SyntaxError, RecursionError) as exc:
        raise ParameterError(
            f"{path} is malformed: {' '.join(str(exc).split())}", hint="mend it"
        ) from exc


def _parse(text: str, suffix: str) -> Any:
    if suffix == ".json":
        return parse_json(text)
    if suffix == ".toml":
        import tomlkit  # noqa: PLC0415 - a language that few projects use

        parse_toml(text)  # within bounds
        return tomlkit.loads(text).unwrap()
    if suffix == ".py":
        from dvc.utils.serialize import PythonFileCorruptedError, parse_py  # noqa: PLC0415 - the same

        try:
            return parse_py(text, "params.py")
        except PythonFileCorruptedError as exc:
            raise ValueError(str(exc.__cause__ or exc)) from exc
    return parse_yaml_12(text) or {}


def check_bounds(text: str, where: str) -> None:
    """Refuse YAML that is small and means a billion nodes, before the parser that DVC uses makes them.

    Raises:
        ParseError: It is beyond the bounds; or so malformed to another parser that it can't be
            told.
    """
    try:
        check_yaml(text, where)
    except ParseError as exc:
        if "beyond bounds" in str(exc) or "*" in text or len(text) > _SMALL:
            raise  # what another parser only finds malformed, that of DVC may read


def pick(value: Any, key: str) -> Any:
    """The value behind a dotted key, such as "model.learning_rate", as DVC finds it.

    MISSING when there is none.

    Raises:
        ParameterError: It is a pattern, and more than one value fits.
    """
    if _SIMPLE.fullmatch(key):
        found = value
        for part in key.split("."):
            if not isinstance(found, dict) or part not in found:
                break
            found = found[part]
        else:
            return found
    # only for keys of lists, patterns, and those that aren't there
    from dpath import get  # noqa: PLC0415
    from dpath.exceptions import PathNotFound  # noqa: PLC0415 - the same

    try:
        return get(value, key, separator=".")
    except (KeyError, PathNotFound, AttributeError, TypeError):
        return MISSING
    except ValueError as exc:
        raise ParameterError(
            f"the key {key!r} stands for more than one value", hint="write it out"
        ) from exc


def keys_of(value: Any) -> list[Any]:
    """The keys at the top of a file of parameters."""
    return list(value) if isinstance(value, dict) else []


def flat_diff(key: str, old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """The leaves in which two values differ, as (dotted key, before, after).

    MISSING where one has no such leaf.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for name in [*old, *(name for name in new if name not in old)]:
            found += flat_diff(
                f"{key}.{name}" if key else str(name),
                old.get(name, MISSING),
                new.get(name, MISSING),
            )
        return found
    if old is MISSING and isinstance(new, dict) and new:
        return flat_diff(key, {}, new)
    if new is MISSING and isinstance(old, dict) and old:
        return flat_diff(key, old, {})
    same = (type(old) is type(new) and old == new) or (
        old is not MISSING and new is not MISSING and old == new
    )
    return [] if same else [(key, old, new)]
