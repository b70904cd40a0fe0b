"""conf/monitor/ENV.yaml, typed: what is watched of an environment, and what it is compared with.

window: day                      # or hour
timezone: UTC                    # on whose clocks
season: weekday                  # compared with the same: none, weekday, hour, "weekday and hour"
budget: 1000                     # model-days to a false page, on average
features: []                     # which; all that the log has, if empty
reference: training              # the model's training set; or first: the first windows of the log
first: 14                        # windows
settle: 1h                       # how long after its end a window is looked at
rollback: false                  # go back by itself when labels say that the new version is surely worse
slices: []                       # keys or request fields; the problem's, if empty
fairness: {groups: [], least: 50, threshold: 0.5, limits: {demographic_parity: 0.1}}
retraining:                      # what `furrow retrain` takes for a reason, and how often
  drift: true                    # an alarm of drift
  decay: true                    # an alarm of performance or fairness
  age: ""                        # the version that is served is older, such as 90d; empty: no reason
  labels: 0                      # as many predictions of it have labels; 0: no reason
  land: ""                       # a command that lands newer data, in a checkout of the main branch
  cooling: 7d                    # from one retraining to the next
  hours: 24                      # that all retrainings of 30 days may take together
alarms:
  - {to: file, path: alarms.jsonl}
  - {to: webhook, url: "https://…", secret_file: /etc/furrow/webhook}
  - {to: email, host: localhost, port: 25, sender: furrow@example.com, receivers: [ml@example.com]}
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from furrow.errors import FurrowError
from furrow.monitoring.expected_means import SEASONS
from furrow.parse import ParseError, read_yaml
from furrow.training.group_fairness import MEASURES
from furrow.training.problem import ProblemError, span

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

__all__ = [
    "FairnessSettings",
    "MonitorSettings",
    "MonitorSettingsError",
    "RetrainingSettings",
    "Sink",
    "read_settings",
]

SINKS = ("file", "stdout", "webhook", "email")
_NEEDS = {"file": ("path",), "stdout": (), "webhook": ("url",), "email": ("sender", "receivers")}


class MonitorSettingsError(FurrowError):
    """conf/monitor/ENV.yaml says what can't be meant."""


@dataclass(frozen=True)
class FairnessSettings:
    """What is asked of groups.

    Attributes:
        groups: Columns whose values are groups: of keys, request fields or features.
        least: Rows that a group must have to be judged.
        threshold: From which probability on a prediction is positive.
        limits: By measure: the greatest gap that is allowed.
    """

    groups: list[str] = field(default_factory=list)
    least: int = 50
    threshold: float = 0.5
    limits: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RetrainingSettings:
    """When a better model is looked for, and what that may take; the module says it key by key."""

    drift: bool = True
    decay: bool = True
    age: str = ""
    labels: int = 0
    land: str = ""
    cooling: str = "7d"
    hours: float = 24.0


@dataclass(frozen=True)
class Sink:
    """Where alarms go.

    Attributes:
        to: file, stdout, webhook or email.
        path: Of a file: beside the log, unless it is absolute.
        url: Of a webhook.
        secret_file: A file outside Git with the key that bodies are signed with (HMAC-SHA256).
        host: Of the mail server.
        port: Its port.
        sender: Address.
        receivers: Addresses.
    """

    to: str = ""
    path: str = ""
    url: str = ""
    secret_file: str = ""
    host: str = "localhost"
    port: int = 25
    sender: str = ""
    receivers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class MonitorSettings:
    """What is watched; the module says it key by key."""

    window: str = "day"
    timezone: str = "UTC"
    season: str = "weekday"
    budget: float = 1000.0
    features: list[str] = field(default_factory=list)
    reference: str = "training"
    first: int = 14
    settle: str = "1h"
    rollback: bool = False
    slices: list[str] = field(default_factory=list)
    fairness: FairnessSettings = field(default_factory=FairnessSettings)
    retraining: RetrainingSettings = field(default_factory=RetrainingSettings)
    alarms: list[Sink] = field(default_factory=list)

    @property
    def windows_a_day(self) -> int:
        """How many windows a day has."""
        return 24 if self.window == "hour" else 1

    @property
    def steps(self) -> float:
        """Windows to a false page, on average."""
        return self.budget * self.windows_a_day

    @property
    def wait(self) -> timedelta:
        """How long after its end a window is looked at."""
        return span(self.settle, where="settle")


def read_settings(path: Path) -> MonitorSettings:
    """Read what is declared of an environment; the defaults where the file is not there.

    Raises:
        MonitorSettingsError: A key or a value can't be meant.
    """
    if not path.is_file():
        return MonitorSettings()
    try:
        value = read_yaml(path) or {}
    except (OSError, ParseError) as exc:
        raise MonitorSettingsError(f"{path}: {exc}", hint="mend it") from exc
    found: MonitorSettings = _typed(MonitorSettings, value, str(path))
    _check(found, str(path))
    return found


def _typed(kind: type[Any], value: Any, where: str) -> Any:
    """A mapping as a dataclass: unknown keys and values of other types are refused."""
    if not isinstance(value, dict):
        raise MonitorSettingsError(f"{where} is {value!r}", hint="write a mapping")
    known = {one.name for one in fields(kind)}
    hints = get_type_hints(kind)
    found = {}
    for key, given in value.items():
        if key not in known:
            close = get_close_matches(str(key), known, 1)
            hint = (
                f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known))}"
            )
            raise MonitorSettingsError(f"{where}: unknown key {key!r}", hint=hint)
        found[key] = _value(hints[key], given, f"{where}: {key}")
    return kind(**found)


def _value(hint: Any, given: Any, where: str) -> Any:
    if is_dataclass(hint):
        return _typed(cast("type[Any]", hint), given, where)
    kind = get_origin(hint) or hint
    right = isinstance(given, int | float if kind is float else kind)
    if not right or isinstance(given, bool) != (kind is bool):
        raise MonitorSettingsError(f"{where} is {given!r}", hint=f"give a {kind.__name__}")
    if kind is list:
        return [_value(get_args(hint)[0], one, where) for one in given]
    if kind is dict:
        return {
            str(name): _value(get_args(hint)[1], one, f"{where}.{name}")
            for name, one in given.items()
        }
    return float(given) if kind is float else given


def _check(found: MonitorSettings, where: str) -> None:
    choices = {
        "window": (found.window, ("day", "hour")),
        "season": (found.season, SEASONS),
        "reference": (found.reference, ("training", "first")),
        **{f"alarms.to ({n})": (one.to, SINKS) for n, one in enumerate(found.alarms, 1)},
        **{f"fairness.limits {name}": (name, tuple(MEASURES)) for name in found.fairness.limits},
    }
    for key, (given, known) in choices.items():
        if given not in known:
            close = get_close_matches(given, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"use one of: {', '.join(known)}"
            raise MonitorSettingsError(f"{where}: {key} is {given!r}", hint=hint)
    numbers = {"budget": found.budget, "first": found.first, "fairness.least": found.fairness.least}
    for key, number in numbers.items():
        if not 1 <= number < 1e9:
            raise MonitorSettingsError(f"{where}: {key} is {number!r}", hint="give 1 or more")
    limits = {"labels": found.retraining.labels, "hours": found.retraining.hours}
    for key, number in limits.items():
        if not 0 <= number < 1e12:
            raise MonitorSettingsError(f"{where}: retraining.{key} is {number!r}", hint="0 or more")
    for one in found.alarms:
        lacking = [name for name in _NEEDS[one.to] if not getattr(one, name)]
        if lacking:
            raise MonitorSettingsError(f"{where}: an alarm to {one.to} needs {lacking[0]}")
        if one.to == "webhook" and not one.url.startswith(("https://", "http://")):
            raise MonitorSettingsError(f"{where}: url {one.url!r}", hint="write https://…")
    try:
        span(found.settle, where=f"{where}: settle")
        span(found.retraining.cooling, where=f"{where}: retraining.cooling")
        span(found.retraining.age or "1d", where=f"{where}: retraining.age")
        ZoneInfo(found.timezone)
    except (ProblemError, ZoneInfoNotFoundError, ValueError) as exc:
        raise MonitorSettingsError(f"{where}: {exc}") from exc
