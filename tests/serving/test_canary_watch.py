"""The canary's watch: counts of several processes, an abort that is a hold, a promotion that is a branch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from furrow.models.deployment_text import with_version
from furrow.models.registry import Version
from furrow.serving.canary_decision import ABORT, END, GO_ON, PROMOTE
from furrow.serving.canary_test import Block
from furrow.serving.canary_watch import Tally, decide, read_evidence
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import (
    Followed,
    Local,
    read_holds,
    roll_back,
    wanted,
    write_followed,
)
from furrow.serving.split_host import SplitHost

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXT = "model: a@v1.0.0\ncanary: {model: a@v1.1.0, share: 0.1, least: 100, abort: {slower_than: 50ms}}\n"
SPEC = parse_deployment(TEXT.encode(), "x").canary
DIGEST = parse_deployment(TEXT.encode(), "x").canary_digest


def local(number):
    return Local(f"a@v1.{number}.0", "c" * 40, f"/versions/{number}", str(number) * 64)


@pytest.fixture
def folder(tmp_path):
    """The state of a server with a canary."""
    followed = Followed("production", "c" * 40, main=local(0), canary=local(1), previous=local(9),
                        declared=TEXT, canary_digest=DIGEST)  # fmt: skip
    write_followed(tmp_path, followed)
    return tmp_path


def served(tally, *, main=0, canary=0, bad=0, **how):
    tally.add("main", count=main)
    tally.add("canary", count=canary - bad)
    tally.add("canary", count=bad, **(how or {"error": True}))
    tally.add("shadow", count=500, error=True)
    tally.write()


def test_counts_of_several_processes_are_added_once(folder):
    """Each count once, whether its process goes on, ends, or another begins; those of another canary not at all."""
    one, two = (Tally(folder, name, DIGEST, slow_us=50_000) for name in ("one", "two"))
    other = Tally(folder, "other", "another")
    served(other, main=1000, canary=1000, bad=1000)
    served(one, main=100, canary=10)
    assert decide(folder, SPEC, DIGEST, now=NOW).action == GO_ON
    served(two, main=100, canary=10, bad=1)
    served(one, main=50, canary=5)
    for _ in range(3):
        decide(folder, SPEC, DIGEST, now=NOW)
    evidence = read_evidence(folder, DIGEST)
    assert evidence.seen("errors") == Block(250, 0, 25, 1)
    assert evidence.told()["slow"] == "canary 0 of 25, main 0 of 250"
    assert read_evidence(folder, "another") is None


@pytest.mark.parametrize("how", [{"error": True}, {"refused": True}, {"latency_us": 50_001}])
def test_a_bad_canary_is_aborted_here_and_now(folder, how):
    """By each of the signals; the hold says on what evidence, and the main version goes on."""
    tally = Tally(folder, "one", DIGEST, slow_us=50_000)
    for _ in range(12):
        served(tally, main=100, canary=10, bad=9, **how)
        verdict = decide(folder, SPEC, DIGEST, now=NOW)
        if verdict.action == ABORT:
            break
    [hold] = read_holds(folder).values()
    assert (hold.kind, hold.why) == ("abort", verdict.why)
    assert "surely worse" in hold.why
    assert hold.evidence
    now = wanted(
        replace(Followed("x"), main=local(0), canary=local(1), canary_digest=DIGEST),
        read_holds(folder),
    )
    assert (now.main, now.canary) == (local(0), None)
    assert decide(folder, SPEC, DIGEST, now=NOW) is None


def test_a_good_canary_is_proposed_and_a_forgotten_one_ends(folder):
    tally = Tally(folder, "one", DIGEST, slow_us=50_000)
    assert decide(folder, SPEC, DIGEST, now=NOW).action == GO_ON
    for number in range(90):
        tally.add("main", count=100)
        tally.add("canary", count=10)
        tally.write()
        if number % 2:
            decide(folder, SPEC, DIGEST, now=NOW)
    assert decide(folder, SPEC, DIGEST, now=NOW).action == PROMOTE
    assert not read_holds(folder)


def test_a_canary_without_requests_ends(folder):
    decide(folder, SPEC, DIGEST, now=NOW)
    verdict = decide(folder, SPEC, DIGEST, now=NOW + timedelta(days=8))
    assert verdict.action == END
    [hold] = read_holds(folder).values()
    assert hold.kind == "end"
    assert "0 of 100 requests" in hold.why


def test_a_rollback_ends_the_canary_s_traffic_and_its_judging(folder):
    roll_back(folder)
    assert decide(folder, SPEC, DIGEST, now=NOW) is None


def test_the_host_counts_for_the_canary_alone(folder):
    host, tally = SplitHost({}), Tally(folder, "one", DIGEST)
    host.count("shop", "main")
    host.beside("shop", None, None, tally=tally)
    host.count("shop", "main", count=3)
    host.count("shop", "canary", error=True)
    tally.write()
    decide(folder, SPEC, DIGEST, now=NOW)
    assert read_evidence(folder, DIGEST).seen("errors") == Block(3, 0, 1, 1)


VERSION = Version("a", "1.1.0", "c" * 40, {"model_sha256": "m" * 64, "features_digest": "d" * 64})


def test_a_promotion_keeps_what_else_is_declared():
    """The log's settings and comments stay; the canary that is promoted is one no longer, another one stays."""
    text = with_version((TEXT + "# what is kept\nlog:\n  durable: true\n").encode(), VERSION)
    found = parse_deployment(text.encode(), "x")
    assert (found.model, found.canary, found.log.durable) == ("a@v1.1.0", None, True)
    assert (found.model_sha256, found.features_digest) == ("m" * 64, "d" * 64)
    other = parse_deployment(
        with_version(TEXT.replace("v1.1.0", "v1.2.0").encode(), VERSION).encode(), "x"
    )
    assert other.canary.model == "a@v1.2.0"
    again = with_version(text.encode(), VERSION)
    assert parse_deployment(again.encode(), "x") == found
    assert with_version(None, VERSION) == with_version(b"{model: a@v1.0.0}\n", VERSION)
