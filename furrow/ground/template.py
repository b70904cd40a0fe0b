"""The templates of dvc.yaml: `vars`, `${...}`, `foreach` and `matrix`, filled in as DVC does."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.ground.parameters import MISSING, parse_text, pick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["TemplateError", "expand", "load_vars"]

MOST_STAGES = 10_000
"""That one dvc.yaml may declare, `foreach` and `matrix` written out."""
_LONGEST_TEXT = 1_000_000
_EXPRESSION = re.compile(r"(?<!\\)\$\{(.*?)\}")


class TemplateError(FurrowError):
    """A template of dvc.yaml names what isn't there, or is of a kind that Furrow does not fill in."""


def load_vars(root: Path, entries: list[Any]) -> dict[str, Any]:
    """The context that `vars` describes, with params.yaml beneath it as DVC has it.

    Args:
        root: The folder of dvc.yaml.
        entries: The list under `vars`: "FILE", "FILE:KEY,KEY" or a mapping.

    Raises:
        TemplateError: A file or a key is missing.
    """
    context: dict[str, Any] = {}
    if (root / "params.yaml").is_file():
        context = _file(root, "params.yaml")
    for entry in entries:
        if isinstance(entry, dict):
            _merge(context, entry)
            continue
        name, _, keys = str(entry).partition(":")
        found = _file(root, name)
        for key in filter(None, keys.split(",")):
            if key not in found:
                raise TemplateError(f"dvc.yaml: vars: {name} has no key {key!r}", hint=f"write `{key}:` in {name}")
        _merge(context, {key: found[key] for key in keys.split(",")} if keys else found)
    return context


def _file(root: Path, name: str) -> dict[str, Any]:
    try:
        found = parse_text((root / name).read_text(encoding="utf-8"), name)
    except OSError as exc:
        raise TemplateError(f"dvc.yaml: vars: cannot read {name}: {exc.strerror}", hint="mend `vars`") from exc
    if not isinstance(found, dict):
        raise TemplateError(f"dvc.yaml: vars: {name} holds no mapping", hint="write `key: value` in it")
    return found


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def expand(root: Path, content: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The stages of a dvc.yaml by name, every template filled in.

    Args:
        root: The folder of dvc.yaml.
        content: What the file holds.

    Raises:
        TemplateError: A template can't be filled in.
    """
    context = load_vars(root, content.get("vars") or [])
    count = 0
    for name, definition in (content.get("stages") or {}).items():
        if not isinstance(definition, dict):
            raise TemplateError(f"dvc.yaml: stage {name} is no mapping", hint="write `cmd:` and `deps:` below it")
        for suffix, extra, body in _entries(name, definition, context):
            count += 1
            if count > MOST_STAGES:
                raise TemplateError(f"dvc.yaml: more than {MOST_STAGES:,} stages", hint="declare fewer")
            local = {**context, **extra}
            if body.get("vars"):
                _merge(local, load_vars(root, body["vars"]))
            yield f"{name}{suffix}", fill({k: v for k, v in body.items() if k != "vars"}, local, f"stage {name}")


def _entries(name: str, definition: dict[str, Any], context: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    if "foreach" in definition:
        over = fill(definition["foreach"], context, f"stage {name}.foreach")
        if isinstance(over, dict):
            for key, item in over.items():
                yield f"@{_text(key)}", {"key": key, "item": item}, definition["do"]
        elif isinstance(over, list):
            composite = any(isinstance(item, dict | list) for item in over)
            for at, item in enumerate(over):
                yield f"@{at if composite else _text(item)}", {"item": item}, definition["do"]
        else:
            raise TemplateError(f"dvc.yaml: stage {name}: foreach needs a list or a mapping, got {over!r}")
    elif "matrix" in definition:
        axes = fill(definition["matrix"], context, f"stage {name}.matrix")
        body = {key: value for key, value in definition.items() if key != "matrix"}
        named = [
            [(axis, f"{axis}{at}" if isinstance(value, dict | list) else _text(value), value)]
            for axis, values in axes.items()
            for at, value in enumerate(values)
        ]
        by_axis = [[part for (part,) in named if part[0] == axis] for axis in axes]
        for parts in itertools.product(*by_axis):
            item = {axis: value for axis, _, value in parts}
            key = "-".join(word for _, word, _ in parts)
            yield f"@{key}", {"item": item, "key": key}, body
    else:
        yield "", {}, definition


def fill(value: Any, context: Mapping[str, Any], where: str) -> Any:
    """Fill in every `${...}` of a value; a string that is one expression takes the value's own type."""
    if isinstance(value, dict):
        return {fill(key, context, where): fill(inner, context, where) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, context, where) for inner in value]
    if not isinstance(value, str):
        return value
    whole = _EXPRESSION.fullmatch(value)
    if whole:
        return _lookup(whole.group(1), context, where)
    return "".join(_filled(value, context, where)).replace("\\${", "${")


def _filled(text: str, context: Mapping[str, Any], where: str) -> Iterator[str]:
    """The parts of a text, with what its expressions stand for; no longer in all than a command can be."""
    at = length = 0
    for match in _EXPRESSION.finditer(text):
        found = _text(_lookup(match.group(1), context, where), where)
        length += len(found)
        if length > _LONGEST_TEXT:
            raise TemplateError(f"dvc.yaml: {where}: more than {_LONGEST_TEXT:,} characters once filled in")
        yield text[at : match.start()]
        yield found
        at = match.end()
    yield text[at:]


def _lookup(expression: str, context: Mapping[str, Any], where: str) -> Any:
    found = pick(context, re.sub(r"\[([^\]]*)\]", r".\1", expression.strip()))
    if found is MISSING:
        raise TemplateError(f"dvc.yaml: {where}: there is no {expression.strip()!r}", hint="define it under `vars`")
    return found


def _text(value: Any, where: str = "") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        raise TemplateError(f"dvc.yaml: {where}: a list or mapping inside a text is not supported", hint="write it out")
    return str(value)
