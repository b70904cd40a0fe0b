"""Fairness: the measures by hand, intervals that hold, groups that are too small, and no group at all."""

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
)

from furrow.training.group_fairness import MEASURES, FairnessError, fairness


def _rows(sizes: dict[object, int], *, bias: float = 0.0, seed: int = 1) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    parts = []
    for number, (group, size) in enumerate(sizes.items()):
        label = generator.integers(0, 2, size).astype(float)
        p = np.clip(0.3 + 0.4 * label + bias * number + generator.normal(0, 0.2, size), 0, 1)
        parts.append(pd.DataFrame({"sex": [group] * size, "probability": p, "label": label}))
    return pd.concat(parts, ignore_index=True)


def test_measures_equal_those_by_hand() -> None:
    """Each gap is the greatest difference of the groups' rates, worked out row by row."""
    rows = _rows({"f": 400, "m": 500}, bias=0.2)
    found = {one.measure: one for one in fairness(rows, "sex", dict.fromkeys(list(MEASURES)[:4]))}
    rates: dict[str, list[float]] = {"selected": [], "found": [], "alarmed": [], "off": []}
    for _, part in rows.groupby("sex"):
        said = part["probability"] >= 0.5
        rates["selected"].append(said.mean())
        rates["found"].append(said[part["label"] == 1].mean())
        rates["alarmed"].append(said[part["label"] == 0].mean())
        rates["off"].append((part["probability"] - part["label"]).mean())
    gap = {name: max(each) - min(each) for name, each in rates.items()}
    assert found["demographic_parity"].value == pytest.approx(gap["selected"])
    assert found["equal_opportunity"].value == pytest.approx(gap["found"])
    assert found["equalised_odds"].value == pytest.approx(max(gap["found"], gap["alarmed"]))
    assert found["calibration_within_groups"].value == pytest.approx(gap["off"])
    for one in found.values():
        assert one.low <= one.value <= one.high


@pytest.mark.parametrize("bias", [0.0, 0.15, 0.4])
def test_measures_are_fairlearns(bias: float) -> None:
    """Three groups of unlike sizes, by the library that many use."""
    rows = _rows({"f": 400, "m": 500, "x": 73}, bias=bias)
    facts = {"sensitive_features": rows["sex"]}
    said = rows["label"].astype(int), (rows["probability"] >= 0.5).astype(int)
    wanted = {
        "demographic_parity": demographic_parity_difference(*said, **facts),
        "equal_opportunity": equal_opportunity_difference(*said, **facts),
        "equalised_odds": equalized_odds_difference(*said, **facts),
    }
    found = {
        one.measure: one.value for one in fairness(rows, "sex", dict.fromkeys(wanted), least=2)
    }
    assert found == pytest.approx(wanted)


def test_errors_of_numbers() -> None:
    """The gap of mean errors between groups."""
    rows = pd.DataFrame({"sex": ["f", "m"] * 100, "prediction": 0.0, "label": [1.0, 3.0] * 100})
    (found,) = fairness(rows, "sex", {"error_gap": 1.0})
    assert (found.value, found.verdict) == (pytest.approx(2.0), "broken")


def test_a_limit_holds_is_broken_or_is_unsure() -> None:
    """Broken only where the whole interval lies beyond the limit; between, nobody can say yet."""

    def verdict(bias: float, size: int, limit: float) -> str:
        return fairness(
            _rows({"f": size, "m": size}, bias=bias), "sex", {"demographic_parity": limit}
        )[0].verdict

    assert verdict(0.0, 4_000, 0.1) == "holds"
    assert verdict(0.3, 4_000, 0.1) == "broken"
    assert verdict(0.0, 60, 0.1) == "unsure"


def test_small_missing_and_single_groups_are_unknown_and_never_pass() -> None:
    """A group of few rows has no rate; without two that have one there is no verdict; null is a group called unknown."""
    few = fairness(_rows({"f": 400, "m": 49}), "sex", {"demographic_parity": 0.9})[0]
    assert (few.value, few.verdict) == (None, "unknown")
    assert [(one.group, one.rows, one.value is None) for one in few.groups] == [
        ("f", 400, False),
        ("m", 49, True),
    ]
    nobody = fairness(_rows({None: 400, "f": 300}), "sex", {"demographic_parity": 0.9})[0]
    assert nobody.verdict == "unknown"
    assert {one.group for one in nobody.groups} == {"unknown", "f"}
    assert fairness(_rows({"f": 0}), "sex", {"equal_opportunity": 0.9})[0].groups == ()


def test_the_unlabelled_are_not_negative() -> None:
    """Labels that have not come count for no measure of them, neither as positive nor as negative."""
    rows = _rows({"f": 300, "m": 300})
    waiting = rows.assign(label=np.nan)
    both = pd.concat([rows, waiting], ignore_index=True)
    limits = {"equal_opportunity": None, "equalised_odds": None, "calibration_within_groups": None}
    assert [one.value for one in fairness(both, "sex", limits)] == [
        one.value for one in fairness(rows, "sex", limits)
    ]
    assert [one.value for one in fairness(waiting, "sex", limits)] == [None] * 3


def test_intervals_of_equal_groups_hold() -> None:
    """Of groups that fare alike, the interval of the gap reaches nothing in nearly every draw."""
    sure = [
        fairness(
            _rows({"a": 200, "b": 200, "c": 200}, seed=seed), "sex", {"demographic_parity": 0.0}
        )[0]
        for seed in range(40)
    ]
    assert sum(one.verdict == "broken" for one in sure) <= 2


def test_what_does_not_exist_is_refused() -> None:
    """A column, a measure, a probability that is not there."""
    rows = _rows({"f": 60, "m": 60})
    for call in (
        lambda: fairness(rows, "age", {"demographic_parity": 0.1}),
        lambda: fairness(rows, "sex", {"niceness": 0.1}),
        lambda: fairness(rows.drop(columns="probability"), "sex", {"demographic_parity": 0.1}),
    ):
        with pytest.raises(FairnessError):
            call()


def _classes(sizes: dict[object, int], seed: int = 2) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    parts = []
    for number, (group, size) in enumerate(sizes.items()):
        label = generator.choice(["a", "b", "c"], size, p=[0.5, 0.3, 0.2])
        logits = generator.normal(0, 1, (size, 3)) + 1.5 * (
            label[:, None] == np.array(["a", "b", "c"])
        )
        logits[:, 2] += 0.8 * number
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        columns = {f"probability_{one}": p[:, place] for place, one in enumerate("abc")}
        parts.append(pd.DataFrame({"sex": [group] * size, "label": label, **columns}))
    return pd.concat(parts, ignore_index=True)


def test_several_classes_are_fairlearns_one_by_one() -> None:
    """The worst class counts, and is named; each class by the library that many use."""
    rows = _classes({"f": 400, "m": 500, "x": 90})
    facts = {"sensitive_features": rows["sex"]}
    values = rows[["probability_a", "probability_b", "probability_c"]].to_numpy()
    said = np.array(["a", "b", "c"])[values.argmax(axis=1)]
    judges = {
        "demographic_parity": demographic_parity_difference,
        "equal_opportunity": equal_opportunity_difference,
        "equalised_odds": equalized_odds_difference,
    }
    found = {one.measure: one for one in fairness(rows, "sex", dict.fromkeys(judges), least=2)}
    for name, judge in judges.items():
        each = {
            one: judge((rows["label"] == one).astype(int), (said == one).astype(int), **facts)
            for one in "abc"
        }
        assert found[name].value == pytest.approx(max(each.values()))
        assert found[name].of_class == max(each, key=lambda one: each[one])


def test_several_classes_unlabelled_rows_and_limits() -> None:
    """A missing label is no other class; a class that is surely too far apart outranks a wider one."""
    rows = _classes({"f": 3000, "m": 3000})
    half = rows.assign(label=rows["label"].where(rows.index % 2 == 0))
    (whole,) = fairness(rows[rows.index % 2 == 0], "sex", {"equal_opportunity": None})
    (found,) = fairness(half, "sex", {"equal_opportunity": None})
    assert found.value == whole.value
    (parity,) = fairness(rows, "sex", {"demographic_parity": 0.05})
    assert (parity.verdict, parity.of_class) == ("broken", "c")
    assert fairness(rows, "sex", {"demographic_parity": None})[0].to_json()["of_class"] == "c"
