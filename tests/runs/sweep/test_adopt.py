"""Adopting: what was tried is declared as it was, or not at all."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from furrow.errors import FurrowError
from furrow.features import manifest
from furrow.ground.hydra import compose
from furrow.training.declare import declared
from furrow.training.stage_code import experiment_code
from furrow.trials.adopt import Adopted, AdoptError, adopt
from furrow.trials.prepare import Request, prepare

WORDS = (
    "model.learning_rate=0.3",
    "calibration=sigmoid",
    "+model.max_features=0.5",
    "model.max_iter=3",
)


def services(root: Path) -> dict[str, str]:
    return {
        name: one.digest
        for name, one in manifest.load(root / "features/manifest.json").services.items()
    }


def adopted(root: Path, trial: str, name: str, **options: Any) -> Adopted:
    def code(experiment):
        return experiment_code(root, experiment, {})

    return adopt(root, trial, name, **{"services": services(root), "code": code, **options})


@pytest.fixture(scope="module")
def tried(original: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = Path(
        shutil.copytree(original, tmp_path_factory.mktemp("tried") / "project", symlinks=True)
    )
    patch = pytest.MonkeyPatch()
    for kind in ("AUTHOR", "COMMITTER"):
        patch.setenv(f"GIT_{kind}_NAME", "Ada Test")
        patch.setenv(f"GIT_{kind}_EMAIL", "ada@example.com")
    (one,) = prepare(Request(root, "gbm", WORDS, services(root)), clock=time.time).run()
    patch.undo()
    return root, one.trial.name


@pytest.fixture
def case(tried: tuple[Path, str], tmp_path: Path) -> tuple[Path, str]:
    return Path(shutil.copytree(tried[0], tmp_path / "project", symlinks=True)), tried[1]


def test_the_file_says_what_was_tried_and_the_map_keeps_its_comments(
    case: tuple[Path, str],
) -> None:
    root, trial = case
    before = (root / "conf/experiments.yaml").read_text()
    found = adopted(root, trial, "gbm_fast")
    assert found.score.startswith("log_loss ")
    assert not found.warnings
    assert (
        root / "conf/experiments.yaml"
    ).read_text() == f"{before}  gbm_fast: {{problem: late, service: full}}\n"
    assert declared(root / "conf")["gbm_fast"].service == "full"
    config = compose(root / "conf", "config", ["experiment=gbm_fast", "problem=late"])
    assert config["model"]["learning_rate"] == 0.3
    assert config["model"]["max_features"] == 0.5
    assert config["calibration"]["method"] == "sigmoid"
    assert config["name"] == "gbm_fast"
    assert trial in config["description"]


def test_what_conf_says_otherwise_by_now_is_written_out(case: tuple[Path, str]) -> None:
    """The experiment is the trial's, not today's; and what has changed beyond conf/ is warned of."""
    root, trial = case
    for name, old, new in (("conf/model/gbm.yaml", "l2_regularization: 10.0", "l2_regularization: 3.0"),
                           ("conf/config.yaml", "seed: 2013", "seed: 1")):  # fmt: skip
        path = root / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    with (root / "furrow/training/fit.py").open("a") as handle:
        handle.write("\nMORE = 1\n")
    (root / "build/training/late/full.parquet").write_bytes(b"other")
    found = adopted(root, trial, "gbm_fast", services={"full": "0" * 64})
    text = yaml.safe_load((root / "conf/experiment/gbm_fast.yaml").read_text())
    assert text["model"]["l2_regularization"] == 10.0
    assert text["seed"] == 2013
    assert len(found.warnings) == 3
    assert "code" in found.warnings[0]
    assert "feature service 'full'" in found.warnings[1]
    assert "full.parquet" in found.warnings[2]


@pytest.mark.parametrize(
    ("name", "message"), [("gbm", "already"), ("Fast!", "not a name"), ("a/b", "not a name")]
)  # fmt: skip
def test_an_unfit_name_is_refused(case: tuple[Path, str], name: str, message: str) -> None:
    root, trial = case
    with pytest.raises(AdoptError, match=message):
        adopted(root, trial, name)


def test_what_cannot_be_adopted_leaves_no_trace(
    case: tuple[Path, str], git: Callable[..., str]
) -> None:
    root, trial = case
    (root / "conf/engine/extra.yaml").write_text("# @package model\nwarm_start: true\n")
    config = root / "conf/config.yaml"
    config.write_text(
        config.read_text().replace(
            "  - engine: local\n", "  - engine: local\n  - engine@x: extra\n"
        )
    )
    git(root, "commit", "-qam", "other")
    before = git(root, "status", "--porcelain")
    with pytest.raises(FurrowError):
        adopted(root, trial, "gbm_fast")
    assert git(root, "status", "--porcelain") == before
    with pytest.raises(FurrowError, match="no experiment 'gbm-0'"):
        adopted(root, "gbm-0", "gbm_fast")
    head = git(root, "rev-parse", "HEAD")
    git(root, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/other-one", head)
    with pytest.raises(AdoptError, match="not made by") as caught:
        adopted(root, "other-one", "gbm_fast")
    assert "dvc exp apply" in caught.value.hint
