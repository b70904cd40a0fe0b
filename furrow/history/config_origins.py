"""Where each value of a run's config was said.

File and line, as the commit that compiled it has them.

Files are looked through as Hydra lets them count: the experiment's own file and line first, then
the option that it chose of the key's group, then conf/config.yaml. A value that a file says
otherwise is not from there: an override, or a file that moved on since.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from furrow.history.run_diff import flat
from furrow.layout import CONF, CONFIG_YAML, EXPERIMENTS_YAML, experiment_yaml
from furrow.parse import ParseError, compose_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["needed_for", "origins"]

Leaves = dict[str, tuple[Any, int]]

_CHOICES = {"problem": "problem.name", "service": "features.service"}
_COMPUTED = {
    "features.digest": "computed from the feature definitions",
    "code.digest": "computed from the code that trains",
    "code.evaluate": "computed from the code that evaluates",
}
_SAFE = re.compile(r"[A-Za-z0-9_.-]+")


def needed_for(path: str) -> bool:
    """Whether a file is one that a config may be composed of."""
    return path.startswith(f"{CONF}/") and path.endswith(".yaml") and path.count("/") <= 2


def origins(name: str, config: Mapping[str, Any], texts: Mapping[str, bytes]) -> dict[str, str]:
    """Where each value of a config is from, as `FILE:LINE`, by dotted key.

    Args:
        name: The experiment.
        config: As resolved.
        texts: conf/'s files by path.

    Returns:
        An origin for each key; words where no file says it. Nothing where there is no conf/.
    """
    if not texts:  # nothing is compiled from conf/ here
        return {}
    files = {path: _leaves(content) for path, content in texts.items()}
    own = files.get(experiment_yaml(name), {})
    entry = {
        key.removeprefix(f"experiments.{name}."): value
        for key, value in files.get(EXPERIMENTS_YAML, {}).items()
        if key.startswith(f"experiments.{name}.")
    }
    chosen = {**_defaults(texts.get(CONFIG_YAML)), **_defaults(texts.get(experiment_yaml(name)))}
    chosen |= {group: str(value) for group, (value, _) in entry.items()}
    found = {}
    for key, value in flat(dict(config)).items():
        group, _, inner = key.partition(".")
        option = f"{CONF}/{group}/{chosen.get(group, '')}.yaml"
        if option not in files:  # such as `encoding`, which the option of `model` sets
            option = f"{CONF}/model/{chosen.get('model', '')}.yaml"
        places = [
            (experiment_yaml(name), own.get(key)),
            *((EXPERIMENTS_YAML, one) for word, one in entry.items() if _CHOICES.get(word) == key),
            (option, files.get(option, {}).get(key if _whole(texts.get(option)) else inner)),
            (CONFIG_YAML, files.get(CONFIG_YAML, {}).get(key)),
        ]
        said = next(
            (
                f"{path}:{one[1]}"
                for path, one in places
                if one is not None and _same(one[0], value)
            ),
            "",
        )
        found[key] = said or _COMPUTED.get(key) or _otherwise(name, key, value, chosen)
    return found


def _whole(content: bytes | None) -> bool:
    """Whether a file's keys are those of the whole config, and not of its group."""
    return bool(content) and b"@package _global_" in (content or b"")[:400]


def _otherwise(name: str, key: str, value: Any, chosen: Mapping[str, str]) -> str:
    group = key.partition(".")[0]
    if key == "problem.name" or (key == "name" and value == name):
        return EXPERIMENTS_YAML
    if group in chosen and _SAFE.fullmatch(chosen[group]):
        return f"no file says it: an option or default of {group}"
    return "no file says it: a default, or an override"


def _same(said: Any, value: Any) -> bool:
    """Whether a text of a file means a value of the config."""
    if said == value:
        return True
    if isinstance(said, int | float) and isinstance(value, int | float):
        return float(said) == float(value)
    return False


def _defaults(content: bytes | None) -> dict[str, str]:
    """The options that a file chooses, by group."""
    found = {}
    for node in _items(content):
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(value, yaml.ScalarNode):
                    group = str(key.value).removeprefix("override ").strip().strip("/")
                    found[group] = str(value.value)
    return found


def _items(content: bytes | None) -> list[Any]:
    try:
        root = compose_yaml(content) if content else None
    except ParseError:
        return []
    if not isinstance(root, yaml.MappingNode):
        return []
    return [
        item
        for key, value in root.value
        if key.value == "defaults" and isinstance(value, yaml.SequenceNode)
        for item in value.value
    ]


def _leaves(content: bytes) -> Leaves:
    """Values and lines of a file by dotted key; nothing where it can't be read."""
    try:
        root = compose_yaml(content)
    except ParseError:
        return {}
    return dict(_walk(root, "")) if isinstance(root, yaml.MappingNode) else {}


def _walk(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, tuple[Any, int]]]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from _walk(value, f"{name}.")
        else:
            yield name, (_value(value), key.start_mark.line + 1)


def _value(node: Any) -> Any:
    """A value of a node, by YAML's own plain types."""
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    if not isinstance(node, yaml.ScalarNode):
        return {}
    text, kind = str(node.value), node.tag.rpartition(":")[2]
    try:
        if kind == "int":
            return int(text.replace("_", ""))
        if kind == "float":
            return float(text)
    except ValueError:
        return text
    if kind == "bool":
        return text.lower() in {"true", "yes", "on"}
    return None if kind == "null" else text
