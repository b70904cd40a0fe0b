"""What a sweep can be asked for: whatever is wrong is said before anything runs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.ground.experiments import ExperimentError
from furrow.ground.git import UnbornBranchError

from .conftest import recorded, sweeping


@pytest.mark.parametrize(
    ("experiment", "words", "options", "message", "hint"),
    [
        ("gmb", ("seed=1",), {}, "no experiment 'gmb'", "did you mean 'gbm'"),
        (
            "gbm",
            ("model.lerning_rate=1,2",),
            {},
            "no key 'model.lerning_rate'",
            "model.learning_rate",
        ),
        (
            "gbm",
            ("model.lerning_rate=1",),
            {},
            "no key 'model.lerning_rate'",
            "did you mean 'model.learning_rate'?",
        ),
        (
            "gbm",
            ("modell.max_iter=1",),
            {},
            "no key 'modell.max_iter'",
            "did you mean 'model.max_iter'?",
        ),
        (
            "gbm",
            ("modell.max_iter=1,2",),
            {},
            "no key 'modell.max_iter'",
            "did you mean 'model.max_iter'?",
        ),
        ("gbm", ("sed=1",), {}, "no key 'sed'", "did you mean 'seed'?"),
        ("gbm", ("calibratoin=none",), {}, "no key 'calibratoin'", "did you mean 'calibration'?"),
        (
            "gbm",
            ("seed=range(0,101)", "model.max_iter=range(0,100)"),
            {},
            "there are 10,100 combinations",
            "--search",
        ),
        ("gbm", ("seed=range(0,999790002)",), {}, "more than 10,000 values", "interval"),
        (
            "gbm",
            ("+model.lerning_rate=1,2",),
            {},
            "unknown key 'model.lerning_rate'",
            "learning_rate",
        ),
        ("gbm", ("seed=interval(0,1)",), {}, "interval can't be enumerated", "--search"),
        ("gbm", ("seed=1,two",), {}, "seed", ""),
        ("gbm", ("model=gmb,gbm",), {}, "gmb", "gbm"),
        ("gbm", ("features.service=ful",), {}, "no feature service 'ful'", "did you mean 'full'"),
        ("gbm", ("~model.max_iter",), {}, "can't be taken away", "value"),
        ("gbm", ("seed",), {}, "seed", "KEY=VALUE"),
        ("gbm", ("model._target_=os.system",), {}, "not allowed", "sklearn"),
        ("gbm", ("name=other",), {}, "name is 'other'", "adopt"),
        ("gbm", ("seed=1",), {"metric": "auc"}, "metric 'auc' is unknown", "roc_auc"),
        ("gbm", ("seed=1",), {"engine": "clutser"}, "clutser", "cluster"),
        ("gbm", ("seed=1",), {"search": "tpee"}, "no search 'tpee'", "did you mean 'tpe'"),
        ("gbm", ("seed=1",), {"trials": 3}, "--trials", "--search"),
        ("gbm", ("search=tpe",), {}, "searches by itself", "search=none"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(
    original: Path,
    experiment: str,
    words: tuple[str, ...],
    options: dict[str, object],
    message: str,
    hint: str,
) -> None:
    with pytest.raises(FurrowError) as caught:
        sweeping(original, *words, experiment=experiment, **options)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert not recorded(original)


def test_it_needs_a_training_set_and_a_commit_and_a_name(
    project: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project / "build/training/late/full.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FurrowError, match=r"full\.parquet") as caught:
        sweeping(project, "seed=1")
    assert "dvc repro" in caught.value.hint
    monkeypatch.setenv("HOME", str(project / "nowhere"))
    git(project, "config", "user.useConfigOnly", "true")
    with pytest.raises(ExperimentError, match="who commits") as told:
        sweeping(project, "seed=1")
    assert "user.name" in told.value.hint
    git(project, "checkout", "-q", "--orphan", "new")
    with pytest.raises(UnbornBranchError):
        sweeping(project, "seed=1")


def test_a_training_set_that_dvc_does_not_name_is_warned_of(project: Path) -> None:
    out = {"path": "build/training/late/full.parquet", "md5": "0" * 32}
    (project / "dvc.lock").write_text(
        json.dumps({"stages": {"training_set_late_full": {"outs": [out]}}})
    )
    assert "dvc repro training_set_late_full" in sweeping(project, "seed=1").warnings[0]
