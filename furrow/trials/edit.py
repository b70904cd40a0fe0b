"""Editing declarations as a person would.

A value replaced or a line put in, every other character left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from furrow.errors import FurrowError
from furrow.parse import ParseError, compose_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.ground.overrides import Setting

__all__ = ["EditError", "with_entry", "with_settings", "with_value"]


class EditError(FurrowError):
    """A declaration can't be edited: it is malformed, or not of the form that holds experiments."""


def with_settings(text: str, changes: Sequence[Setting], *, where: str, **first: str) -> str:
    """An experiment's file with overrides written into it.

    Args:
        text: conf/experiment/NAME.yaml.
        changes: Values become keys of the file, options become entries of its defaults list.
        where: The file's name, for messages.
        first: Keys of the top level to set, such as `name="gbm_fast"`.

    Raises:
        EditError: The file is no mapping, or a value stands where a mapping must be.
    """
    for key, value in first.items():
        text = _set(text, (key,), value, where)
    for change in changes:
        text = (
            _choose(text, change, where)
            if change.group
            else _set(text, change.key.split("."), change.value, where)
        )
    return text


def with_entry(text: str, name: str, service: str, *, where: str, problem: str = "") -> str:
    """The map of experiments with one entry added, or its feature service changed.

    What an entry of one line chose is taken out: the experiment has a file, which says it.

    Raises:
        EditError: The file holds no map `experiments`.
    """
    entries = _child(_root(text, where), "experiments")
    if not isinstance(entries, yaml.MappingNode):
        raise EditError(
            f"{where} holds no map `experiments`",
            hint="write `experiments: {NAME: {service: SERVICE}}`",
        )
    there = _child(entries, name)
    words = {key.value for key, _ in there.value} if isinstance(there, yaml.MappingNode) else set()
    if there is None or words - {"problem", "service"}:
        entry = {"problem": problem, "service": service} if problem else {"service": service}
        return _set(text, ("experiments", name), entry, where)
    return _set(text, ("experiments", name, "service"), service, where)


def with_value(text: str, path: Sequence[str], value: Any, *, where: str) -> str:
    """A file with one key set, the mappings on the way to it made.

    Args:
        text: The file.
        path: The keys from the top.
        value: What it is to hold.
        where: The file's name, for messages.

    Raises:
        EditError: The file is no mapping, or a value stands where a mapping must be.
    """
    return _set(text, path, value, where)


def _choose(text: str, change: Setting, where: str) -> str:
    """Choose an option of a group in the defaults list."""
    group, _, package = change.key.partition("@")
    wanted = f"{group}@{package}" if package else group
    defaults = _child(_root(text, where), "defaults")
    if defaults is None:
        return _set(text, ("defaults",), [{f"override /{wanted}": change.value}], where, first=True)
    if not isinstance(defaults, yaml.SequenceNode):
        raise EditError(f"{where}: defaults is no list", hint="mend it by hand")
    for entry in defaults.value:
        for key, value in entry.value if isinstance(entry, yaml.MappingNode) else ():
            if key.value.removeprefix("override ").lstrip("/") == wanted:
                return _replaced(text, value, change.value)
    line = f"{'' if change.add else 'override '}/{wanted}: {_flow(change.value)}"
    if defaults.flow_style or not defaults.value:
        inner = f"{', ' if defaults.value else ''}{{{line}}}"
        return text[: defaults.end_mark.index - 1] + inner + text[defaults.end_mark.index - 1 :]
    column = (
        text.rfind("-", 0, defaults.value[-1].start_mark.index)
        - defaults.value[-1].start_mark.index
    )
    return _below(
        text, defaults, f"{' ' * (defaults.value[-1].start_mark.column + column)}- {line}"
    )


def _set(text: str, path: Sequence[str], value: Any, where: str, *, first: bool = False) -> str:
    """Set one dotted key, making the mappings on the way to it."""
    node: Any = _root(text, where)
    for depth, part in enumerate(path):
        child = _child(node, part)
        if child is None:
            for above in reversed(path[depth + 1 :]):
                value = {above: value}
            return _added(text, node, part, value, first=first)
        if depth == len(path) - 1:
            return _replaced(text, child, value)
        if _is_null(child):
            for above in reversed(path[depth + 1 :]):
                value = {above: value}
            return _replaced(text, child, value)
        if not isinstance(child, yaml.MappingNode):
            raise EditError(
                f"{where}: {'.'.join(path)}: {part!r} is a value, not a mapping",
                hint="mend it by hand",
            )
        node = child
    return text


def _added(text: str, node: yaml.MappingNode, key: str, value: Any, *, first: bool) -> str:
    if node.flow_style:
        inner = f"{', ' if node.value else ''}{_flow({key: value})[1:-1]}"
        return text[: node.end_mark.index - 1] + inner + text[node.end_mark.index - 1 :]
    indent = node.start_mark.column
    flat = not isinstance(value, (dict, list)) or (key != "defaults" and indent > 0)
    block = f"{_flow(key)}: {_flow(value)}" if flat else _block({key: value})
    block = "\n".join(f"{' ' * indent}{line}" for line in block.split("\n"))
    if first:
        start = text.rfind("\n", 0, node.start_mark.index) + 1
        return f"{text[:start]}{block}\n{text[start:]}"
    return _below(text, node, block)


def _below(text: str, node: yaml.Node, block: str) -> str:
    """Put lines under the last line of a node, whatever comment ends that line."""
    last: Any = node
    while isinstance(last, yaml.CollectionNode) and not last.flow_style and last.value:
        last = last.value[-1][1] if isinstance(last, yaml.MappingNode) else last.value[-1]
    at = last.end_mark.index
    if last.end_mark.column or not at:
        end = text.find("\n", at)
        at = len(text) if end < 0 else end + 1
    before = text[:at] if not at or text[at - 1] == "\n" else f"{text[:at]}\n"
    return f"{before}{block}\n{text[at:]}"


def _replaced(text: str, node: yaml.Node, value: Any) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    end = start + len(text[start:end].rstrip(" \n"))
    space = " " if start and text[start - 1] == ":" else ""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        before = text[:start].rstrip(" \n")
        if before.endswith(":"):
            start, space = len(before), " "
        else:  # a comment stands between: one line down, and deeper than the key, where a list's dash need not be
            space = "  "
    return f"{text[:start]}{space}{_flow(value)}{text[end:]}"


def _root(text: str, where: str) -> yaml.MappingNode:
    try:
        node = compose_yaml(text, loader=yaml.SafeLoader)
    except ParseError as exc:
        raise EditError(
            f"{where}: {' '.join(str(exc).split())}", hint="mend the YAML, then run again"
        ) from exc
    if not isinstance(node, yaml.MappingNode):
        raise EditError(f"{where} holds no mapping", hint="mend the file, then run again")
    return node


def _child(node: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for name, value in node.value if name.value == key), None)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


class _Dumper(yaml.SafeDumper):
    """Strings that hold a line break are quoted with escapes, so that they stay on one line and come back whole."""


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if len(f"{value}.".splitlines()) > 1 else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _string)


def _flow(value: Any) -> str:
    """A value on one line."""
    return _dumped(value, flow=True).removesuffix("...\n").strip("\n")


def _block(value: Any) -> str:
    """A mapping over several lines, its innermost collections on one."""
    return _dumped(value, flow=False).replace("\n- ", "\n  - ").strip("\n")


def _dumped(value: Any, *, flow: bool) -> str:
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=flow,
        width=10**9,
        allow_unicode=True,
        sort_keys=False,
    )
    return text
