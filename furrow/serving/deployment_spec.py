"""conf/deployment/ENV.yaml, typed.

The version that an environment serves, its canary and its shadow, and the log.

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
log: {durable: false, when_full: continue, sample: 1.0, redact: [], retention: 90d, size_limit:
10GB} features_stale: {action: "null", defaults: {}}
approve: person              # or gate: what passed goes on by evidence, as shadow, canary, main version
trial: {approver: "Release <release@example.com>", shadow: 1.0, canary: {share: 0.1}}   # how, with `approve: gate`
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from furrow.files import sha256_json
from furrow.ground.git import show
from furrow.ground.hydra import structured
from furrow.layout import DEPLOYMENT
from furrow.parse import ParseError, parse_yaml
from furrow.serving.canary_spec import (
    SPAN,
    Canary,
    Shadow,
    SpecError,
    Trial,
    seconds,
    wrong_canary,
    wrong_trial,
)
from furrow.serving.log_settings import LogSettings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GATE", "Deployment", "Tried", "parse_deployment", "read_deployment"]

GATE = "gate"
"""The word of `approve` by which evidence stands for a person's merge."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?")
_SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_VERSION = re.compile(r".+@v\d+\.\d+\.\d+")


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
            retention=timedelta(seconds=seconds(self.retention)) if self.retention else None,
            size_limit=_bytes(self.size_limit) if self.size_limit else None,
        )


@dataclass
class Stale:
    """What becomes of a score whose features are missing or expired.

    "null", "default" or "refuse".
    """

    action: str = "null"
    defaults: dict[str, Any] = field(default_factory=dict)


class Tried(NamedTuple):
    """A version that is judged beside the main version.

    Attributes:
        variant: "canary" or "shadow".
        spec: How it is judged.
    """

    variant: str
    spec: Canary


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
        approve: Whose word deploys a version that passed its gate: a person's, or the gate's.
        trial: How such a version is tried, with the gate's.
    """

    model: str = ""
    model_sha256: str = ""
    features_digest: str = ""
    service: str = ""
    canary: Canary | None = None
    shadow: Shadow | None = None
    log: Log = field(default_factory=Log)
    features_stale: Stale = field(default_factory=Stale)
    approve: str = "person"
    trial: Trial = field(default_factory=Trial)

    @property
    def tried(self) -> Tried | None:
        """What is judged: the canary, or without one the shadow that a gate may let go on.

        None for nothing.
        """
        if self.canary is not None:
            return Tried("canary", self.canary)
        if self.shadow is None or self.approve != GATE:
            return None
        like = self.trial.canary
        abort = replace(like.abort, label=False)  # labels are the canary's part
        spec = replace(like, model=self.shadow.model, share=self.shadow.share, abort=abort)
        return Tried("shadow", spec)

    @property
    def canary_digest(self) -> str:
        """Changes whenever what is judged is declared otherwise.

        What was found out about another counts no more.
        """
        if self.tried is None:
            return ""
        variant, spec = self.tried
        said = {**vars(spec), "abort": vars(spec.abort), "main": self.model}
        return sha256_json(said if variant == "canary" else {**said, "as": variant})[:16]


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
        yield from wrong_canary(found.canary, found.model)
    if found.shadow is not None and not 0 <= found.shadow.share <= 1:
        yield "shadow.share", found.shadow.share, share
    log = found.log
    if log.when_full not in ("continue", "stop"):
        yield "log.when_full", log.when_full, "write continue or stop"
    if not 0 < log.sample <= 1:
        yield "log.sample", log.sample, "give it a number above 0, up to 1"
    if log.retention and not SPAN.fullmatch(log.retention):
        yield "log.retention", log.retention, "write it as 12h or 90d"
    if log.size_limit and not _SIZE.fullmatch(log.size_limit):
        yield "log.size_limit", log.size_limit, "write it as 500MB or 10GB"
    if found.approve not in ("person", GATE):
        yield "approve", found.approve, "write person or gate"
    yield from wrong_trial(found.trial)
    if found.features_stale.action not in ("null", "default", "refuse"):
        action = found.features_stale.action
        yield "features_stale.action", action, 'write "null", default or refuse'


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise SpecError(f"{text!r} is not a size", hint="write it as 500MB or 10GB")
    return round(float(found[1]) * _SIZES[found[2]])
