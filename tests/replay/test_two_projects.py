"""Two projects of one repository: each replays its own commit, keeps its own notes, in clones and bare ones, too."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.repo import Repo

from furrow.ci.run_ci import Options as CiOptions
from furrow.ci.run_ci import run_ci
from furrow.files import canonical_json, sha256_bytes
from furrow.ground.git import resolve
from furrow.ground.notes import add_line, read_lines
from furrow.ground.project_place import meaning, project_prefix, projects_among
from furrow.replay.note_coverage import recorded_steps, uncovered
from furrow.replay.note_verify import verify
from furrow.replay.replay_request import Options
from furrow.replay.run_again import replay
from furrow.replay.statement import NOTE, read_verdicts, statement, write_note

STAGES = """stages:
  train:
    cmd: cat m.json > runs/m/metrics.json && cat ../shared.txt data/rows.txt > rows.txt
    deps: [m.json, ../shared.txt, data]
    outs: [rows.txt]
    metrics:
      - runs/m/metrics.json: {cache: false}
"""
SHARED = "stages: {share: {cmd: echo both > shared.txt, deps: [seed.txt], outs: [shared.txt]}}\n"


def planted(
    repo: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch, *, own: bool
) -> Path:
    """services/prices and services/rents, each with a .dvc of its own, or with one at the top for both; and a commit."""
    services = repo / "services"
    services.mkdir()
    holders = [services / "prices", services / "rents"] if own else [repo]
    if own:
        (services / "shared.txt").write_text("both\n")
    else:
        (services / "dvc.yaml").write_text(SHARED)
        (services / "seed.txt").write_text("1\n")
    for name, score in (("prices", 1.5), ("rents", 7.0)):
        folder = services / name
        for inner in ("conf", "runs/m", "data"):
            (folder / inner).mkdir(parents=True)
        (folder / "dvc.yaml").write_text(STAGES)
        (folder / "conf/ci.yaml").write_text("replay: all\n")
        (folder / "m.json").write_text(json.dumps({"mae": score}))
        (folder / "data/rows.txt").write_text(f"{name}\n")
    for holder in holders:
        (holder / ".dvc/tmp").mkdir(parents=True)
        (holder / ".dvc/config").write_text("[core]\n    analytics = false\n")
        (holder / ".dvc/.gitignore").write_text("/tmp\n/cache\n/config.local\n")
    for folder in (services / "prices", services / "rents"):
        monkeypatch.chdir(folder)
        with Repo() as dvc:
            dvc.add("data")
            dvc.reproduce(all_pipelines=True)
    monkeypatch.chdir(repo)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "Two projects")
    return repo


@pytest.fixture(params=[True, False], ids=["a .dvc each", "one .dvc"])
def both(
    repo: Path,
    git: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Path:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return planted(repo, git, monkeypatch, own=request.param)


def test_each_is_replayed_and_noted_for_itself(both: Path, git: Callable[..., str]) -> None:
    """What one project's notes say is no word of the other's, though their stages and files have the same names."""
    commit = resolve(both, "HEAD")
    prices, rents = both / "services/prices", both / "services/rents"
    verdict = replay(prices, "HEAD", Options(diagnose=False))
    assert verdict.status == "identical", verdict
    assert [stage.stage for stage in verdict.stages] == ["train"]
    assert not verdict.stages[0].undeclared
    assert verdict.project == "services/prices/"
    write_note(prices, verdict)
    assert read_verdicts(prices, commit) == [verdict]
    assert read_verdicts(rents, commit) == read_verdicts(both, commit) == []
    assert verify(rents, commit) == []
    (checked,) = verify(prices, commit)
    assert checked, checked.problems
    (said,) = [json.loads(line) for line in read_lines(both, NOTE, commit)]
    assert [one["name"] for one in said["subject"]] == [
        "commit",
        "services/prices/rows.txt",
        "services/prices/runs/m/metrics.json",
    ]
    write_note(rents, replay(rents, "HEAD", Options(diagnose=False)))
    assert [one.project for one in read_verdicts(rents, commit)] == ["services/rents/"]
    assert all(verify(rents, commit))
    assert uncovered(recorded_steps(rents, commit), read_verdicts(rents, commit)[0]) == []


@pytest.mark.parametrize("both", [False], indirect=True, ids=["one .dvc"])
def test_a_bare_clone_is_told_which_project_is_meant(
    both: Path, git: Callable[..., str], tmp_path: Path
) -> None:
    """Its notes are read, and its commits judged by CI, project by project."""
    commit, bare = resolve(both, "HEAD"), tmp_path / "bare.git"
    rents = both / "services/rents"
    write_note(rents, replay(rents, "HEAD", Options(diagnose=False)))
    git(tmp_path, "clone", "-q", "--bare", str(both), str(bare))
    git(bare, "fetch", "-q", "origin", "refs/notes/*:refs/notes/*")
    assert read_verdicts(bare, commit) == []
    with meaning("services/rents"):
        assert project_prefix(bare) == "services/rents/"
        (noted,) = read_verdicts(bare, commit)
        assert noted.project == "services/rents/"
        outcome = run_ci(bare, commit, CiOptions(replay="none", cache=both / ".dvc/cache"))
    assert outcome, outcome.checks
    assert outcome.project == "services/rents/"
    assert {check.name: check.status for check in outcome.checks}["stages"] == "passed"


def test_old_notes_are_read_in_the_project_that_they_are_of(both: Path) -> None:
    """A note that names no project, as they were written at first, counts where dvc.lock knows its stages."""
    commit, prices = resolve(both, "HEAD"), both / "services/prices"
    old = statement(prices, replay(prices, "HEAD", Options(diagnose=False)))
    product = old["predicate"]["runDetails"]["byproducts"][0]
    verdict = json.loads(base64.b64decode(product["content"]))
    del verdict["project"]
    content = canonical_json(verdict).encode()
    product |= {
        "content": base64.b64encode(content).decode(),
        "digest": {"sha256": sha256_bytes(content)},
    }
    for one in old["subject"]:
        one["name"] = one["name"].removeprefix("services/prices/")
    add_line(prices, NOTE, commit, canonical_json(old))
    (checked,) = verify(prices, commit)
    assert checked, checked.problems
    shutil.rmtree(both / "services/rents")
    (both / "elsewhere/conf").mkdir(parents=True)
    (both / "elsewhere/dvc.yaml").write_text("stages: {}\n")
    assert verify(both / "elsewhere", commit) == []


def test_projects_among_the_files_of_a_tree() -> None:
    """A folder's dvc.yaml is a project of its own where conf/ lies beside it, or where no project is above it."""
    assert projects_among(["dvc.yaml", "conf/a.yaml", "prep/dvc.yaml", "x.txt"]) == [""]
    assert projects_among(["a/dvc.yaml", "a/conf/ci.yaml", "b/c/dvc.yaml", "b/c/d/dvc.yaml"]) == [
        "a/",
        "b/c/",
    ]
    assert projects_among(["dvc.yaml", "a/dvc.yaml", "a/conf/b/x.yaml"]) == ["", "a/"]
    whole = ["dvc.yaml", "conf/a.yaml", "tests/shop/dvc.yaml", "tests/shop/conf/a.yaml"]
    assert projects_among(whole) == [""]
    assert projects_among([*whole, "tests/shop/.dvc/config"]) == ["", "tests/shop/"]
    assert projects_among(["../dvc.yaml", "a/../../dvc.yaml", "conf/x"]) == []
