"""Two projects in folders of one repository: each is a project of its own, in whatever folder a command is called."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.repo import Repo

import furrow
from furrow.clone.merge import install
from furrow.ground.git import files_at, show
from furrow.ground.pipeline import read_pipeline
from furrow.ground.project_place import dvc_root, project_prefix, project_root
from furrow.history.metric_history import history
from furrow.history.show import describe
from furrow.models.registry import versions
from furrow.plan.between_revisions import plan_between
from furrow.plan.make_plan import make_plan

STAGES = """stages:
  train@m:
    cmd: cp m.json runs/m/metrics.json
    deps: [m.json, ../shared.txt]
    metrics:
      - runs/m/metrics.json: {cache: false}
"""
STAGES = STAGES.replace("train@m", "train")


@pytest.fixture
def both(
    repo: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """The repository, with services/prices, which has a .dvc of its own, and services/rents, and one commit."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    (repo / "services").mkdir()
    (repo / "services/shared.txt").write_text("both\n")
    for name, score in (("prices", 1.5), ("rents", 7.0)):
        folder = repo / "services" / name
        for inner in ("conf/deployment", "runs/m", ".dvc/tmp", "src"):
            (folder / inner).mkdir(parents=True)
        (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
        (folder / ".dvc/.gitignore").write_text("/tmp\n/cache\n")
        (folder / "dvc.yaml").write_text(STAGES)
        (folder / "m.json").write_text(json.dumps({"mae": score}))
        (folder / "src/a.py").write_text("")
        monkeypatch.chdir(folder)
        with Repo(str(folder)) as dvc:
            dvc.reproduce()
    monkeypatch.chdir(repo)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Two projects")
    return repo


def test_where_each_is(both: Path) -> None:
    prices = both / "services/prices"
    assert project_root(prices / "src") == prices
    assert project_prefix(prices / "src") == "services/prices/"
    assert project_root(both / "services") == both
    assert project_prefix(both) == ""
    assert dvc_root(prices) == prices


def test_plans_of_each(both: Path, git: Callable[..., str]) -> None:
    """At rest each for itself; a file outside of the project that a stage reads counts."""
    prices, rents = both / "services/prices", both / "services/rents"
    assert not make_plan(prices, local=False)
    assert not make_plan(rents, local=False)
    (prices / "m.json").write_text('{"mae": 2.5}')
    assert [stage.name for stage in make_plan(prices, local=False).stages] == ["train"]
    assert not make_plan(rents, local=False)
    git(both, "commit", "-qam", "Another score")
    assert [stage.name for stage in plan_between(prices, "HEAD~1..HEAD").plan.stages] == ["train"]
    assert not plan_between(rents, "HEAD~1..HEAD").plan.stages
    (both / "services/shared.txt").write_text("changed\n")
    assert [stage.name for stage in make_plan(rents, local=False).stages] == ["train"]


def test_runs_of_each(both: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists, single runs, their history and what is shown are of the project that one stands in."""
    prices, rents = both / "services/prices", both / "services/rents"
    for folder, score in ((prices, 1.5), (rents, 7.0)):
        for here in (folder, folder / "src"):
            found = furrow.runs(repo=here, revs="all")
            assert list(found["mae"]) == [score]
            assert furrow.run("m", repo=here).metrics["mae"] == score
            assert show(here, "HEAD", "m.json") == json.dumps({"mae": score}).encode()
            assert files_at(here, "HEAD", "runs") == ["runs/m/metrics.json"]
    (prices / "runs/m/metrics.json").write_text('{"mae": 1.25}')
    git(both, "commit", "-qam", "Better prices")
    assert [point.value for point in history(prices, "m", rev="HEAD", metric=None).points] == [
        1.5,
        1.25,
    ]
    assert [point.value for point in history(rents, "m", rev="HEAD", metric=None).points] == [7.0]
    assert (
        describe(furrow.run("m", repo=prices), lambda *_: []).made_by["subject"] == "Better prices"
    )
    assert list(furrow.runs(repo=rents)["mae"]) == [7.0]


def test_models_of_each(both: Path, git: Callable[..., str]) -> None:
    """Tags of two projects' models of one name don't collide."""
    for folder, number in (
        ("services/prices=", "1.0.0"),
        ("services/rents=", "2.0.0"),
        ("", "3.0.0"),
    ):
        git(both, "tag", "-a", "-m", "x", f"{folder}m@v{number}")
    assert [str(one) for one in versions(both / "services/prices")] == ["m@v1.0.0"]
    assert [one.tag for one in versions(both / "services/rents/src")] == ["services/rents=m@v2.0.0"]
    assert [one.tag for one in versions(both)] == ["m@v3.0.0"]


def test_merge_attributes_of_each(both: Path, git: Callable[..., str]) -> None:
    install(both / "services/prices")
    install(both / "services/rents/src")
    assert install(both / "services/rents") == []
    for project in ("prices", "rents"):
        for name in (
            "runs/m/metrics.json",
            "dvc.lock",
            "data.dvc",
            "prep/x.dvc",
            "features/manifest.json",
        ):
            answer = git(both, "check-attr", "merge", f"services/{project}/{name}")
            assert answer.endswith("merge: furrow"), answer
    assert git(both, "check-attr", "merge", "runs/m/metrics.json").endswith("unspecified")


def test_one_dvc_for_both(both: Path) -> None:
    """A .dvc at the top holds every project of the repository; each plans its own stages and what they wait for."""
    for name in ("prices", "rents"):
        (both / "services" / name / ".dvc").rename(both / f"{name}.old")
    (both / ".dvc").mkdir()
    (both / "services/dvc.yaml").write_text(
        "stages: {share: {cmd: echo, outs: [shared.txt]}, more: {cmd: echo 2}}\n"
    )
    prices = both / "services/prices"
    assert dvc_root(prices) == both
    found = read_pipeline(prices)
    assert set(found.steps) == {"train", "../dvc.yaml:share"}
    assert next(iter(found.steps)) == "../dvc.yaml:share", "in order"
    assert found.steps["train"].deps[1].path == "../shared.txt"
