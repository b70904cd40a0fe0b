"""conf/deployment/ENV.yaml: typed, checked, and a misspelt key is told the one that was meant."""

from __future__ import annotations

from datetime import timedelta

import pytest

from furrow.errors import FurrowError
from furrow.serving.canary_spec import Abort
from furrow.serving.deployment_spec import parse_deployment

WHERE = "conf/deployment/production.yaml"


def parse(text):
    return parse_deployment(text.encode(), WHERE)


def test_what_promotion_writes_is_a_deployment():
    found = parse("# comment\nmodel: gbm@v1.0.0\nmodel_sha256: abc\nfeatures_digest: def\n")
    assert (found.model, found.canary, found.shadow) == ("gbm@v1.0.0", None, None)
    assert found.log.settings().when_full == "continue"


def test_everything_can_be_declared():
    found = parse(
        "model: gbm@v1.0.0\n"
        "canary: {model: gbm@v1.1.0, share: 0.1, by: [customer], longest: 2h, "
        "abort: {refused: false, slower_than: 50ms}}\n"
        "shadow: {model: linear@v2.0.0, share: 0.5}\n"
        "log: {durable: true, retention: 90d, size_limit: 1.5GB, redact: [email], sample: 0.5}\n"
        "features_stale: {action: default, defaults: {visits: 0}}\n"
    )
    assert found.canary.abort == Abort(refused=False, slower_than="50ms")
    assert found.canary.abort.signals == ("errors", "slow")
    assert found.canary.abort.slow_us == 50_000
    assert found.canary.longest_time == timedelta(hours=2)
    log = found.log.settings()
    assert (log.retention, log.size_limit) == (timedelta(days=90), 1_500_000_000)
    assert (log.redact, log.sample, log.durable) == (frozenset({"email"}), 0.5, True)
    assert found.features_stale.defaults == {"visits": 0}


def test_the_canary_s_digest_tells_when_it_is_declared_otherwise():
    one = parse("model: a@v1.0.0\ncanary: {model: a@v1.1.0}\n")
    same = parse(
        "canary: {share: 0.05, model: a@v1.1.0}\nmodel: a@v1.0.0\nshadow: {model: b@v1.0.0}\n"
    )
    other = parse("model: a@v1.0.0\ncanary: {model: a@v1.1.0, abort: {label: true}}\n")
    assert one.canary_digest == same.canary_digest != other.canary_digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: gbm@v1.0.0\ncanari: {model: a@v1.0.0}\n", "did you mean 'canary'"),
        ("model: gbm@v1.0.0\ncanary: {model: a@v1.0.0, shares: 0.1}\n", "did you mean 'share'"),
        ("model: gbm@v1.0.0\nlog: {when_ful: stop}\n", "did you mean 'when_full'"),
        ("model: gbm@v1.0.0\ncanary: {model: a@v1.0.0, share: much}\n", "canary.share"),
        ("model: gbm@v1.0.0\ncanary: {model: a@v1.0.0, share: 0.7}\n", "canary.share is 0.7"),
        ("model: gbm@v1.0.0\ncanary: {model: gbm@v1.0.0}\n", "main version"),
        ("model: gbm@v1.0.0\ncanary: {share: 0.1}\n", "canary.model is ''"),
        (
            "model: gbm@v1.0.0\ncanary: {model: a@v1.0.0, longest: soon}\n",
            "canary.longest is 'soon'",
        ),
        (
            "model: gbm@v1.0.0\ncanary: {model: a@v1.0.0, least: 0}\n",
            "no evidence promotes nothing",
        ),
        ("model: gbm@v1.0.0\ncanary: {model: a@v1.0.0, confidence: 1}\n", "canary.confidence"),
        (
            "model: gbm@v1.0.0\ncanary: {model: a@v1.0.0, abort: {errors: false, refused: false}}\n",
            "watch at least one",
        ),
        ("model: gbm@v1.0.0\nlog: {size_limit: big}\n", "log.size_limit is 'big'"),
        ("model: gbm@v1.0.0\nlog: {sample: 0}\n", "log.sample"),
        ("model: gbm@v1.0.0\nlog: {when_full: panic}\n", "continue or stop"),
        ("model: gbm@v1.0.0\nfeatures_stale: {action: guess}\n", "refuse"),
        ("model: gbm\n", "NAME@vX.Y.Z"),
        ("share: 0.1\n", "names no model"),
        ("[", "is not YAML"),
        ("- a\n", "names no model"),
    ],
)
def test_what_makes_no_sense_is_told(text, said):
    with pytest.raises(FurrowError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert WHERE in str(caught.value)
