"""conf/ci.yaml: what CI asks of a commit. For a commit from outside it is read from the target branch."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, get_type_hints

from furrow.errors import FurrowError
from furrow.parse import ParseError, parse_yaml

__all__ = ["CiSettings", "CiSettingsError", "parse_settings"]

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
        worse: Whether a champion that is surely worse than the target branch's fails, or is a warning.
        prepare: A command that makes the data where no remote has it, such as `python -m pipelines.ingest`.
        register: Options of registration: automatic, replayed.
    """

    branch: str = "main"
    replay: str = "changed"
    sample: int = 1
    worse: str = "fail"
    prepare: str = ""
    register: dict[str, Any] = field(default_factory=dict)

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
        raise CiSettingsError(f"conf/ci.yaml is not valid YAML: {' '.join(str(exc).split())}", hint="mend it") from exc
    if not isinstance(value, dict):
        raise CiSettingsError("conf/ci.yaml holds no mapping", hint="write keys, such as `replay: changed`")
    known = {one.name for one in fields(CiSettings)}
    hints = get_type_hints(CiSettings)
    for key, given in value.items():
        if key not in known:
            close = get_close_matches(str(key), known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known))}"
            raise CiSettingsError(f"conf/ci.yaml: unknown key {key!r}", hint=hint)
        kind = dict if key == "register" else hints[key]
        if not isinstance(given, kind) or isinstance(given, bool):
            raise CiSettingsError(f"conf/ci.yaml: {key} is {given!r}", hint=f"give a {kind.__name__}")
        if key in _CHOICES and given not in _CHOICES[key]:
            raise CiSettingsError(f"conf/ci.yaml: {key} is {given!r}", hint=f"use one of: {', '.join(_CHOICES[key])}")
    for key, given in (value.get("register") or {}).items():
        if key not in _REGISTER:
            close = get_close_matches(str(key), _REGISTER, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(_REGISTER)}"
            raise CiSettingsError(f"conf/ci.yaml: unknown key register.{key}", hint=hint)
        if not isinstance(given, bool):
            raise CiSettingsError(f"conf/ci.yaml: register.{key} is {given!r}", hint="give true or false")
    return CiSettings(**{"branch": branch, **value})
