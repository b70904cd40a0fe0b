"""Hydra: composing declared configs, and checking them against typed structured configs."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from furrow.errors import FurrowError
from furrow.ground.resolvers import impure, place_of, pure
from furrow.layout import ROOT_CONFIG
from furrow.parse import LIMITS, ParseError, check_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ConfigError", "at_fault", "compose", "resolved", "structured"]

T = TypeVar("T")


class ConfigError(FurrowError):
    """A declared config is malformed: the message names the file, the key and the value."""


def compose(conf: Path, config_name: str, overrides: list[str]) -> dict[str, Any]:
    """Compose a config as Hydra does, with every interpolation resolved.

    Args:
        conf: The folder of configs.
        config_name: The root config, without ".yaml".
        overrides: Hydra overrides, such as "experiment=gbm" or "model.learning_rate=0.1".

    Raises:
        ConfigError: A file, a group option or an interpolation is missing, or YAML is broken.
    """
    # half a second that readers of plain YAML do without
    from hydra import compose as hydra_compose  # noqa: PLC0415
    from hydra.errors import HydraException, MissingConfigException  # noqa: PLC0415 - the same

    from furrow.ground.conf_search import opened  # noqa: PLC0415 - the same

    for path in sorted(conf.rglob("*.yaml")):
        _check(path, _stamp(path))
    try:
        with pure():
            with opened(conf):
                config = hydra_compose(config_name, overrides=overrides)
            return resolved(config)
    except MissingConfigException as exc:
        options = list(exc.options or [])
        close = _closest(str(exc.missing_cfg_file or "").rsplit("/", 1)[-1], options)
        hint = f"did you mean {close!r}? " if close else ""
        hint += f"there are: {', '.join(options)}" if options else f"look in {conf.name}/"
        first = str(exc).strip().splitlines()[0]
        raise ConfigError(f"{conf.name}/: {first}", hint=hint) from exc
    except (HydraException, OmegaConfBaseException) as exc:
        if resolver := impure(exc):
            raise _refusal(resolver, exc, f"{conf.name}/ ({' '.join(overrides)})", conf) from exc
        first = str(exc).strip().splitlines()[0]
        raise ConfigError(
            f"{conf.name}/ ({' '.join(overrides)}): {first}", hint="mend the config, then run again"
        ) from exc
    except (yaml.YAMLError, ParseError) as exc:
        raise ConfigError(
            f"{conf.name}/: {' '.join(str(exc).split())}", hint="mend the YAML, then run again"
        ) from exc


def resolved(config: DictConfig) -> dict[str, Any]:
    """A composed config as plain values.

    Raises:
        ConfigError: A value still spells an interpolation, having been escaped: whoever reads it
            next would resolve it.
        OmegaConfBaseException: An interpolation leads nowhere.
    """
    value = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True))
    for key, text in _texts(value):
        if "${" in text:
            raise ConfigError(f"{key}: {text[:80]!r} may not be text", hint="write it without ${")
    return value


def _texts(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every text in plain values, keys among them, with the key that it stands at."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield prefix, str(key)
            yield from _texts(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _texts(inner, f"{prefix}[{at}]")
    elif isinstance(value, str):
        yield prefix, value


def _refusal(resolver: str, exc: BaseException, where: str, conf: Path | None) -> ConfigError:
    """What to say of a resolver that no config may use."""
    key = str(getattr(exc, "full_key", None) or getattr(exc, "key", None) or "")
    where = place_of(conf, resolver, key) or where
    at = f" {key}:" if key else ""
    hint = "a run is what Git declares: write the value down, and leave secrets out of conf/"
    return ConfigError(f"{where}:{at} ${{{resolver}:...}} may not be used", hint=hint)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:  # a link that leads nowhere: Hydra says so, if it is asked for
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4096)
def _check(path: Path, stamp: tuple[int, int]) -> None:
    """Hold a file that Hydra may parse within bounds; once for each state of it."""
    if not any(stamp):
        return
    with path.open("rb") as handle:
        content = handle.read(LIMITS.size + 1)
    try:
        check_yaml(content, path)
    except ParseError as exc:
        raise ConfigError(str(exc), hint="mend the YAML, then run again") from exc


def structured(
    schema: type[T], value: dict[str, Any], *, where: str, conf: Path | None = None
) -> T:
    """Check a config against a typed structured config and return it as that type.

    Args:
        schema: A dataclass.
        value: The config, plain.
        where: The file or the experiment, for messages.
        conf: A folder of configs to search for the line that holds a misspelt key.

    Raises:
        ConfigError: An unknown key (with the one that was meant), a missing one, or a value of a
            wrong type.
    """
    try:
        with pure():
            merged = OmegaConf.merge(OmegaConf.structured(schema), value)
            missing = sorted(OmegaConf.missing_keys(merged))
            if missing:
                raise ConfigError(
                    f"{where}: {missing[0]!r} is missing", hint=f"give {missing[0]} a value"
                )
            return cast("T", OmegaConf.to_object(merged))
    except OmegaConfBaseException as exc:
        if resolver := impure(exc):
            raise _refusal(resolver, exc, where, conf) from exc
        key = str(exc.full_key or exc.key)
        if getattr(exc, "key", None) is not None and "not in" in str(exc):
            known = _known_keys(schema, key)
            close = _closest(key.rsplit(".", 1)[-1], known)
            hint = f"did you mean {close!r}?" if close else f"known keys: {', '.join(known)}"
            raise ConfigError(
                f"{_locate(conf, key, where)}: unknown key {key!r}", hint=hint
            ) from exc
        message = str(exc).strip().splitlines()[0]
        raise ConfigError(
            f"{_locate(conf, key, where)}: {key}: {message}", hint="give it a value of that type"
        ) from exc


def _known_keys(schema: type, key: str) -> list[str]:
    """The keys that stand beside a dotted key in a structured config."""
    node: Any = OmegaConf.structured(schema)
    for part in key.split(".")[:-1]:
        if not isinstance(node, DictConfig) or part not in map(str, node):
            break  # a dot may be part of a misspelt key
        node = node._get_node(part)
        reference = getattr(getattr(node, "_metadata", None), "ref_type", None)
        if (
            node is not None
            and (node._is_none() or node._is_missing())
            and isinstance(reference, type)
        ):
            node = OmegaConf.structured(reference)
    return [str(name) for name in node] if isinstance(node, DictConfig) else []


def _closest(word: str, words: list[str]) -> str:
    return next(iter(difflib.get_close_matches(word, words, 1, 0.6)), "")


def _locate(conf: Path | None, key: str, where: str) -> str:
    return where if conf is None else at_fault(conf, key, where)


def at_fault(conf: Path, key: str, where: str) -> str:
    """The file and line that say a key of a composed config, and which experiments use that file.

    Args:
        conf: The folder of configs.
        key: Dotted, as in the composed config: "model.learning_rate".
        where: The file that was being composed, which is told where no line can be.

    Returns:
        Such as "conf/model/gbm.yaml:4 (used by gbm, gbm_search)".
    """
    own = conf.parent / where.partition(" ")[0]
    if not own.is_file():
        own = conf / Path(where.partition(" ")[0]).name
    group, last = key.partition(".")[0], key.rpartition(".")[2]
    if said := _short_line(conf, own.stem, key):
        return said
    option = _option(conf, own, group)
    files = [own, *([conf / group / f"{option}.yaml"] if option else []), conf / ROOT_CONFIG]
    hits = [hit for path in files if (hit := _line_of(path, last))] or [
        hit for path in sorted(conf.rglob("*.yaml")) if (hit := _line_of(path, last))
    ]
    if not hits or (len(hits) > 1 and hits[0][0] not in files):
        return where
    path, number = hits[0]
    users = _users(conf, group, path) if path.parent == conf / group else []
    used = f" (used by {', '.join(users)})" if users else ""
    return f"{path.relative_to(conf.parent)}:{number}{used}"


def _short_line(conf: Path, name: str, key: str) -> str:
    """The line of conf/experiments.yaml in which an experiment says a key by its dotted name."""
    path = conf / "experiments.yaml"
    pattern = re.compile(rf"^\s*{re.escape(name)}\s*:.*[{{,\s\"']{re.escape(key)}[\"']?\s*:")
    for number, line in enumerate(_text(path).splitlines(), 1):
        if pattern.search(line.split("#", 1)[0]):
            return f"{path.relative_to(conf.parent)}:{number}"
    return ""


def _option(conf: Path, own: Path, group: str) -> str:
    """Which option of a group an experiment's file chooses, or config.yaml for it."""
    for path in (own, conf / ROOT_CONFIG):
        found = re.search(rf"-\s*(?:override\s+)?/?{re.escape(group)}:\s*(\w+)", _text(path))
        if found:
            return found[1]
    return ""


def _users(conf: Path, group: str, path: Path) -> list[str]:
    """The experiments that choose a file of a group."""
    chosen = re.compile(rf"/?\b{re.escape(group)}:\s*{re.escape(path.stem)}\b")
    own = [one.stem for one in (conf / "experiment").glob("*.yaml") if chosen.search(_text(one))]
    lines = _text(conf / "experiments.yaml").splitlines()
    short = [
        line.partition(":")[0].strip() for line in lines if chosen.search(line.partition(":")[2])
    ]
    return sorted({*own, *short})


def _line_of(path: Path, name: str) -> tuple[Path, int] | None:
    pattern = re.compile(rf"(^|[{{,\s]){re.escape(name)}\s*:")
    for number, line in enumerate(_text(path).splitlines(), 1):
        if pattern.search(line.split("#", 1)[0]):
            return path, number
    return None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
