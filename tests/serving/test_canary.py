"""Canaries: each entity stays where it is, good ones are left alone, bad ones are found, and no proof promotes nothing."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.serving.canary_assignment import is_canary, place_of
from furrow.serving.canary_decision import ABORT, END, GO_ON, PROMOTE, Evidence
from furrow.serving.canary_spec import Abort, Canary
from furrow.serving.canary_test import AsGood, Block, Worse

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.5), st.floats(0, 0.5), st.integers(), st.text(max_size=5))
def test_an_entity_stays_where_it_is(one, two, customer, salt):
    """A larger share keeps the entities of a smaller one; other columns than the keys declared don't matter."""
    small, large = (
        Canary("a@v1.0.0", share, by=["customer"], salt=salt) for share in sorted((one, two))
    )
    keys = {"customer": customer}
    assert not is_canary(small, keys) or is_canary(large, keys | {"shop": 3})


def test_shares_are_what_they_say():
    """Of many entities the share that is declared; of 0 nobody; with another salt others."""
    keys = [{"customer": number, "shop": number % 7} for number in range(20_000)]
    found = np.array([place_of("a", one) for one in keys])
    for share in (0.01, 0.05, 0.5):
        assert abs((found < share).mean() - share) < 4 * math.sqrt(share / 20_000)
    assert not any(is_canary(Canary("a@v1.0.0", 0.0), one) for one in keys)
    others = np.array([place_of("b", one) for one in keys])
    assert abs(np.corrcoef(found, others)[0, 1]) < 0.03


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.001, 0.999),
    st.floats(0, 1),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(20, 200),
    st.floats(0, 1),
)
def test_the_expected_factor_is_at_most_one(main, below, canaries, mains, seen, bad):
    """Exactly, over all that may come of a block: what makes them e-processes for every canary that is as good."""
    canary, before = main * below, Block(seen, round(seen * bad), 3, 1)
    start = Worse(seen=before)
    factors = np.zeros(len(start.logs))
    margin = 0.05
    wrong = min(1.0, main + margin)  # the least canary that is not as good
    gains = np.zeros(len(AsGood(margin).logs))
    for one in range(canaries + 1):
        for two in range(mains + 1):
            block = Block(mains, two, canaries, one)
            chance = (
                math.comb(mains, two)
                * main**two
                * (1 - main) ** (mains - two)
                * math.comb(canaries, one)
            )
            under = chance * canary**one * (1 - canary) ** (canaries - one)
            factors += under * np.exp(start.after(block).logs)
            if main + margin <= 1 and canaries == 1:  # of more, pairs are drawn
                at = chance * wrong**one * (1 - wrong) ** (canaries - one)
                gains += at * np.exp(AsGood(margin).after(block).logs)
    assert factors.max() <= 1 + 1e-9
    assert gains.max() <= 1 + 1e-9


def test_a_block_as_large_as_a_day_is_evidence():
    """Labels come by the day: a bad canary is found in the first block, a good one is as safe as in small ones."""
    generator = np.random.default_rng(5)
    assert Worse().after(Block(400, 0, 400, 400)).log_e > 100
    assert Worse().after(Block(4000, 40, 400, 40)).log_e > math.log(100)
    alpha, runs = 0.05, 400
    wrong = 0
    for _ in range(runs):
        bad = generator.binomial((3000, 300), 0.1)
        wrong += Worse().after(Block(3000, int(bad[0]), 300, int(bad[1]))).log_e >= math.log(
            1 / alpha
        )
    assert wrong <= runs * alpha + 3 * math.sqrt(runs * alpha)
    whole = Worse().after(Block(3000, 30, 300, 3))
    assert whole.seen == Block(3000, 30, 300, 3)


def simulated(generator, main, canary, *, requests, share=0.05, spec=None, looks=1):
    """Evidence after each look at a stream of requests, of which a share is the canary's."""
    spec = spec or Canary("b@v1.0.0", share, abort=Abort(refused=False))
    evidence = Evidence(NOW)
    theirs = generator.random(requests) < share
    bad = generator.random(requests) < np.where(theirs, canary, main)
    for start in range(0, requests, looks):
        part = slice(start, start + looks)
        t, b = theirs[part], bad[part]
        counts = ((~t).sum(), (b & ~t).sum(), t.sum(), (b & t).sum())
        evidence.add(spec, {"errors": Block(*map(int, counts))})
        yield evidence, spec


def aborted_at(generator, main, canary, **options):
    """How many requests a canary had answered when it was aborted; None if it never was."""
    for evidence, spec in simulated(generator, main, canary, **options):
        if evidence.verdict(spec, NOW).action == ABORT:
            return evidence.seen("errors").canary
    return None


def false_aborts(runs, requests, alpha):
    generator = np.random.default_rng(7)
    spec = Canary("b@v1.0.0", 0.2, abort=Abort(refused=False), confidence=1 - alpha)
    return sum(
        aborted_at(generator, rate, rate, requests=requests, share=0.2, spec=spec, looks=20)
        is not None
        for rate in (0.002, 0.02, 0.2)
        for _ in range(runs)
    )


def test_good_canaries_are_left_alone():
    """Peeking all the time, at most the declared share of canaries with the same error rate is aborted."""
    runs, alpha = 40, 0.05
    assert false_aborts(runs, 2_000, alpha) <= 3 * runs * alpha + 3 * math.sqrt(3 * runs * alpha)


@pytest.mark.long
def test_a_thousand_good_canaries_are_left_alone():
    runs, alpha = 334, 0.01
    assert false_aborts(runs, 20_000, alpha) <= 3 * runs * alpha


@pytest.mark.parametrize(
    ("main", "canary", "most"), [(0.001, 0.5, 50), (0.001, 0.05, 500), (0.01, 0.06, 500)]
)
def test_bad_canaries_are_found(main, canary, most):
    """With 1 % of false aborts: one that fails half the time within 50 of its requests, 5 % within 500."""
    generator = np.random.default_rng(3)
    found = [
        aborted_at(generator, main, canary, requests=40 * most, share=0.05, looks=20)
        for _ in range(12)
    ]
    assert sum(one is not None and one <= most for one in found) >= 11


def test_a_canary_as_good_is_proposed():
    generator = np.random.default_rng(5)
    *_, (evidence, spec) = simulated(generator, 0.002, 0.002, requests=60_000, looks=30)
    verdict = evidence.verdict(spec, NOW)
    assert verdict.action == PROMOTE
    assert "at most 0.01 worse" in verdict.why


def test_a_canary_that_is_worse_by_the_margin_is_not_proposed():
    generator = np.random.default_rng(5)
    *_, (evidence, spec) = simulated(generator, 0.02, 0.03, requests=20_000, looks=30)
    assert evidence.verdict(spec, NOW).action != PROMOTE


def test_no_evidence_never_promotes():
    """No requests, too few, only the main version's, no labels: it goes on, and ends at its longest time."""
    spec = Canary("b@v1.0.0", abort=Abort(errors=True, refused=False, label=True), least=100)
    later = NOW + timedelta(days=8)
    nothing = Evidence(NOW)
    dead = Evidence(NOW)
    unlabelled = Evidence(NOW)
    for _ in range(2_000):
        dead.add(spec, {"errors": Block(500, 0, 0, 0)})
        unlabelled.add(spec, {"errors": Block(500, 0, 20, 0)})
    for evidence in (nothing, dead, unlabelled):
        assert evidence.verdict(spec, NOW).action == GO_ON
        assert evidence.verdict(spec, later).action == END
    assert "0 of 100 requests (label)" in unlabelled.verdict(spec, later).why


def test_promotion_wants_both_the_requests_and_the_proof():
    """Sure before the declared number of requests: it goes on; so many requests that prove nothing: as well."""
    many = Canary("b@v1.0.0", abort=Abort(refused=False), least=5_000)
    few = Canary("b@v1.0.0", abort=Abort(refused=False), least=10)
    sure, unsure = Evidence(NOW), Evidence(NOW)
    for _ in range(40):
        sure.add(many, {"errors": Block(500, 0, 100, 0)})
    unsure.add(few, {"errors": Block(500, 0, 100, 0)})
    assert sure.verdict(many, NOW).why == "4000 of 5000 requests (errors)"
    assert unsure.verdict(few, NOW).why == "not yet sure of errors"
    assert {sure.verdict(many, NOW).action, unsure.verdict(few, NOW).action} == {GO_ON}
    assert sure.verdict(few, NOW).action == PROMOTE


def test_a_dead_canary_is_aborted():
    """One whose every request fails, from the first on."""
    spec, evidence = Canary("b@v1.0.0"), Evidence(NOW)
    for _ in range(10):
        evidence.add(spec, {"errors": Block(100, 0, 5, 5)})
    verdict = evidence.verdict(spec, NOW)
    assert verdict.action == ABORT
    assert "surely worse in errors: canary 50 of 50, main 0 of 1000" in verdict.why


def test_evidence_outlives_the_process():
    generator = np.random.default_rng(1)
    *_, (evidence, spec) = simulated(generator, 0.02, 0.05, requests=2_000, looks=7)
    again = Evidence.from_json(json.loads(json.dumps(evidence.to_json())))
    assert again == evidence
    assert again.verdict(spec, NOW) == evidence.verdict(spec, NOW)
