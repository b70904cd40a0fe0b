"""What every project must keep, of the examples cut down: at rest nothing runs, an edit runs what it must, a stage replays."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pygit2
import pytest
from dvc.repo import Repo

from furrow.ci.run_ci import Options as CiOptions
from furrow.ci.run_ci import run_ci
from furrow.features.materialize import materialize
from furrow.intake.project_data import land_all
from furrow.models.predict import open_model
from furrow.plan.make_plan import make_plan
from furrow.replay.replay_request import Options as ReplayOptions
from furrow.replay.run_again import replay
from furrow.training.champions import read_champions
from tests.projects.in_process import commit, repro, status, track

from .conftest import KEPT, ROOT, keep_experiments, land_thin, make_cheap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.story, pytest.mark.long]
ORDERS = 2_500


@dataclass(frozen=True)
class Cut:
    """An example cut down.

    Attributes:
        name: Of its folder.
        problem: One of its problems.
        best: An experiment of it.
        entry: Another one, as conf/experiments.yaml declares it.
        table: A feature table of the problem.
    """

    name: str
    problem: str
    best: str
    entry: str
    table: str


CUTS = (
    Cut("shop", "redeemed", "redeemed_gbm", "{problem: redeemed, service: offer, model: gbm}", "campaign_match"),
    Cut("returns", "returned", "boosting", "{problem: returned, service: all, model: gbm}", "orders_profile"),
)  # fmt: skip


def bring(cut: Cut, folder: Path) -> None:
    """The example's files and few of its data."""
    shutil.copytree(
        ROOT / "examples" / cut.name, folder, ignore=shutil.ignore_patterns("__pycache__")
    )
    make_cheap(folder)
    if cut.name == "shop":
        land_thin(folder)
        keep_experiments(folder, KEPT)
        return
    orders = folder / "given/orders.csv"
    orders.write_text("".join(orders.read_text().splitlines(keepends=True)[:ORDERS]))
    land_all(folder, {"orders": ["given/orders.csv"], "credit_notes": ["given/credit_notes.csv"]})


@pytest.fixture(scope="module", params=CUTS, ids=lambda cut: cut.name)
def cut(request: pytest.FixtureRequest) -> Cut:
    return request.param


@pytest.fixture(scope="module")
def rested(cut: Cut, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project at rest, in a path with a space; not to be changed."""
    folder = tmp_path_factory.mktemp("of mine") / cut.name
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FURROW_TRUST", "1")
        patch.setenv("DVC_NO_ANALYTICS", "1")
        bring(cut, folder)
        with (folder / ".gitignore").open("a") as handle:
            handle.write("/data/\n")
        pygit2.init_repository(str(folder), initial_head="main")
        Repo.init(str(folder)).close()
        track(folder, patch)
        repro(folder, patch)
        commit(folder, "run")
        yield folder


@pytest.fixture
def project(rested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to be changed at will."""
    monkeypatch.setenv("FURROW_TRUST", "1")
    return shutil.copytree(rested, tmp_path / "a copy", symlinks=True)


def test_at_rest_nothing_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by DVC, nor by the plan; every experiment has a verdict, and nothing is left over."""
    assert status(project) == {}
    assert not make_plan(project, local=False).stages
    assert repro(project, monkeypatch) == set()


def test_an_experiment_more(project: Path, cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line: it is trained and judged, and nothing else is; the plan said so."""
    path = project / "conf/experiments.yaml"
    path.write_text(f"{path.read_text().rstrip()}\n  another: {cut.entry}\n")
    planned = {stage.name for stage in make_plan(project, local=False).stages}
    ran = repro(project, monkeypatch)
    assert ran == planned == {"compile", "train@another", "evaluate@another", "select"}
    found = read_champions((project / "runs/champion.json").read_bytes())[cut.problem]
    assert "another" in found.verdicts


def test_a_comment_runs_nothing_more(project: Path, cut: Cut) -> None:
    """In SQL it is no other table: at most the table is built again, and nothing is trained."""
    path = project / f"features/tables/{cut.table}.sql"
    path.write_text(f"-- a comment\n{path.read_text()}")
    assert {stage.name for stage in make_plan(project, local=False).stages} <= {
        "compile",
        f"tables_{cut.table}",
    }


def test_a_stage_replays(rested: Path, cut: Cut) -> None:
    """Training and judging, in a checkout of the commit, give the same bytes."""
    for stage in ("train", "evaluate"):
        verdict = replay(rested, "HEAD", ReplayOptions(stage=f"{stage}@{cut.best}"))
        assert verdict.status == "identical", verdict.to_json()


def test_ci_of_a_commit_at_rest(project: Path) -> None:
    """Nothing is stale; what fails, if anything, is the gate, for want of data."""
    outcome = run_ci(project, "HEAD", CiOptions(replay="none"))
    failed = {check.name for check in outcome.checks if check.status == "failed"}
    assert failed <= {"gate"}, outcome.checks
    assert {"plan", "compile", "stages"} <= {check.name for check in outcome.checks}


def test_serving_sees_what_training_saw(project: Path, cut: Cut) -> None:
    """A champion opens, and the online store fills."""
    assert sum(one.written for one in materialize(project / "features")) > 0
    champion = read_champions((project / "runs/champion.json").read_bytes())[cut.problem]
    if champion.experiment is None:
        pytest.skip("cut down so far, no run passes")
    assert open_model(project, problem=cut.problem).needs()
