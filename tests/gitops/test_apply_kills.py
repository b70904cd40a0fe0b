"""`furrow apply`, killed with -9 at each moment in turn: together the applies end where one undisturbed apply ends."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from furrow.models.registry import versions
from furrow.plan.apply import Order, apply
from furrow.plan.make_plan import make_plan

from .killing import Killer
from .small import commit, repro, run
from .whole import land, rate

STAGES = ("tables_delays", "training_set_full", "train@gbm", "evaluate@gbm", "select")
MOMENTS = {f"{stage}: {when}" for stage in STAGES for when in ("before", "during", "after")} | {
    "furrow: shutil.rmtree build/models/base",  # destroy
    "furrow: os.rename dvc.lock",
    "furrow: start dvc",
    "dvc: os.rename .dvc/cache/files",
    "dvc: write .dvc/cache/runs",
    "dvc: write dvc.lock",
    "furrow: start feast",
    "feast: write build/registry.db",
    "furrow: os.rename .furrow/applied.json",
}


@pytest.fixture
def killer(whole: Path, tmp_path: Path) -> Iterator[Killer]:
    """Kills applies in the repository; nothing that they started outlives the test."""
    made = Killer(whole, tmp_path / "room")
    yield made
    made.end()


def until_done(killer: Killer, *arguments: str) -> list[str]:
    """Apply until one gets through; what it had started is killed every second time, and lives on else."""
    kills: list[str] = []
    while moment := killer.killed(*arguments, tools=bool(len(kills) % 2)):
        kills.append(moment)
    return kills


@pytest.mark.long
def test_killed_at_every_moment(whole: Path, tmp_path: Path, killer: Killer) -> None:
    """Before, during and after each stage, in DVC's and Feast's own writes, and at each write of apply's."""
    land(whole, 1.0, 2.0, 3.0)
    rate(whole, 0.6)
    (whole / "conf/experiments.yaml").write_text("experiments:\n  gbm: {}\n")
    (whole / "build/registry.db").unlink()
    undisturbed = tmp_path / "undisturbed"
    subprocess.run(["cp", "-a", str(whole), str(undisturbed)], check=True)
    kills = until_done(killer)
    assert set(kills) >= MOMENTS
    assert len(kills) == len(set(kills))
    assert killer.left() == []

    apply(undisturbed, Order(), watch=lambda event: None)
    same = [
        "dvc.lock",
        "data.dvc",
        "runs/champion.json",
        "runs/gbm/record.json",
        "build/models/gbm/model.joblib",
    ]
    assert [(whole / name).read_bytes() for name in same] == [
        (undisturbed / name).read_bytes() for name in same
    ]
    assert (
        run(whole, "git", "status", "--porcelain").stdout
        == run(undisturbed, "git", "status", "--porcelain").stdout
    )
    (whole / ".furrow/applied.json").unlink()  # the online store itself is asked
    assert [each.address for each in make_plan(whole).resources if each.action != "unchanged"] == [
        "registry"
    ]
    assert repro(whole).ran == set()


@pytest.mark.long
def test_killed_while_it_fetches(clone: Path, whole: Path, tmp_path: Path) -> None:
    """Killed while objects come from the DVC remote, the next apply fetches what is still lacking."""
    fetching = Killer(clone, tmp_path / "room")
    kills = [fetching.killed(tools=True) for _ in range(7)]
    assert {"furrow: write .dvc/cache/files", "furrow: os.rename .dvc/cache/files"} <= set(kills)
    done = apply(clone, Order(), watch=lambda event: None)
    assert done.ran == ()
    assert not done.left
    name = "build/models/gbm/model.joblib"
    assert (clone / name).read_bytes() == (whole / name).read_bytes()
    assert run(clone, "git", "status", "--porcelain").stdout == ""


@pytest.mark.long
def test_killed_while_it_registers(whole: Path, killer: Killer) -> None:
    """Killed before the tag is made and after it, `apply --register` run again registers the champion, once."""
    land(whole, 1.0, 2.0, 3.0)
    apply(whole, Order(), watch=lambda event: None)
    commit(whole, "another day")
    kills = until_done(killer, "--register")
    assert {"furrow: start git tag", "furrow: write .furrow/journal.jsonl"} <= set(kills)
    (version,) = versions(whole)
    assert str(version) == "gbm@v1.0.0"
    assert version.commit == run(whole, "git", "rev-parse", "HEAD").stdout.strip()
