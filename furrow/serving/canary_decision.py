"""What becomes of a canary.

It goes on, is aborted, may be proposed for promotion, or ends for want of evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from furrow.serving.canary_test import AsGood, Block, Worse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.serving.canary_spec import Canary

__all__ = ["ABORT", "END", "GO_ON", "PROMOTE", "Evidence", "Verdict"]

GO_ON, ABORT, PROMOTE, END = "go on", "abort", "promote", "end"


@dataclass(frozen=True)
class Verdict:
    """A decision, and what it rests on.

    Attributes:
        action: GO_ON, ABORT, PROMOTE or END.
        why: In words.
    """

    action: str
    why: str


@dataclass
class Evidence:
    """All that is known about a canary so far.

    Attributes:
        began: When it began to answer.
        worse: By signal.
        good: By signal.
        waiting: By signal, requests that are in no block yet: it wants some of both versions.
    """

    began: datetime
    worse: dict[str, Worse] = field(default_factory=dict)
    good: dict[str, AsGood] = field(default_factory=dict)
    waiting: dict[str, Block] = field(default_factory=dict)

    def add(self, canary: Canary, blocks: Mapping[str, Block]) -> None:
        """Take in what came of some requests, by signal."""
        for signal in canary.abort.signals:
            block = self.waiting.get(signal, Block()).plus(blocks.get(signal, Block()))
            if block.main and block.canary:
                self.worse[signal] = self.worse.get(signal, Worse()).after(block)
                self.good[signal] = self.good.get(signal, AsGood(canary.margin)).after(block)
                block = Block()
            self.waiting[signal] = block

    def seen(self, signal: str) -> Block:
        """The requests of a signal so far."""
        return self.worse.get(signal, Worse()).seen.plus(self.waiting.get(signal, Block()))

    def told(self) -> dict[str, str]:
        """What was seen, in words, by signal."""
        return {name: _said(self.seen(name)) for name in sorted({*self.worse, *self.waiting})}

    def verdict(self, canary: Canary, now: datetime) -> Verdict:
        """What is to be done now.

        Every signal has its part of the declared chance of a wrong abort; promotion needs proof of
        each one. No requests, no labels and no time are no proof.
        """
        signals = canary.abort.signals
        limit = math.log(len(signals) / canary.alpha)
        for signal in signals:
            worse = self.worse.get(signal, Worse())
            if worse.log_e >= limit:
                return Verdict(ABORT, f"surely worse in {signal}: {_said(worse.seen)}")
        lacking = [one for one in signals if self.seen(one).canary < canary.least]
        unsure = [
            one
            for one in signals
            if self.good.get(one, AsGood(canary.margin)).log_e < math.log(1 / canary.alpha)
        ]
        if not lacking and not unsure:
            said = "; ".join(f"{one}: {_said(self.seen(one))}" for one in signals)
            return Verdict(PROMOTE, f"at most {canary.margin:g} worse, surely: {said}")
        if now - self.began >= canary.longest_time:
            return Verdict(
                END, f"no proof within {canary.longest}: {_wants(self, canary, lacking)}"
            )
        return Verdict(
            GO_ON, _wants(self, canary, lacking) or f"not yet sure of {', '.join(unsure)}"
        )

    def to_json(self) -> dict[str, Any]:
        """As a state file keeps it."""
        return {
            "began": self.began.isoformat(),
            "worse": {
                name: {"logs": one.logs, "seen": one.seen} for name, one in self.worse.items()
            },
            "good": {
                name: {"margin": one.margin, "logs": one.logs, "pairs": one.pairs}
                for name, one in self.good.items()
            },
            "waiting": self.waiting,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Evidence:
        """What `to_json` made."""
        return cls(
            datetime.fromisoformat(value["began"]),
            {
                name: Worse(tuple(one["logs"]), Block(*one["seen"]))
                for name, one in value["worse"].items()
            },
            {
                name: AsGood(one["margin"], tuple(one["logs"]), one["pairs"])
                for name, one in value["good"].items()
            },
            {name: Block(*one) for name, one in value["waiting"].items()},
        )


def _said(seen: Block) -> str:
    return f"canary {seen.canary_bad} of {seen.canary}, main {seen.main_bad} of {seen.main}"


def _wants(evidence: Evidence, canary: Canary, lacking: list[str]) -> str:
    if not lacking:
        return ""
    least = min(evidence.seen(one).canary for one in lacking)
    return f"{least} of {canary.least} requests ({', '.join(lacking)})"
