"""conf/deployment/ENV.yaml, typed: the version that an environment serves, its canary and its shadow, and the log.

model: gbm@v1.1.0            # with model_sha256 and features_digest, as `furrow models promote` writes them
canary:
  model: gbm@v1.2.0
  share: 0.05                # of the entities
  by: [customer]             # which keys choose; every key, if left out
  abort: {errors: true, refused: true, slower_than: 50ms, label: false}
  confidence: 0.99           # a canary as good as the main version is aborted with 1 % at most
  margin: 0.01               # by how much it may be worse to be proposed for promotion
  least: 1000                # requests that it must have answered by then
  longest: 7d                # without a decision by then it ends
shadow: {model: late@v2.0.0, share: 0.1}
log: {durable: false, when_full: continue, sample: 1.0, redact: [], retention: 90d, size_limit: 10GB}
features_stale: {action: "null", defaults: {}}
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import sha256_json
from furrow.ground.git import show
from furrow.ground.hydra import structured
from furrow.layout import DEPLOYMENT
from furrow.parse import ParseError, parse_yaml
from furrow.serving.log_settings import LogSettings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Abort",
    "Canary",
    "Deployment",
    "Shadow",
    "SpecError",
    "parse_deployment",
    "read_deployment",
]

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SPANS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?")
_SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_VERSION = re.compile(r".+@v\d+\.\d+\.\d+")


class SpecError(FurrowError):
    """A deployment is declared in a way that can't be meant."""


@dataclass
class Abort:
    """What ends a canary when it is surely worse than the main version.

    Attributes:
        errors: The share of requests that fail.
        refused: The share of scores that are refused: features are missing or expired.
        slower_than: The share of answers that take longer; empty: latency ends nothing.
        label: The share of predictions that turn out wrong, once labels are known.
    """

    errors: bool = True
    refused: bool = True
    slower_than: str = ""
    label: bool = False

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that are watched."""
        chosen = {
            "errors": self.errors,
            "refused": self.refused,
            "slow": bool(self.slower_than),
            "label": self.label,
        }
        return tuple(name for name, wanted in chosen.items() if wanted)

    @property
    def slow_us(self) -> int | None:
        """From how many microseconds on an answer is slow."""
        return round(1e6 * _seconds(self.slower_than)) if self.slower_than else None


@dataclass
class Canary:
    """A version that answers for some entities, to find out whether it is as good.

    Attributes:
        model: The version.
        share: Of the entities.
        by: The keys that choose; every key, if empty.
        abort: What ends it.
        confidence: 1 - the chance that one as good as the main version is ended.
        margin: By how much a share of the above may be worse for it to be proposed for promotion.
        least: Requests that it must have answered by then.
        longest: When it ends without a decision.
        salt: What its entities are drawn with; its version, if empty.
    """

    model: str = ""
    share: float = 0.05
    by: list[str] = field(default_factory=list)
    abort: Abort = field(default_factory=Abort)
    confidence: float = 0.99
    margin: float = 0.01
    least: int = 1000
    longest: str = "7d"
    salt: str = ""

    @property
    def alpha(self) -> float:
        """The chance that a canary as good as the main version is ended."""
        return 1 - self.confidence

    @property
    def longest_time(self) -> timedelta:
        """When it ends without a decision."""
        return timedelta(seconds=_seconds(self.longest))


@dataclass
class Shadow:
    """A version whose answers are logged and never given.

    Attributes:
        model: The version.
        share: Of the requests.
    """

    model: str = ""
    share: float = 1.0


@dataclass
class Log:
    """How predictions are logged; see `LogSettings`."""

    durable: bool = False
    when_full: str = "continue"
    sample: float = 1.0
    redact: list[str] = field(default_factory=list)
    retention: str = ""
    size_limit: str = ""

    def settings(self) -> LogSettings:
        """As the log takes it."""
        return LogSettings(
            durable=self.durable,
            when_full=self.when_full,
            sample=self.sample,
            redact=frozenset(self.redact),
            retention=timedelta(seconds=_seconds(self.retention)) if self.retention else None,
            size_limit=_bytes(self.size_limit) if self.size_limit else None,
        )


@dataclass
class Stale:
    """What becomes of a score whose features are missing or expired: "null", "default" or "refuse"."""

    action: str = "null"
    defaults: dict[str, Any] = field(default_factory=dict)


@dataclass
class Deployment:
    """What an environment is declared to serve.

    Attributes:
        model: The version.
        model_sha256: Of it; empty where the file doesn't say.
        features_digest: Of its feature service, likewise.
        service: Its feature service, likewise.
        canary: Beside it; None for none.
        shadow: Behind it; None for none.
        log: How predictions are logged.
        features_stale: What becomes of missing and expired features.
    """

    model: str = ""
    model_sha256: str = ""
    features_digest: str = ""
    service: str = ""
    canary: Canary | None = None
    shadow: Shadow | None = None
    log: Log = field(default_factory=Log)
    features_stale: Stale = field(default_factory=Stale)

    @property
    def canary_digest(self) -> str:
        """Changes whenever the canary is declared otherwise.

        What was found out about another counts no more.
        """
        if self.canary is None:
            return ""
        said = {**vars(self.canary), "abort": vars(self.canary.abort), "main": self.model}
        return sha256_json(said)[:16]


def read_deployment(root: Path, environment: str, rev: str = "HEAD") -> Deployment | None:
    """What an environment is declared to serve at a commit; None where nothing is.

    Raises:
        SpecError: A value makes no sense.
        ConfigError: A key is unknown (the one that was meant is told), or a value of a wrong type.
        UnknownRevisionError: No commit goes by this name.
    """
    where = f"{DEPLOYMENT}/{environment}.yaml"
    content = show(root, rev, where)
    return None if content is None else parse_deployment(content, where)


def parse_deployment(content: bytes, where: str) -> Deployment:
    """A deployment from the text of its file.

    Args:
        content: YAML.
        where: What errors call it.

    Raises:
        SpecError: A value makes no sense.
        ConfigError: A key is unknown, or a value of a wrong type.
    """
    try:
        value = parse_yaml(content)
    except ParseError as exc:
        raise SpecError(f"{where} is not YAML: {exc.reason}", hint="mend it") from exc
    if not isinstance(value, dict) or "model" not in value:
        raise SpecError(f"{where} names no model", hint="write `model: NAME@vX.Y.Z`")
    found = structured(Deployment, value, where=where)
    wrong = next(_wrong(found), None)
    if wrong:
        key, given, hint = wrong
        raise SpecError(f"{where}: {key} is {given!r}", hint=hint)
    return found


def _wrong(found: Deployment) -> Any:
    """Values that make no sense: the key, the value, and what to write."""
    version, share = "write a version: NAME@vX.Y.Z", "give it a number from 0 to 1"
    for key, part in (("", found), ("canary.", found.canary), ("shadow.", found.shadow)):
        if part is not None and not _VERSION.fullmatch(part.model):
            yield f"{key}model", part.model, version
    if found.canary is not None:
        yield from _wrong_canary(found.canary, found.model)
    if found.shadow is not None and not 0 <= found.shadow.share <= 1:
        yield "shadow.share", found.shadow.share, share
    log = found.log
    if log.when_full not in ("continue", "stop"):
        yield "log.when_full", log.when_full, "write continue or stop"
    if not 0 < log.sample <= 1:
        yield "log.sample", log.sample, "give it a number above 0, up to 1"
    if log.retention and not _SPAN.fullmatch(log.retention):
        yield "log.retention", log.retention, "write it as 12h or 90d"
    if log.size_limit and not _SIZE.fullmatch(log.size_limit):
        yield "log.size_limit", log.size_limit, "write it as 500MB or 10GB"
    if found.features_stale.action not in ("null", "default", "refuse"):
        action = found.features_stale.action
        yield "features_stale.action", action, 'write "null", default or refuse'


def _wrong_canary(canary: Canary, main: str) -> Any:
    if canary.model == main:
        yield "canary.model", main, "that is the main version: name another one"
    if not 0 <= canary.share <= 0.5:
        yield "canary.share", canary.share, "give it a number from 0 to 0.5"
    if not 0.5 <= canary.confidence < 1:
        yield "canary.confidence", canary.confidence, "give it a number from 0.5 to below 1"
    if not 0 < canary.margin < 1:
        yield "canary.margin", canary.margin, "give it a number between 0 and 1"
    if canary.least < 1:
        yield "canary.least", canary.least, "give it at least 1: no evidence promotes nothing"
    for key, text in (("longest", canary.longest), ("abort.slower_than", canary.abort.slower_than)):
        if (text or key == "longest") and not _SPAN.fullmatch(text):
            yield f"canary.{key}", text, "write it as 50ms, 2h or 7d"
    if not canary.abort.signals:
        yield "canary.abort", "nothing", "watch at least one of errors, refused, slower_than, label"


def _seconds(text: str) -> float:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise SpecError(f"{text!r} is not a span of time", hint="write it as 50ms, 2h or 7d")
    return float(found[1]) * _SPANS[found[2]]


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise SpecError(f"{text!r} is not a size", hint="write it as 500MB or 10GB")
    return round(float(found[1]) * _SIZES[found[2]])
