"""YAML, JSON and TOML from outside, read within bounds: the one place that parses them.

A file may be small and still mean a billion nodes (aliases of aliases), refer to itself, or nest so
deeply that a parser written in C overruns its stack. So bounds are held before values are made: on
bytes, on nodes after aliases, on depth.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from furrow.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "LIMITS",
    "LISTING",
    "Limits",
    "ParseError",
    "check_yaml",
    "compose_yaml",
    "parse_first_json",
    "parse_json",
    "parse_toml",
    "parse_yaml",
    "parse_yaml_12",
    "read_bytes",
    "read_yaml",
]

_LONGEST_NUMBER = 1_000
_CONTAINERS = (dict, list)


class Limits(NamedTuple):
    """What a file from outside may be.

    Attributes:
        size: In bytes (characters, of text).
        nodes: Mappings, lists and scalars, each as often as aliases repeat it.
        depth: Mappings and lists inside one another.
    """

    size: int = 16 << 20
    nodes: int = 1_000_000
    depth: int = 64


LIMITS = Limits()
LISTING = Limits(size=1 << 30, nodes=20_000_000)
"""For lists of the files of a folder, as DVC keeps them."""


class ParseError(FileError, ValueError):
    """A text that is malformed, or beyond bounds.

    Args:
        where: The file or the object, as a person finds it; empty when whoever catches it says so.
        reason: What is wrong, in one line.
        kind: YAML, JSON or TOML.
    """

    def __init__(self, where: str, reason: str, *, kind: str = "") -> None:
        from pathlib import Path  # noqa: PLC0415 - a list of runs must not wait for it

        verb = f"is not valid {kind}:" if kind else "is beyond bounds:"
        super().__init__(f"{where} {verb} {reason}" if where else reason, path=Path(where))
        self.reason = reason


def parse_yaml(
    content: str | bytes, where: str | Path = "", *, loader: Any = None, limits: Limits = LIMITS
) -> Any:
    """Parse one YAML document.

    Args:
        content: The document.
        where: What errors call it; empty when whoever catches them says so.
        loader: A safe loader; PyYAML's, in C where there is one, by default.
        limits: The bounds.

    Returns:
        The value; None for an empty document.

    Raises:
        ParseError: It is malformed, refers to itself, or is beyond the bounds.
    """
    import yaml  # noqa: PLC0415 - those who read JSON alone don't wait for it

    # safe ones
    return _yaml(content, where, limits, lambda fast: yaml.load(content, loader or fast))  # noqa: S506


def compose_yaml(
    content: str | bytes, where: str | Path = "", *, loader: Any = None, limits: Limits = LIMITS
) -> Any:
    """The nodes of one YAML document, with their places.

    Arguments and errors as those of `parse_yaml`.
    """
    import yaml  # noqa: PLC0415 - as above

    return _yaml(content, where, limits, lambda fast: yaml.compose(content, loader or fast))


def parse_yaml_12(content: str, where: str | Path = "", *, limits: Limits = LIMITS) -> Any:
    """Parse a YAML 1.2 document, as DVC reads metrics.

    Arguments and errors as those of `parse_yaml`.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - as above
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - as above

    try:
        return _yaml(content, where, limits, lambda _: YAML(typ="safe").load(content))
    except (YAMLError, KeyError, OverflowError) as exc:
        raise ParseError(str(where), _one_line(exc), kind="YAML") from exc


def check_yaml(content: str | bytes, where: str | Path, *, limits: Limits = LIMITS) -> None:
    """Hold a document that another program will parse within the bounds.

    Raises:
        ParseError: It is malformed, refers to itself, or is beyond the bounds.
    """
    _yaml(content, where, limits, lambda _: None)


def _yaml(
    content: str | bytes, where: str | Path, limits: Limits, make: Callable[[Any], Any]
) -> Any:
    import yaml  # noqa: PLC0415 - as above

    _check_size(content, where, limits)
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _walk(yaml.parse(content, fast), str(where), limits)
        return make(fast)
    except ParseError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise ParseError(str(where), _one_line(exc), kind="YAML") from exc


def _walk(events: Any, where: str, limits: Limits) -> None:
    """Count what a document would become, without making it."""
    import yaml  # noqa: PLC0415 - as above

    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        if isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
            if (
                len(event.value) > _LONGEST_NUMBER
                and event.implicit[0]
                and _is_numeral(event.value)
            ):
                raise ParseError(where, f"a number of {len(event.value):,} digits")
        elif isinstance(event, yaml.CollectionStartEvent):
            total += 1
            open_.append((event.anchor, total - 1))
            if len(open_) > limits.depth:
                raise ParseError(
                    where, f"nested more than {limits.depth} deep (line {_line(event)})"
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            name = str(event.anchor)
            if any(anchor == name for anchor, _ in open_):
                raise ParseError(
                    where,
                    f"the alias {name[:80]!r} stands inside what it names (line {_line(event)})",
                )
            total += sizes.get(name, 1)
        if total > limits.nodes:
            raise ParseError(where, f"more than {limits.nodes:,} nodes, with aliases written out")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _is_numeral(text: str) -> bool:
    return text[0] in "+-.0123456789" and not any(char.isspace() for char in text)


def parse_json(
    content: str | bytes, where: str | Path = "", *, limits: Limits = LIMITS, **hooks: Any
) -> Any:
    """Parse JSON, NaN and infinities included.

    Args:
        content: The text.
        where: What errors call it; empty when whoever catches them says so.
        limits: The bounds; nodes are held by the size.
        hooks: Of `json.loads`.

    Raises:
        ParseError: It is malformed, or beyond the bounds.
    """
    import json  # noqa: PLC0415 - loaded by whoever reads some

    _check_size(content, where, limits)
    try:
        value = json.loads(content, **hooks)
    except RecursionError as exc:
        raise ParseError(str(where), f"nested more than {limits.depth} deep") from exc
    except ValueError as exc:
        raise ParseError(str(where), _one_line(exc), kind="JSON") from exc
    mark = content.count("[") + content.count("{") if isinstance(content, str) else limits.depth + 1
    if mark > limits.depth:
        _check_depth(value, where, limits)
    return value


def parse_first_json(content: str, where: str | Path = "", *, limits: Limits = LIMITS) -> Any:
    """Parse the JSON that a text begins with, whatever comes after it.

    Arguments and errors: those of `parse_json`.
    """
    import json  # noqa: PLC0415 - as above

    _check_size(content, where, limits)
    try:
        value, _ = json.JSONDecoder().raw_decode(content)
    except RecursionError as exc:
        raise ParseError(str(where), f"nested more than {limits.depth} deep") from exc
    except ValueError as exc:
        raise ParseError(str(where), _one_line(exc), kind="JSON") from exc
    _check_depth(value, where, limits)
    return value


def parse_toml(content: str, where: str | Path = "", *, limits: Limits = LIMITS) -> dict[str, Any]:
    """Parse TOML.

    Args:
        content: The text.
        where: What errors call it; empty when whoever catches them says so.
        limits: The bounds; nodes are held by the size.

    Raises:
        ParseError: It is malformed, or beyond the bounds.
    """
    import tomllib  # noqa: PLC0415 - loaded by whoever reads some

    _check_size(content, where, limits)
    try:
        value = tomllib.loads(content)
    except RecursionError as exc:
        raise ParseError(str(where), f"nested more than {limits.depth} deep") from exc
    except ValueError as exc:
        raise ParseError(str(where), _one_line(exc), kind="TOML") from exc
    _check_depth(value, where, limits)
    return value


def read_yaml(path: Path, *, loader: Any = None, limits: Limits = LIMITS) -> Any:
    """Read and parse a YAML file, no further than the bounds allow.

    Args:
        path: The file.
        loader: As in `parse_yaml`.
        limits: The bounds.

    Raises:
        OSError: It can't be read.
        ParseError: It is malformed, or beyond the bounds.
    """
    return parse_yaml(read_bytes(path, limits.size), path, loader=loader, limits=limits)


def read_bytes(path: Path, limit: int = LIMITS.size) -> bytes:
    """The bytes of a regular file: a commit can hold a link to a device without end in its place.

    Args:
        path: The file.
        limit: How many bytes it may have; one more is read, so that whoever parses them sees that
            it is too long.

    Raises:
        OSError: It can't be read, or is no regular file.
    """
    import errno  # noqa: PLC0415 - as above
    import stat  # noqa: PLC0415

    def at_once(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK)  # a pipe without a writer is not waited for

    with open(path, "rb", opener=at_once) as reader:
        if not stat.S_ISREG(os.fstat(reader.fileno()).st_mode):
            raise OSError(errno.EINVAL, "no regular file", str(path))
        return reader.read(limit + 1)


def _check_size(content: str | bytes, where: str | Path, limits: Limits) -> None:
    if len(content) > limits.size:
        raise ParseError(str(where), f"more than {limits.size:,} bytes")


def _check_depth(value: Any, where: str | Path, limits: Limits) -> None:
    level = [value]
    for _ in range(limits.depth + 1):
        level = [
            inner
            for each in level
            if isinstance(each, _CONTAINERS)
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, _CONTAINERS)
        ]
        if not level:
            return
    raise ParseError(str(where), f"nested more than {limits.depth} deep")


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split())[:500]
