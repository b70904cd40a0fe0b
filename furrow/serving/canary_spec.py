"""A version beside the one that is served.

Its canary, its shadow, and its way to production through both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "SPAN",
    "Abort",
    "Canary",
    "Shadow",
    "SpecError",
    "Trial",
    "seconds",
    "wrong_canary",
    "wrong_trial",
]

SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
"""How a span of time is written."""
_SPANS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WHO = re.compile(r"[^<>\n]+ <[^<>\s]+>")


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
        return round(1e6 * seconds(self.slower_than)) if self.slower_than else None


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
        return timedelta(seconds=seconds(self.longest))


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
class Trial:
    """How a version that passed its gate is tried where `approve: gate` lets it go on without a person.

    Attributes:
        approver: In whose name that is written into Git, as NAME <ADDRESS>; Git's own, if empty.
        shadow: The share of requests that it is first asked as a shadow.
        canary: What it is then, and by what evidence it goes on; the model is filled in.
    """

    approver: str = ""
    shadow: float = 1.0
    canary: Canary = field(default_factory=Canary)


def wrong_canary(canary: Canary, main: str) -> Iterator[tuple[str, Any, str]]:
    """Values of a canary that make no sense: the key, the value, and what to write.

    Args:
        canary: As it is declared.
        main: The version beside it.
    """
    if canary.model == main:
        yield "canary.model", main, "that is the main version: name another one"
    yield from _wrong_numbers(canary)
    if not canary.abort.signals:
        yield "canary.abort", "nothing", "watch at least one of errors, refused, slower_than, label"


def wrong_trial(trial: Trial) -> Iterator[tuple[str, Any, str]]:
    """Values of a trial that make no sense: the key, the value, and what to write.

    Args:
        trial: As it is declared.
    """
    if trial.approver and not _WHO.fullmatch(trial.approver):
        yield "trial.approver", trial.approver, "write NAME <ADDRESS>"
    if not 0 < trial.shadow <= 1:
        yield (
            "trial.shadow",
            trial.shadow,
            "give it a number above 0, up to 1: no evidence, no step",
        )
    if trial.canary.model:
        yield (
            "trial.canary.model",
            trial.canary.model,
            "leave it out: it is the version that passed",
        )
    if not trial.canary.share:
        yield "trial.canary.share", 0, "give it a number above 0, up to 0.5: no evidence, no step"
    for key, given, hint in _wrong_numbers(trial.canary):
        yield f"trial.{key}", given, hint
    if not {"errors", "refused", "slow"} & set(trial.canary.abort.signals):
        said = "watch at least one of errors, refused, slower_than: a shadow has no labels"
        yield "trial.canary.abort", "nothing", said


def _wrong_numbers(canary: Canary) -> Iterator[tuple[str, Any, str]]:
    if not 0 <= canary.share <= 0.5:
        yield "canary.share", canary.share, "give it a number from 0 to 0.5"
    if not 0.5 <= canary.confidence < 1:
        yield "canary.confidence", canary.confidence, "give it a number from 0.5 to below 1"
    if not 0 < canary.margin < 1:
        yield "canary.margin", canary.margin, "give it a number between 0 and 1"
    if canary.least < 1:
        yield "canary.least", canary.least, "give it at least 1: no evidence promotes nothing"
    for key, text in (("longest", canary.longest), ("abort.slower_than", canary.abort.slower_than)):
        if (text or key == "longest") and not SPAN.fullmatch(text):
            yield f"canary.{key}", text, "write it as 50ms, 2h or 7d"


def seconds(text: str) -> float:
    """A span of time in seconds.

    Args:
        text: Such as 50ms, 2h or 7d.

    Raises:
        SpecError: It is none.
    """
    found = SPAN.fullmatch(text)
    if found is None:
        raise SpecError(f"{text!r} is not a span of time", hint="write it as 50ms, 2h or 7d")
    return float(found[1]) * _SPANS[found[2]]
