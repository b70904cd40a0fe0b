"""Replaying a trial: what it keeps is compared, what it doesn't keep is no trouble, and what it is nothing of is not run."""

import json

import pytest

from furrow.replay.replay_verdict import DIFFERENT, IDENTICAL, NOT_KEPT
from furrow.trials.trial_lock import keep_empty, unclaimed

from .conftest import commit, differences, edit, of, reasons, rerun, run

SELECT = """  select:
    cmd: cp runs/a/metrics.json runs/champion.json
    deps: [runs/a/metrics.json]
    metrics:
      - runs/champion.json: {cache: false}
  announce:
    cmd: cp runs/champion.json runs/announced.json
    params:
      - runs/champion.json: [roc_auc]
    metrics:
      - runs/announced.json: {cache: false}
"""
RECORD = """
text = Path("build/models/a/about.txt").read_text()
Path("runs/a/record.json").write_text(json.dumps({"model": text, "seed": 7}) + "\\n")
Path("runs/a/card.md").write_text(text)
Path("build/notes.txt").write_text(text)
"""


@pytest.fixture
def trial(world):
    """As `furrow try` commits one: another config, its metrics, a dvc.lock that says nothing of what follows from it."""
    with (world / "dvc.yaml").open("a") as handle:
        handle.write(SELECT)
    more = "runs/${item}/metrics.json: {cache: false}\n    outs:\n      - build/notes.txt"
    more += "".join(
        f"\n      - runs/${{item}}/{name}: {{cache: false}}" for name in ("record.json", "card.md")
    )
    edit(
        world / "dvc.yaml",
        "runs/${item}/metrics.json: {cache: false}",
        more.replace("\n    ", "\n      "),
    )
    with (world / "code/evaluate.py").open("a") as handle:
        handle.write(RECORD)
    rerun(world)
    before = (world / "runs/champion.json").read_text()
    (world / "conf/a.txt").write_text("0.7\n")
    rerun(world)
    lock = world / "dvc.lock"
    lock.write_text(unclaimed(world, lock.read_text(), "a"))
    keep_empty(world)
    (world / "runs/champion.json").write_text(before)
    record = json.loads((world / "runs/a/record.json").read_text())
    (world / "runs/a/record.json").write_text(json.dumps({**record, "model": None}) + "\n")
    (world / "runs/a/card.md").unlink()
    commit(world, "trial")
    return world


@pytest.mark.long
def test_what_it_keeps_is_what_its_config_gives(trial, again):
    """Its metrics are compared, its model can't be; the champion, which no trial chooses, is left out."""
    verdict = again(trial)
    assert verdict
    assert verdict.first == ""
    found = {one.stage: one.status for one in verdict.stages}
    assert found == {
        "compile": IDENTICAL,
        "prepare": IDENTICAL,
        "train@a": NOT_KEPT,
        "evaluate@a": IDENTICAL,
    }
    assert not any(one.reasons for one in verdict.stages)
    outputs = {one.path: one for one in of(verdict, "evaluate@a").outputs}
    assert outputs["runs/a/metrics.json"].status == IDENTICAL
    assert {path for path, one in outputs.items() if one.status == NOT_KEPT} == {
        "build/notes.txt",
        "runs/a/card.md",
        "runs/a/record.json",
    }
    assert outputs["runs/a/record.json"].differences == ("model is not kept",)
    assert "build/models/a: a trial keeps no model" in of(verdict, "train@a").warnings[0].text


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("metrics.json", "0.08", "0.98", "roc_auc: recorded 0.984, replayed 0.08399"),
        ("record.json", '"seed": 7', '"seed": 8', "seed: recorded 8, replayed 7"),
    ],
)
def test_a_trial_that_was_edited(trial, again, name, old, new, told):
    """A trial is believed no more than another commit; what its record leaves open is open, and nothing else in it."""
    edit(trial / "runs/a" / name, old, new)
    commit(trial, "edit")
    verdict = again(trial)
    assert verdict.first == "evaluate@a"
    assert told in differences(verdict, "evaluate@a")
    assert "nobody has the recorded one" in reasons(verdict, "evaluate@a")["upstream"]


@pytest.mark.long
def test_a_part_that_a_trial_has_nothing_of(trial, again):
    """That is said, and confirms nothing."""
    verdict = again(trial, stage="train@a")
    assert verdict.status == NOT_KEPT
    assert not verdict
    verdict = again(trial, stage="select")
    assert of(verdict, "select").status == DIFFERENT
    assert set(reasons(verdict, "select")) == {"unrecorded"}


def test_a_stage_that_only_git_keeps(world, again):
    """Where evaluation writes nothing for DVC to keep, dvc.lock is silent about it, and the metrics are compared."""
    (world / "conf/a.txt").write_text("0.7\n")
    rerun(world)
    lock = world / "dvc.lock"
    lock.write_text(unclaimed(world, lock.read_text(), "a"))
    assert "evaluate" not in lock.read_text()
    commit(world, "trial")
    verdict = again(world)
    assert {one.stage: one.status for one in verdict.stages}["evaluate@a"] == IDENTICAL
    edit(world / "runs/a/metrics.json", "0.08", "0.98")
    commit(world, "improve")
    assert again(world).first == "evaluate@a"


def test_nothing_is_left_out_of_another_commit(world, again):
    """A stage that was declared and not run is told of, where the commit is no trial's."""
    with (world / "dvc.yaml").open("a") as handle:
        handle.write(SELECT)
    commit(world, "declare")
    assert "unrecorded" in reasons(again(world), "select")


def test_its_note_holds(trial):
    """The statement of such a replay is one that `--verify` confirms, until a metric is another."""
    command = ("python", "-m", "furrow", "replay")
    assert "every stage: identical" in run(trial, *command).stdout
    assert "holds" in run(trial, *command, "--verify").stdout
    assert "not kept" in run(trial, *command, "--stage", "train@a", check=False).stdout
