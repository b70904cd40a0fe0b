"""What a trial's dvc.lock still says: every stage but those that follow from the config that was tried."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from furrow.ground.experiments import list_experiments
from furrow.ground.pipeline_spec import PipelineError
from furrow.history.artifacts import cached, outputs
from furrow.trials.trial_lock import unclaimed

from .conftest import sweeping

FILE = "d41d8cd98f00b204e9800998ecf8427e"
FOLDER = "d751713988987e9331980363e24189ce.dir"
OWN = {
    "build/models/gbm": FOLDER,
    "build/predictions/gbm.parquet": FILE,
    "build/evaluations/gbm.json": FILE,
}
LOCK = """schema: '2.0'
stages:
  compile:
    cmd: python -m furrow compile
  train@base_rate:
    cmd: python -m pipelines.train base_rate
    outs:
    - path: build/models/base_rate
      hash: md5
      md5: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.dir
  train@gbm:
    cmd: python -m pipelines.train gbm
    outs:
    - path: build/models/gbm
      hash: md5
      md5: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.dir
    - path: build/predictions/gbm.parquet
      hash: md5
      md5: cccccccccccccccccccccccccccccccc
  training_set_full:
    cmd: copied   # as it was
  evaluate@gbm:
    cmd: python -m pipelines.evaluate gbm
    outs:
    - path: build/evaluations/gbm.json
      hash: md5
      md5: dddddddddddddddddddddddddddddddd
  select:
    cmd: python -m pipelines.select
"""


def test_what_follows_from_the_config_is_empty_and_no_other_line_changes(project: Path) -> None:
    """No inputs, so that it is made anew; what Git holds is not named at all, nor a stage that has nothing else."""
    text = unclaimed(project, LOCK, "gbm")
    head = LOCK.partition("  train@gbm:\n")[0]
    assert text == (
        f"{head}  train@gbm:\n    cmd: python -m pipelines.train gbm\n    outs:\n"
        f"    - path: build/models/gbm\n      hash: md5\n      md5: {FOLDER}\n      size: 0\n      nfiles: 0\n"
        f"    - path: build/predictions/gbm.parquet\n      hash: md5\n      md5: {FILE}\n      size: 0\n"
        "  training_set_full:\n    cmd: copied   # as it was\n"
        "  evaluate@gbm:\n    cmd: python -m pipelines.evaluate gbm\n    outs:\n"
        f"    - path: build/evaluations/gbm.json\n      hash: md5\n      md5: {FILE}\n      size: 0\n"
    )


def test_a_lock_in_another_form_means_the_same(project: Path) -> None:
    """One that a program wrote as JSON; and one that has no such entry stays as it is."""
    content = yaml.safe_load(LOCK)
    expected = yaml.safe_load(unclaimed(project, LOCK, "gbm"))
    assert yaml.safe_load(unclaimed(project, json.dumps(content), "gbm")) == expected
    del (
        content["stages"]["train@gbm"],
        content["stages"]["evaluate@gbm"],
        content["stages"]["select"],
    )
    for text in (json.dumps(content), ""):
        assert unclaimed(project, text, "gbm") == text


def test_a_trial_names_no_output_of_the_run_before(project: Path, git: Callable[..., str]) -> None:
    """Not in its first commit, nor where it is recorded anew on another; what the work tree changed is in it."""
    (project / "dvc.lock").write_text(LOCK)
    git(project, "add", "dvc.lock")
    git(project, "commit", "-qm", "a run")
    (project / "dvc.lock").write_text(LOCK.replace("as it was", "as it is"))
    (one,) = sweeping(project, "model.max_iter=3").run()
    git(project, "commit", "-qam", "words")
    (again,) = sweeping(project, "model.max_iter=3").run()
    assert again.again
    commits = [found.commit for found in list_experiments(project) if found.name == one.trial.name]
    assert len(commits) == 2
    for commit in commits:
        named = {path: output.md5 for path, output in outputs(project, commit).items()}
        assert named.pop("build/models/base_rate").startswith("aaaa")
        assert named == OWN
        assert "as it is" in git(project, "show", f"{commit}:dvc.lock")
    assert outputs(project, git(project, "rev-parse", "HEAD"))["build/models/gbm"].md5.startswith(
        "bbbb"
    )
    for md5 in (FILE, FOLDER):
        kept = cached(project, md5)
        assert kept is not None
        assert hashlib.md5(kept.read_bytes()).hexdigest() == md5.removesuffix(".dir")


@pytest.mark.parametrize(
    ("lock", "error", "message"),
    [
        (f"<<<<<<< ours\n{LOCK}=======\n>>>>>>> theirs\n", PipelineError, "merge conflict"),
        ("stages: {a: [", PipelineError, "dvc.lock is malformed"),
    ],
)
def test_a_lock_that_cannot_be_read_is_said_before_anything_runs(
    project: Path, git: Callable[..., str], lock: str, error: type[Exception], message: str
) -> None:
    (project / "dvc.lock").write_text(lock)
    git(project, "add", "dvc.lock")
    with pytest.raises(error, match=message):
        sweeping(project, "model.max_iter=3")
