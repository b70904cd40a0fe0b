"""Whether a canary is worse than the main version, or as good.

Tests that may be looked at after every request.

Two e-processes for two streams of yes or no (a request failed, was refused, was slow; a prediction
was wrong). An e-process is a product of factors whose expectation is at most 1 while the hypothesis
holds, so that it ever exceeds 1 / alpha with a chance of alpha at most (Ville's inequality),
however often one looks and whenever one stops.

*Worse* tests "the canary's share is at most the main version's". Its factor for a block of requests
is the likelihood of two shares over that of the one share between them, which is an e-variable for
blocks of any size (Turner, Ly, Grünwald: Generic E-variables for exact sequential k-sample tests
that allow for optional stopping, Journal of Statistical Planning and Inference 230, 2024, theorem
1; that it is one for canaries that are better, too, follows from the factor being linear in each
share). The main version's share is estimated from earlier blocks, the canary's is a mixture over
how far it may lie above.

*As good* tests "the canary's share is at least the main version's plus a margin" by betting on the
difference within pairs of one request of the canary's and some of the main version's (Waudby-Smith,
Ramdas: Estimating means of bounded random variables by betting, JRSS B 86, 2024); the bets are a
mixture as well.

Both take requests as independent of one another. Those of one entity often aren't: a canary by
entity whose few large ones fail together has less evidence than it seems.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AsGood", "Block", "Worse"]

STEPS = (0.9, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015, 0.008, 0.004, 0.002)
"""How far above the main version's share the canary's may lie."""
BETS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)
_FIRST = 20
"""Requests of the main version before anything is bet on its share."""


class Block(NamedTuple):
    """What came of the requests between two looks.

    Attributes:
        main: Requests that the main version answered.
        main_bad: Of them, the bad ones.
        canary: Requests that the canary answered.
        canary_bad: Of them, the bad ones.
    """

    main: int = 0
    main_bad: int = 0
    canary: int = 0
    canary_bad: int = 0

    def plus(self, other: Block) -> Block:
        """Two blocks as one."""
        return Block(*(one + two for one, two in zip(self, other, strict=True)))


@dataclass(frozen=True)
class Worse:
    """Evidence that a canary is worse.

    Attributes:
        logs: Of the e-process of each step, natural logarithms.
        seen: Every request so far: what shares are estimated from.
    """

    logs: tuple[float, ...] = (0.0,) * len(STEPS)
    seen: Block = field(default_factory=Block)

    @property
    def log_e(self) -> float:
        """The logarithm of the e-value."""
        return _mean(self.logs)

    def after(self, block: Block) -> Worse:
        """The evidence after another block; its size must not hang on what came of its requests.

        Of a large one, a day's labels say, parts are drawn at random: nothing could be bet on the
        first requests of all, as nothing is known of the main version by then.
        """
        first = max(_FIRST, self.seen.main)
        if block.main > first and block.canary > 1:
            part = _part(block, first / block.main, self.seen)
            rest = Block(*(one - two for one, two in zip(block, part, strict=True)))
            return self._bet(part).after(rest)
        return self._bet(block)

    def _bet(self, block: Block) -> Worse:
        if self.seen.main < _FIRST or not block.main or not block.canary:
            return replace(self, seen=self.seen.plus(block))
        low = (self.seen.main_bad + 0.5) / (self.seen.main + 1)
        logs = []
        for log, step in zip(self.logs, STEPS, strict=True):
            high = low + step * (1 - low)
            between = (block.canary * high + block.main * low) / (block.canary + block.main)
            logs.append(
                log
                + _likelihood(block.canary, block.canary_bad, high, between)
                + _likelihood(block.main, block.main_bad, low, between)
            )
        return Worse(tuple(logs), self.seen.plus(block))


@dataclass(frozen=True)
class AsGood:
    """Evidence that a canary's share is below the main version's plus a margin.

    Attributes:
        margin: The margin.
        logs: Of the capital of each bet, natural logarithms.
        pairs: Of requests that were bet on.
    """

    margin: float
    logs: tuple[float, ...] = (0.0,) * len(BETS)
    pairs: int = 0

    @property
    def log_e(self) -> float:
        """The logarithm of the e-value."""
        return _mean(self.logs)

    def after(self, block: Block) -> AsGood:
        """The evidence after another block.

        Its requests are put at random into as many pairs as there can be.
        """
        pairs = min(block.main, block.canary)
        if not pairs:
            return self
        generator = np.random.default_rng((self.pairs, *block))
        theirs = _drawn(generator, block.canary, block.canary_bad, pairs, 1)
        ours = _drawn(generator, block.main, block.main_bad, pairs, block.main // pairs)
        gains = self.margin - (theirs - ours)
        most = 1 / (1 - self.margin)  # a gain is at least margin - 1: nobody is ruined
        logs = tuple(
            log + float(np.log1p(bet * most * gains).sum())
            for log, bet in zip(self.logs, BETS, strict=True)
        )
        return replace(self, logs=logs, pairs=self.pairs + pairs)


def _part(block: Block, share: float, seen: Block) -> Block:
    """A share of a block's requests, drawn at random; its size hangs on sizes alone."""
    generator = np.random.default_rng((*seen, *block))
    found = []
    for count, bad in (block[:2], block[2:]):
        taken = math.floor(count * share)
        found += [taken, int(generator.hypergeometric(bad, count - bad, taken)) if taken else 0]
    return Block(*found)


def _drawn(
    generator: np.random.Generator, count: int, bad: int, groups: int, size: int
) -> NDArray[np.float64]:
    """The share of bad ones in groups of some size, drawn without putting back."""
    kinds = np.zeros(count, dtype=np.int8)
    kinds[:bad] = 1
    drawn = generator.permutation(kinds)[: groups * size].astype(np.float64)
    shares: NDArray[np.float64] = drawn.reshape(groups, size).mean(axis=1)
    return shares


def _likelihood(count: int, bad: int, share: float, between: float) -> float:
    """The logarithm of the likelihood ratio of two shares."""
    return bad * math.log(share / between) + (count - bad) * math.log((1 - share) / (1 - between))


def _mean(logs: tuple[float, ...]) -> float:
    top = max(logs)
    return top + math.log(sum(math.exp(one - top) for one in logs) / len(logs))
