"""The mirror that a server follows: it lies among the files of a clone, where a planted one would not be believed."""

import subprocess
from pathlib import Path

import pytest

from furrow.ground.git import NotARepositoryError, git
from furrow.ground.git_mirror import accept, fetch_branch, open_mirror


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with one commit, which is its own remote."""
    root = tmp_path / "clone"
    root.mkdir()
    for words in (
        ("init", "-q", "-b", "main"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"),
    ):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


def test_a_mirror_among_the_files_of_a_clone(clone: Path) -> None:
    """As `furrow serve ENV --follow origin/main` makes it where it is started: in .furrow/."""
    mirror = open_mirror(clone / ".furrow/serving/production/mirror.git")
    tip = git(clone, "rev-parse", "HEAD").decode().strip()
    assert fetch_branch(mirror, str(clone), "main").commit == tip
    assert open_mirror(mirror) == mirror
    assert git(mirror, "rev-parse", "--is-bare-repository").strip() == b"true"


def test_an_older_mirror_is_taken_over(clone: Path, tmp_path: Path) -> None:
    """With what it has accepted; one whose move was cut short as well."""
    for name in ("plain.git", "cut.git"):
        place = tmp_path / name
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(place)], check=True)
        fetched = fetch_branch(place, str(clone), "main")
        accept(place, fetched.commit)
    (tmp_path / "cut.git").rename(tmp_path / ".cut.git.older")
    for name in ("plain.git", "cut.git"):
        mirror = open_mirror(tmp_path / name)
        assert git(mirror, "rev-parse", "refs/furrow/accepted").decode().strip() == fetched.commit
        assert sorted(path.name for path in mirror.iterdir()) == [".git"]


def test_one_that_a_commit_holds_is_still_not_believed(clone: Path) -> None:
    """Nothing that was added to a commit lies in a folder .git."""
    subprocess.run(["git", "init", "-q", "--bare", str(clone / "planted")], check=True)
    with pytest.raises(NotARepositoryError):
        git(clone / "planted", "log")
