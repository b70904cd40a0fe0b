"""conf/ci.yaml: what CI asks of a commit.

For a commit from outside it is read from the target branch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, get_origin, get_type_hints

from furrow.errors import FurrowError
from furrow.ground.isolate import Limits
from furrow.parse import ParseError, parse_yaml
from furrow.training.boosting_libraries import LIBRARIES

__all__ = ["CiSettings", "CiSettingsError", "parse_settings"]

_GB = 10**9
_LIMITS = ("hours", "processes", "memory_gb", "disk_gb")
_REGISTER = ("automatic", "replayed")
_CHOICES = {"replay": ("all", "changed", "sample", "none"), "worse": ("fail", "warn")}


class CiSettingsError(FurrowError):
    """conf/ci.yaml is malformed."""


@dataclass(frozen=True)
class CiSettings:
    """What CI asks.

    Attributes:
        branch: The branch that versions are registered on and that commits are measured against.
        replay: Which experiments are replayed from nothing: all, changed, sample or none.
        sample: How many, of a sample.
        worse: Whether a champion that is surely worse than the target branch's fails, or is a
            warning.
        prepare: A command that makes the data where no remote has it, such as `make data`.
        register: Options of registration: automatic, replayed.
        limits: What a command of a commit from outside may take: hours, processes, memory_gb,
            disk_gb.
        imports: Addresses that a commit from outside may import data from with DVC.
        estimators: Libraries beside scikit-learn whose estimators a model may name: lightgbm,
            xgboost.
    """

    branch: str = "main"
    replay: str = "changed"
    sample: int = 1
    worse: str = "fail"
    prepare: str = ""
    register: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)
    estimators: list[str] = field(default_factory=list)

    @property
    def bounds(self) -> Limits:
        """What a held command may take."""
        usual, given = Limits(), self.limits
        return Limits(
            seconds=given["hours"] * 3600 if "hours" in given else usual.seconds,
            processes=int(given.get("processes", usual.processes)),
            memory=int(given["memory_gb"] * _GB) if "memory_gb" in given else usual.memory,
            disk=int(given["disk_gb"] * _GB) if "disk_gb" in given else usual.disk,
        )

    @property
    def automatic(self) -> bool:
        """Whether a champion on the branch is registered by CI."""
        return bool(self.register.get("automatic", False))

    @property
    def replayed(self) -> bool:
        """Whether a champion must have been replayed before it is registered."""
        return bool(self.register.get("replayed", False))


def parse_settings(content: bytes | None, *, branch: str = "main") -> CiSettings:
    """Read conf/ci.yaml.

    Args:
        content: Of the file; None for the defaults.
        branch: The default of `branch`.

    Raises:
        CiSettingsError: A key or a value is wrong.
    """
    try:
        value = parse_yaml(content or b"") or {}
    except ParseError as exc:
        raise CiSettingsError(
            f"conf/ci.yaml is not valid YAML: {' '.join(str(exc).split())}", hint="mend it"
        ) from exc
    if not isinstance(value, dict):
        raise CiSettingsError(
            "conf/ci.yaml holds no mapping", hint="write keys, such as `replay: changed`"
        )
    known = {one.name for one in fields(CiSettings)}
    hints = get_type_hints(CiSettings)
    for key, given in value.items():
        if key not in known:
            close = get_close_matches(str(key), known, 1)
            hint = (
                f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known))}"
            )
            raise CiSettingsError(f"conf/ci.yaml: unknown key {key!r}", hint=hint)
        kind = get_origin(hints[key]) or hints[key]
        if not isinstance(given, kind) or isinstance(given, bool):
            raise CiSettingsError(
                f"conf/ci.yaml: {key} is {given!r}", hint=f"give a {kind.__name__}"
            )
        if key in _CHOICES and given not in _CHOICES[key]:
            raise CiSettingsError(
                f"conf/ci.yaml: {key} is {given!r}", hint=f"use one of: {', '.join(_CHOICES[key])}"
            )
    for key, given in _inner(value, "register", _REGISTER):
        if not isinstance(given, bool):
            raise CiSettingsError(
                f"conf/ci.yaml: register.{key} is {given!r}", hint="give true or false"
            )
    for key, given in _inner(value, "limits", _LIMITS):
        if (
            isinstance(given, bool)
            or not isinstance(given, int | float)
            or not 0 < given < float("inf")
        ):
            raise CiSettingsError(
                f"conf/ci.yaml: limits.{key} is {given!r}", hint="give a positive number"
            )
    _check_lists(value)
    return CiSettings(**{"branch": branch, **value})


def _check_lists(value: dict[str, Any]) -> None:
    if not all(isinstance(one, str) for one in value.get("imports") or []):
        raise CiSettingsError(
            "conf/ci.yaml: imports holds something else than addresses", hint="give texts"
        )
    for name in value.get("estimators") or []:
        if name not in LIBRARIES:
            raise CiSettingsError(
                f"conf/ci.yaml: estimators names {name!r}",
                hint=f"there are: {', '.join(LIBRARIES)}",
            )


def _inner(value: dict[str, Any], name: str, known: tuple[str, ...]) -> list[tuple[str, Any]]:
    """The keys of a mapping below a key, each of which must be known."""
    given = value.get(name) or {}
    for key in given:
        if key not in known:
            close = get_close_matches(str(key), known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
            raise CiSettingsError(f"conf/ci.yaml: unknown key {name}.{key}", hint=hint)
    return list(given.items())
