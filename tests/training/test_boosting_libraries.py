"""LightGBM and XGBoost: named where conf/ci.yaml allows them, no other class of theirs, and the same fit each time."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from furrow.ci.ci_settings import CiSettingsError, parse_settings
from furrow.errors import MissingExtraError
from furrow.training.boosting_libraries import (
    LIBRARIES,
    BoostingError,
    library_of,
    link_of,
    require_allowed,
)
from furrow.training.targets import TargetError, check_target, instantiate

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = [(f"{library}.sklearn.{name}", kind) for library, kinds in LIBRARIES.items()
           for kind, names in kinds.items() for name in names]  # fmt: skip


@pytest.mark.parametrize(("target", "kind"), TARGETS)
def test_an_estimator_is_named_and_fits_the_same_each_time(target: str, kind: str) -> None:
    """Its parameters are known, its objective has a link, and two fits predict the same to the bit, in any threads."""
    draw = np.random.default_rng(1)
    rows, labels = draw.normal(size=(200, 3)), draw.integers(0, 2, 200)
    found = []
    for threads in (1, 2):
        spec = {"_target_": target, "n_estimators": 5, "n_jobs": threads}
        model = instantiate(spec, where="here", seed=3, kind=kind).fit(rows, labels)
        found.append(np.asarray(model.predict(rows)))
        assert link_of(model) == ("sigmoid" if kind == "classifier" else "identity")
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"_target_": "lightgbm.sklearn.LGBMRanker"}, "is no classifier of lightgbm's"),
        ({"_target_": "lightgbm.sklearn.LGBMRegressor"}, "is no classifier"),
        ({"_target_": "lightgbm.basic.Booster"}, "is not allowed"),
        ({"_target_": "lightgbm.sklearn.joblib.load"}, "is no classifier"),
        ({"_target_": "xgboost.sklearn.XGBClassifier", "max_dept": 3}, "did you mean 'max_depth'?"),
        (
            {"_target_": "lightgbm.sklearn.LGBMClassifier", "output_model": "x"},
            "no such parameter",
        ),
        (
            {"_target_": "xgboost.sklearn.XGBClassifier", "callbacks": {"_target_": "os.system"}},
            "nested objects",
        ),
    ],
)
def test_nothing_else_of_theirs(spec: dict[str, Any], said: str) -> None:
    with pytest.raises((TargetError, BoostingError)) as caught:
        check_target(spec, where="here")
    assert said in str(caught.value)
    assert caught.value.hint


def test_a_project_allows_a_library(tmp_path: Path) -> None:
    """In conf/ci.yaml; scikit-learn needs none of it."""
    spec = {"_target_": "lightgbm.sklearn.LGBMClassifier"}
    with pytest.raises(BoostingError, match=r"conf/ci\.yaml does not allow") as caught:
        require_allowed(tmp_path, spec, where="here")
    assert "estimators: [lightgbm]" in (caught.value.hint or "")
    require_allowed(tmp_path, {"_target_": "sklearn.svm.SVC"}, where="here")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/ci.yaml").write_text("estimators: [lightgbm]\n")
    require_allowed(tmp_path, spec, where="here")
    with pytest.raises(BoostingError):
        require_allowed(tmp_path, {"_target_": "xgboost.sklearn.XGBRegressor"}, where="here")
    assert parse_settings(b"estimators: [xgboost]\n").estimators == ["xgboost"]
    with pytest.raises(CiSettingsError, match="there are: lightgbm, xgboost"):
        parse_settings(b"estimators: [os]\n")


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra, or the library of the system that LightGBM stands on."""
    spec = {"_target_": "lightgbm.sklearn.LGBMClassifier"}
    for fault, said in (
        (ImportError("no lightgbm"), "[lightgbm]'"),
        (OSError("libgomp.so.1: cannot open shared object file"), "apt-get install libgomp1"),
    ):

        def missing(name: str, fault: Exception = fault) -> Any:
            raise fault

        with monkeypatch.context() as patch:
            patch.setattr(importlib, "import_module", missing)
            with pytest.raises((MissingExtraError, BoostingError)) as caught:
                check_target(spec, where="here")
        assert said in str(caught.value)
    assert library_of("lightgbmx.sklearn.A") == ""
