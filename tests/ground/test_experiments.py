"""Experiments as commits: what is written is what DVC and Git read, by any number of writers at once."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.ground.experiments import ExperimentError, find, list_experiments, open_base
from furrow.ground.git import NotARepositoryError, UnbornBranchError

Git = Callable[..., str]


@pytest.fixture
def filled(repo: Path, git: Git) -> Path:
    (repo / "kept").write_text("kept\n")
    (repo / "run.sh").write_text("true\n")
    (repo / "run.sh").chmod(0o755)
    (repo / "link").symlink_to("kept")
    (repo / "deep/er").mkdir(parents=True)
    (repo / "deep/er/old").write_text("old\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "filled")
    return repo


def test_the_tree_is_the_base_with_files_added_replaced_and_taken_away(
    filled: Path, git: Git
) -> None:
    base = open_base(filled)
    files = {
        "deep/er/old": None,
        "runs/gbm/metrics.json": b"{}",
        "run.sh": b"false\n",
        "not/there": None,
    }
    commit = base.write("gbm-1", files, "try\n\nFurrow-Trial: abc\n", when=1_700_000_000)
    listed = [line.split()[::3] for line in git(filled, "ls-tree", "-r", commit).split("\n")]
    assert listed == [
        ["100644", "kept"],
        ["120000", "link"],
        ["100755", "run.sh"],
        ["100644", "runs/gbm/metrics.json"],
    ]
    assert git(filled, "show", f"{commit}:run.sh") == "false"
    assert (
        git(filled, "log", "-1", "--format=%an %ct %P", commit)
        == f"Ada Test 1700000000 {base.commit}"
    )
    assert base.read(commit, "runs/gbm") == {"metrics.json": b"{}"}
    assert base.read(commit, "nowhere") == {}
    assert base.trailers(commit) == {"Furrow-Trial": "abc"}
    assert git(filled, "status", "--porcelain") == ""
    git(filled, "fsck", "--strict")


def test_what_the_work_tree_changes_is_in_the_base(filled: Path, git: Git) -> None:
    """Tracked files as they are now, staged or not; what Git does not track stays out, and the index is left alone."""
    (filled / "kept").write_text("changed\n")
    (filled / "deep/er/old").unlink()
    (filled / "staged").write_text("new\n")
    git(filled, "add", "staged")
    (filled / "untracked").write_text("no\n")
    before = git(filled, "status", "--porcelain")
    commit = open_base(filled).write("one", {"x": b"1"}, "try", when=0)
    assert git(filled, "ls-tree", "-r", "--name-only", commit).split() == [
        "kept",
        "link",
        "run.sh",
        "staged",
        "x",
    ]
    assert git(filled, "show", f"{commit}:kept") == "changed"
    assert git(filled, "status", "--porcelain") == before


def test_a_project_inside_a_repository_and_in_a_linked_worktree(
    filled: Path, tmp_path: Path, git: Git
) -> None:
    (filled / "deep/dvc.yaml").write_text("stages: {}\n")  # what makes a folder a project
    commit = open_base(filled / "deep").write("one", {"er/new": b"1"}, "try", when=0)
    assert "deep/er/new" in git(filled, "ls-tree", "-r", "--name-only", commit).split()
    git(filled, "worktree", "add", "-q", str(tmp_path / "linked"))
    open_base(tmp_path / "linked").write("two", {"x": b"1"}, "try", when=0)
    assert [one.name for one in list_experiments(filled)] == ["one", "two"]


def test_an_experiment_is_never_overwritten(filled: Path) -> None:
    base = open_base(filled)
    first = base.write("one", {"x": b"1"}, "try", when=0)
    assert base.write("one", {"x": b"2"}, "try", when=0) == first
    assert base.recorded("one") == first
    assert base.recorded("two") is None


def _write_many(root: str, writer: int) -> None:
    base = open_base(Path(root))
    for number in range(40):
        base.write(f"w{writer}-{number}", {"x": f"{writer} {number}".encode()}, "try", when=number)
        base.write(f"shared-{number}", {"x": b"same"}, "try", when=0)


def test_many_writers_at_once_lose_nothing(filled: Path, git: Git) -> None:
    context = multiprocessing.get_context("spawn")
    children = [
        context.Process(target=_write_many, args=(str(filled), writer)) for writer in range(3)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert len(list_experiments(filled)) == 160
    git(filled, "fsck", "--strict")


def test_found_by_name_reference_or_commit(filled: Path, git: Git) -> None:
    base = open_base(filled)
    commit = base.write("gbm-1", {"x": b"1"}, "try one\n\nFurrow-Trial: abc\n", when=0)
    git(filled, "update-ref", "refs/exps/exec/EXEC_APPLY", commit)
    git(filled, "update-ref", "refs/exps/stash", commit)
    reference = f"refs/exps/{base.commit[:2]}/{base.commit[2:]}/gbm-1"
    for name in ("gbm-1", commit, commit[:10], reference):
        found = find(filled, name)
        assert (found.name, found.commit, found.baseline, found.subject) == (
            "gbm-1",
            commit,
            base.commit,
            "try one",
        )
        assert found.trailers == {"Furrow-Trial": "abc"}
    git(filled, "commit", "-q", "--allow-empty", "-m", "more")
    on_head = open_base(filled).write("gbm-1", {"x": b"2"}, "try", when=0)
    assert find(filled, "gbm-1").commit == on_head
    git(filled, "commit", "-q", "--allow-empty", "-m", "even more")
    with pytest.raises(ExperimentError, match="names 2 experiments"):
        find(filled, "gbm-1")
    with pytest.raises(ExperimentError, match="no experiment 'gbm-2'") as caught:
        find(filled, "gbm-2")
    assert "gbm-1" in caught.value.hint


def test_what_stands_in_the_way_is_said(
    tmp_path: Path, repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(NotARepositoryError):
        open_base(tmp_path / "plain")
    (tmp_path / "unborn").mkdir()
    git(tmp_path / "unborn", "init", "-q")
    with pytest.raises(UnbornBranchError):
        open_base(tmp_path / "unborn")
    base = open_base(repo)
    with pytest.raises(ExperimentError, match="no file"):
        base.write("none", {"x": None}, "try", when=0)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    git(repo, "config", "user.useConfigOnly", "true")
    with pytest.raises(ExperimentError, match="who commits"):
        open_base(repo)


def test_a_repository_that_cannot_be_written_is_said(filled: Path) -> None:
    """A file stands where the references' folder must be: the same for root and everyone else."""
    base = open_base(filled)
    (filled / ".git/refs/exps").write_text("")
    with pytest.raises(ExperimentError, match="cannot record one") as caught:
        base.write("one", {"x": b"1"}, "try", when=0)
    assert "goes on from there" in caught.value.hint
    (filled / ".git/refs/exps").unlink()
    assert base.write("one", {"x": b"1"}, "try", when=0)
