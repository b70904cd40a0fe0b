"""Hydra's override and sweep grammar.

What a person types to try values, parsed, enumerated and composed.
"""

from __future__ import annotations

import difflib
import itertools
import math
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from hydra import compose as hydra_compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from furrow.ground.conf_search import is_group, opened
from furrow.ground.hydra import ConfigError, compose, resolved
from furrow.ground.resolvers import pure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Composer", "Dimension", "Setting", "Sweep", "parse", "settings"]

MOST = 10_000
"""Values that one key of a sweep may have."""


@dataclass(frozen=True)
class Dimension:
    """The values that a search may give one key: choices, or a range of numbers.

    Attributes:
        choices: Values as Hydra writes them; None for a range.
        low: The least number.
        high: The greatest number, itself included.
        log: Whether to search on a logarithmic scale.
        integer: Whether only integers count.
        step: The distance of neighbouring numbers; None when they lie densely.
    """

    choices: tuple[str, ...] | None = None
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    integer: bool = False
    step: float | None = None


@dataclass(frozen=True)
class Sweep:
    """A command's overrides.

    Attributes:
        fixed: Overrides that every trial has.
        axes: Keys that vary, with their overrides one after the other; an interval has none.
        dimensions: The same keys as a search sees them.
    """

    fixed: tuple[str, ...]
    axes: dict[str, tuple[str, ...] | None]
    dimensions: dict[str, Dimension]

    @property
    def size(self) -> int:
        """The number of points of the grid."""
        return math.prod(len(axis or ()) for axis in self.axes.values())

    def points(self) -> Iterator[tuple[str, ...]]:
        """Every combination of the axes, the last axis varying fastest, as Hydra's own sweeper orders them.

        Raises:
            ConfigError: An axis is an interval: only a search can try it.
        """
        for key, axis in self.axes.items():
            if axis is None:
                raise ConfigError(
                    f"{key}: an interval can't be enumerated",
                    hint="add --search tpe, or give values or a range()",
                )
        yield from itertools.product(*(axis or () for axis in self.axes.values()))


@dataclass(frozen=True)
class Setting:
    """One override as a declaration would say it: an option of a group, or a value of a key.

    Attributes:
        key: A dotted key, or a group such as "model".
        value: The value, or the option's name.
        group: Whether it chooses an option of a group.
        add: Whether the key is new.
    """

    key: str
    value: Any
    group: bool
    add: bool


def parse(conf: Path, words: Sequence[str]) -> Sweep:
    """Read overrides and sweeps.

    `a=1`, `a=1,2`, `a=range(1,9,2)`, `a=interval(0,1)`, `model=glob(*)`, `+a=1`.

    A key given twice counts as given last.

    Args:
        conf: The folder of configs, for globs over its groups.
        words: What was typed.

    Raises:
        ConfigError: A word is no override, deletes a key (no declaration can say so), or concerns
            Hydra itself.
    """
    fixed: dict[str, str] = {}
    axes: dict[str, tuple[str, ...] | None] = {}
    dimensions: dict[str, Dimension] = {}
    for override in _overrides(conf, words):
        key = override.get_key_element()
        for place in (fixed, axes, dimensions):
            cast("dict[str, Any]", place).pop(key, None)
        if not override.is_sweep_override():
            fixed[key] = f"{key}={override.get_value_element_as_str()}"
            continue
        try:
            values = (
                None
                if override.is_interval_sweep()
                else tuple(islice(override.sweep_string_iterator(), MOST + 1))
            )
        except HydraException as exc:
            raise ConfigError(
                f"{override.input_line}: {exc}", hint="look at Hydra's sweep syntax"
            ) from exc
        if values == ():
            raise ConfigError(
                f"{override.input_line}: there is nothing to try", hint="give it values"
            )
        if values is not None and len(values) > MOST:
            raise ConfigError(
                f"{override.input_line}: it has more than {MOST:,} values",
                hint="narrow it, or search an interval()",
            )
        axes[key] = None if values is None else tuple(f"{key}={value}" for value in values)
        dimensions[key] = _dimension(override, values)
    return Sweep(tuple(fixed.values()), axes, dimensions)


def settings(conf: Path, words: Sequence[str]) -> list[Setting]:
    """The overrides of one trial, to be written down as a declaration."""
    return [
        Setting(
            key=(
                f"{override.key_or_group}@{override.package}"
                if override.package
                else override.key_or_group
            ),
            value=override.value(),
            group=is_group(conf, override.key_or_group),
            add=override.is_add() or override.is_force_add(),
        )
        for override in _overrides(conf, words)
    ]


class Composer:
    """Composes many configs that differ in a few values, without reading conf/ anew for each.

    Args:
        conf: The folder of configs.
        config_name: The root config.
        fixed: Overrides that all have.
    """

    def __init__(self, conf: Path, config_name: str, fixed: Sequence[str]) -> None:
        self._conf = conf
        self._config_name = config_name
        self._fixed = list(fixed)
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def compose(self, words: Sequence[str]) -> dict[str, Any]:
        """Compose one config, with every interpolation resolved.

        Raises:
            ConfigError: As for `furrow.ground.hydra.compose`.
        """
        try:
            with pure():
                quick = self._quick(words)
        except (HydraException, OmegaConfBaseException):
            quick = None  # Hydra itself says best what is wrong
        return (
            quick
            if quick is not None
            else compose(self._conf, self._config_name, [*self._fixed, *words])
        )

    def _quick(self, words: Sequence[str]) -> dict[str, Any] | None:
        """The config by changing values in one that was composed before.

        None when that is not enough.
        """
        overrides = _overrides(self._conf, words)
        groups = tuple(
            override.input_line or ""
            for override in overrides
            if is_group(self._conf, override.key_or_group)
        )
        if groups not in self._composed:
            with opened(self._conf):
                self._composed[groups] = hydra_compose(
                    self._config_name, overrides=[*self._fixed, *groups]
                )
        config = deepcopy(self._composed[groups])
        for override in overrides:
            if override.input_line in groups:
                continue
            if not (override.is_add() or override.is_force_add()):
                _check_known(config, override)
            if override.is_add() and OmegaConf.select(config, override.key_or_group) is not None:
                return None
            force = override.is_add() or override.is_force_add()
            OmegaConf.update(
                config, override.key_or_group, override.value(), merge=True, force_add=force
            )
        return resolved(config)


class _OwnOptions:
    """A loader of configs whose groups hold the project's own options.

    Globs are over those alone.
    """

    def __init__(self, loader: Any, conf: Path) -> None:
        self.loader, self.conf = loader, conf

    def get_group_options(self, group_name: str, *arguments: Any, **options: Any) -> list[str]:
        found = self.loader.get_group_options(group_name, *arguments, **options)
        return [name for name in found if (self.conf / group_name / f"{name}.yaml").is_file()]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)


def _overrides(conf: Path, words: Sequence[str]) -> list[Override]:
    try:
        with opened(conf):
            loader: Any = _OwnOptions(GlobalHydra.instance().config_loader(), conf)
            parser = OverridesParser.create(config_loader=loader)
            found: list[Override] = parser.parse_overrides(list(words))
    except HydraException as exc:
        first = str(exc).strip().splitlines()[0]
        raise ConfigError(
            first, hint="write KEY=VALUE, KEY=A,B or KEY=range(1,9,2): Hydra's grammar"
        ) from exc
    for override in found:
        if not override.key_or_group:
            raise ConfigError(f"{override.input_line}: there is no key", hint="write KEY=VALUE")
        if override.is_delete():
            raise ConfigError(
                f"{override.input_line}: a key can't be taken away by a declaration",
                hint="give it a value instead",
            )
        if override.is_hydra_override():
            raise ConfigError(
                f"{override.input_line}: hydra's own settings have no meaning here",
                hint="leave it out",
            )
    return found


def _check_known(config: DictConfig, override: Override) -> None:
    parts = override.key_or_group.split(".")
    for place, part in enumerate(parts):
        node = OmegaConf.select(config, ".".join(parts[:place])) if place else config
        if not isinstance(node, DictConfig):
            return
        known = [str(key) for key in node]
        if part not in known:
            close = difflib.get_close_matches(part, known, 1)
            hint = (
                f"did you mean {'.'.join([*parts[:place], *close, *parts[place + 1 :]])!r}? "
                if close
                else ""
            )
            raise ConfigError(
                f"{override.input_line}: there is no key {override.key_or_group!r}",
                hint=f"{hint}a new key is written with a plus: +{override.input_line}",
            )


def _dimension(override: Override, values: tuple[str, ...] | None) -> Dimension:
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        if sweep.start is None or sweep.end is None or not sweep.start < sweep.end:
            raise ConfigError(
                f"{override.input_line}: the interval is empty", hint="write interval(LOW,HIGH)"
            )
        log = "log" in sweep.tags
        if log and sweep.start <= 0:
            raise ConfigError(
                f"{override.input_line}: a logarithmic interval starts above 0",
                hint="raise its start",
            )
        return Dimension(
            low=sweep.start, high=sweep.end, log=log, integer=isinstance(sweep.start, int)
        )
    if (
        isinstance(sweep, RangeSweep)
        and values
        and len(values) > 1
        and isinstance(sweep.start, int)
    ):
        numbers = sorted(float(value) for value in values)
        if all(number.is_integer() for number in numbers):
            return Dimension(
                low=numbers[0], high=numbers[-1], integer=True, step=numbers[1] - numbers[0]
            )
    return Dimension(choices=values)
