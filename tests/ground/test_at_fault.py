"""A wrong key of a composed config is told by the file and line that say it, and by who uses that file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from furrow.ground.hydra import at_fault
from furrow.training.targets import TargetError, check_target

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "config.yaml": "defaults:\n  - model: gbm\n  - _self_\nseed: 1\n",
    "model/gbm.yaml": "_target_: x\n# learning_rat: a comment\nlearning_rat: 0.1\n",
    "model/forest.yaml": "_target_: y\nlearning_rat: 0.2\n",
    "experiment/base.yaml": "name: base\n",
    "experiment/tall.yaml": "defaults:\n  - override /model: forest\nname: tall\n",
    "experiment/own.yaml": "defaults:\n  - override /model: gbm\nmodel: {learning_rat: 3}\n",
    "experiments.yaml": "experiments:\n  quick: {problem: p, service: all, model: gbm}\n",
    "gate/late.yaml": "minimun: {roc_auc: 0.5}\n",
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "conf"


@pytest.mark.parametrize(
    ("experiment", "place"),
    [
        ("base", "conf/model/gbm.yaml:3 (used by own, quick)"),
        ("tall", "conf/model/forest.yaml:2 (used by tall)"),
        ("own", "conf/experiment/own.yaml:3"),
    ],
)
def test_the_file_that_the_experiment_chose(conf: Path, experiment: str, place: str) -> None:
    assert at_fault(conf, "model.learning_rat", f"conf/experiment/{experiment}.yaml") == place


def test_what_stands_nowhere_or_in_many_places(conf: Path) -> None:
    where = "conf/experiment/base.yaml"
    assert at_fault(conf, "search.nowhere", where) == where
    assert at_fault(conf, "other.learning_rat", where) == where
    assert at_fault(conf / "gate", "minimun", "conf/gate/late.yaml") == "gate/late.yaml:1"


def test_a_parameter_that_an_estimator_lacks(conf: Path) -> None:
    """The typo in the model's file is not blamed on an experiment."""
    spec = {"_target_": "sklearn.ensemble.HistGradientBoostingClassifier", "learning_rat": 0.1}
    with pytest.raises(
        TargetError, match=r"^conf/model/gbm.yaml:3 \(used by own, quick\): unknown key"
    ):
        check_target(
            spec, where="conf/experiment/base.yaml",
            place=lambda key: at_fault(conf, key, "conf/experiment/base.yaml"),
        )  # fmt: skip


def test_a_key_of_a_line_in_the_list_of_experiments(conf: Path) -> None:
    """Its line is told, of that experiment alone, and no file that is not there."""
    lines = "experiments:\n  slow: {model.learning_rat: 1}\n  quick: {model: gbm, model.learning_rat: 3}\n"
    (conf / "experiments.yaml").write_text(lines)
    where = "conf/experiment/quick.yaml"
    assert at_fault(conf, "model.learning_rat", where) == "conf/experiments.yaml:3"
    assert at_fault(conf, "model.learning_rat", "conf/experiment/slow.yaml").endswith("yaml:2")


def test_a_value_that_an_estimator_does_not_take() -> None:
    """It is refused before anything is trained; what any estimator takes is taken."""
    target = "sklearn.ensemble.HistGradientBoostingClassifier"
    for key, value in (("learning_rate", "fast"), ("max_iter", -3), ("max_leaf_nodes", 1.5)):
        with pytest.raises(TargetError, match=f"model.{key}: {value!r} is not what") as caught:
            check_target({"_target_": target, key: value}, where="here")
        assert (caught.value.hint or "").startswith(
            "give an" if key != "learning_rate" else "give a float"
        )
    check_target({"_target_": target, "learning_rate": 0.5, "max_leaf_nodes": None}, where="here")
