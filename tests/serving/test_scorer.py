"""The scorer: answers as evaluation judged them, each row by itself, and what came from where."""

import json
import math
import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from furrow.errors import FurrowError
from furrow.features.client import FeatureClient
from furrow.serving.row_fields import RowError, RowField, RowFields
from furrow.serving.scorer import FeaturesAbsentError, ScoreError, Scorer
from furrow.serving.serve_settings import StalePolicy
from tests.servingworld import NOW, ROW, TASKS


@pytest.fixture(scope="module")
def scorers(serving_world):
    opened = {
        task: Scorer.open(serving_world.bundle(task), serving_world.features) for task in TASKS
    }
    yield opened
    for one in opened.values():
        one.close()


def row_of(task: str, **more) -> dict:
    row = {**ROW, "horizon": 2} if task == "forecast" else dict(ROW)
    return {
        name: value for name, value in row.items() if (name, task) != ("weekday", "forecast")
    } | more


@pytest.mark.parametrize("task", TASKS)
def test_an_answer_is_the_models(scorers, serving_world, task):
    """To the bit what the fitted model says of a data frame with the same values, for every task; alone or among others."""
    scorer = scorers[task]
    rows = [
        row_of(task, shop=shop, amount=amount)
        for shop in ("north", "south", "nowhere")
        for amount in (3.0, None)
    ]
    found = scorer.score(rows)
    frame = pd.DataFrame([one.features for one in found])
    expected = scorer.bundle.fitted.outputs(scorer.bundle.frame(frame.to_dict("list")))
    for place, one in enumerate(found):
        told = [value for value in one.prediction.values() if value is not None]
        assert told == [float(values[place]) for values in expected.values()]
        assert scorer.score([rows[place]])[0].prediction == one.prediction
        assert scorer.rescore(one.features) == one.prediction
    assert found[0].features["share"] == 3.0 / 5.0


def test_what_an_answer_came_from(scorers):
    """Keys, request fields, status and event time of each feature."""
    known, expired, unknown = scorers["binary"].score(
        [row_of("binary", shop=s) for s in ("north", "west", "nowhere")]
    )
    assert known.keys == {"shop": "north"}
    assert known.request == {"amount": 12.5, "weekday": 3}
    assert known.statuses == {"visits": "present", "spent_mean": "present", "share": "present"}
    assert known.event_times == dict.fromkeys(known.statuses, NOW - timedelta(hours=1))
    assert expired.statuses["visits"] == "expired"
    assert expired.features["visits"] is None
    assert unknown.statuses["visits"] == "missing"
    assert unknown.event_times["visits"] is None
    assert 0 <= known.score <= 1


def test_a_row_gives_what_its_service_lets_it(scorers):
    """A feature that the service declares may come with the row; no other."""
    first, second = scorers["binary"].score([row_of("binary"), row_of("binary", visits=49)])
    assert (first.features["visits"], second.features["visits"]) == (10, 49)
    assert (first.statuses["visits"], second.statuses["visits"]) == ("present", "given")
    with pytest.raises(RowError, match="no field 'spent_mean'"):
        scorers["binary"].score([row_of("binary", spent_mean=1.0)])


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"shop": 5}, "shop", "row 1: shop must be String, got int 5"),
        ({"shop": "\ud800"}, "shop", "must be String"),
        ({"weekday": 2**70}, "weekday", "must be Int64, got int"),
        ({"weekday": True}, "weekday", "must be Int64, got bool"),
        ({"weekday": 1.0}, "weekday", "must be Int64, got float"),
        ({"amount": "12"}, "amount", "must be Float64, got str"),
        ({"amount": math.inf}, "amount", "must be Float64, got float inf"),
        ({"amount": 10**400}, "amount", "must be Float64, got int"),
        ({"amount": [1.0]}, "amount", "must be Float64, got list"),
        ({"visits": False}, "visits", "must be Int64, got bool"),
        ({"amuont": 1.0}, "amuont", "there is no field 'amuont'"),
    ],
)
def test_a_wrong_row_is_named(scorers, change, field, said):
    """Which row, which field, and what it holds."""
    with pytest.raises(RowError) as caught:
        scorers["binary"].score([row_of("binary"), row_of("binary", **change)])
    assert (caught.value.row, caught.value.field) == (1, field)
    assert said in str(caught.value)


def test_a_missing_field_is_named(scorers):
    with pytest.raises(RowError, match="row 0 lacks amount") as caught:
        scorers["binary"].score([{"shop": "north", "weekday": 1}])
    assert caught.value.field == "amount"


def test_types_of_rows():
    """Times in every form that JSON and data frames have; NumPy's numbers; NaN is nothing."""
    fields = RowFields([RowField("at", "UnixTimestamp", "key"), RowField("n", "Int32", "key"),
                        RowField("ok", "Bool", "request"), RowField("tags", "Array(String)", "feature")])  # fmt: skip
    moment = datetime(2024, 5, 1, 12, tzinfo=UTC)
    for given in ("2024-05-01T12:00Z", "2024-05-01T14:00:00+02:00", moment.replace(tzinfo=None), pd.Timestamp(moment),
                  moment.timestamp()):  # fmt: skip
        found = fields.check([{"at": given, "n": np.int64(3), "ok": np.True_, "tags": ["a"]}])[0]
        assert found == {"at": moment, "n": 3, "ok": True, "tags": ["a"]}
    nothing = fields.check([{"at": pd.NaT, "n": float("nan"), "ok": None}])[0]
    assert set(nothing.values()) == {None}
    for bad in (
        {"at": "noon"},
        {"at": True},
        {"at": 1e300},
        {"n": 2**31},
        {"ok": 1},
        {"tags": "a"},
        {"tags": {"a": 1}},
    ):
        with pytest.raises(RowError):
            fields.check([{"at": moment, "n": 1, "ok": True, **bad}])


def test_what_becomes_of_features_that_are_absent(serving_world):
    """Null, a declared default, or no score at all; a null in the store is a value."""

    def opened(stale):
        return Scorer.open(serving_world.bundle("binary"), serving_world.features, stale=stale)

    with closing(opened(StalePolicy("default", {"visits": 7}))) as scorer:
        one = scorer.score([row_of("binary", shop="west")])[0]
        assert (one.features["visits"], one.statuses["visits"]) == (7, "default")
        assert one.statuses["spent_mean"] == "expired"
    with closing(opened(StalePolicy("refuse"))) as scorer:
        assert scorer.score([row_of("binary", shop="south")])[0].statuses["spent_mean"] == "null"
        with pytest.raises(
            FeaturesAbsentError, match="row 1: the feature visits is expired"
        ) as caught:
            scorer.score([row_of("binary"), row_of("binary", shop="west")])
        assert caught.value.row == 1
    with pytest.raises(FurrowError, match="unknown"):
        StalePolicy("guess")


def test_a_bundle_of_other_features_is_refused(serving_world, tmp_path):
    """The digest of the features that a model was trained on holds; so does the hash of what scores."""
    folder = tmp_path / "binary"
    shutil.copytree(serving_world.bundle("binary"), folder)
    facts = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**facts, "features_digest": "0" * 64}))
    with pytest.raises(FurrowError, match="the model was trained on"):
        Scorer.open(folder, serving_world.features)
    with (
        FeatureClient.open(serving_world.features) as client,
        pytest.raises(FurrowError, match="trained on"),
    ):
        Scorer.open(folder, client)
    (folder / "bundle.json").write_text(json.dumps({**facts, "predictor_sha256": None}))
    with pytest.raises(ScoreError, match="holds a pickle alone"):
        Scorer.open(folder, serving_world.features)
    (folder / "bundle.json").write_text(json.dumps(facts))
    (folder / "trees.tl").write_bytes(b"another")
    with pytest.raises(FurrowError, match="it is not opened"):
        Scorer.open(folder, serving_world.features)


def test_an_explanation_adds_up(scorers):
    """It names columns of the model; the unknown shop's visits move nothing less than the known one's."""
    moved = scorers["regression"].explain(scorers["regression"].score([row_of("regression")])[0])
    assert set(moved) == {"shop", "weekday", "visits", "spent_mean", "share"}
    assert next(iter(moved)) == "visits"


def test_no_rows(scorers):
    assert scorers["binary"].score([]) == []
