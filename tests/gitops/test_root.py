"""Where the project is: in whatever folder of it a command is called, and nowhere outside it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.ground.git import NotARepositoryError
from furrow.ground.pipeline_spec import PipelineError
from furrow.plan.project_root import in_project, repository_root


def make(folder: Path, *, conf: bool = True) -> Path:
    (folder / "a/b").mkdir(parents=True)
    (folder / "dvc.yaml").write_text("stages: {}\n")
    if conf:
        (folder / "conf").mkdir()
    return folder


def test_the_nearest_folder_that_declares(tmp_path: Path, git: Callable[..., str]) -> None:
    """With conf/ before one that has a dvc.yaml alone; in a repository that holds several, its own."""
    git(tmp_path, "init", "-q", "top")
    top = make(tmp_path / "top")
    inner = make(top / "inner")
    stages = make(inner / "conf/stages", conf=False)
    for folder, expected in (
        (top, top),
        (top / "a/b", top),
        (inner / "a", inner),
        (stages / "a/b", inner),
    ):
        assert repository_root(folder) == expected
    (inner / "dvc.yaml").unlink()
    (top / "conf").rmdir()
    assert repository_root(stages) == stages


def test_nothing_above_the_repository(
    tmp_path: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = make(tmp_path / "outer")
    assert repository_root(outer / "a/b") == outer  # an unpacked archive has no .git
    inside = outer / "a/b"
    git(inside, "init", "-q")
    with pytest.raises(PipelineError, match=r"has no dvc\.yaml"):
        repository_root(inside)
    (tmp_path / "other").mkdir()
    with pytest.raises(NotARepositoryError):
        repository_root(tmp_path / "other")
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    with pytest.raises(NotARepositoryError):
        repository_root(tmp_path / "bare.git")
    monkeypatch.chdir(tmp_path / "other")
    assert in_project("runs/champion.json") == Path("runs/champion.json")
    monkeypatch.chdir(outer / "conf")
    assert in_project("runs/champion.json") == Path("../runs/champion.json")
    monkeypatch.chdir(outer)
    assert in_project("data") == Path("data")
