"""conf/trust.yaml that the followed branch loosens: whoever may push is not whoever may say whose signatures count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from furrow.ground.git_mirror import forget, policy_commit
from furrow.serving.follow import poll
from furrow.serving.policy_held import hold_policy
from furrow.serving.version_store import RefusedError
from tests.proof.signingpeople import People

from .followedrepo import git

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.attack


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def strict(served, people: People):
    """The branch asks for commits that Ada signs from here on, and the server has seen so."""
    repo, settings = served
    work = repo.work
    for path in ("conf/trust.yaml", "keys/allowed_signers"):
        (work / path).parent.mkdir(exist_ok=True)
    since = git(work, "rev-parse", "HEAD")
    (work / "conf/trust.yaml").write_text(f"since: {since}\ncommits: signed\n")
    (work / "keys/allowed_signers").write_text(people.line("ada"))
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "Signed from here on")
    repo.declare("model: binary@v1.0.0\n")
    assert poll(settings).problem == ""
    return repo, settings


def loosened(work: Path, signed_by: str = "", *, people: People) -> None:
    """A commit that asks for nothing any more."""
    (work / "conf/trust.yaml").write_text("roles: {}\n")
    git(work, "add", "-A")
    if signed_by:
        people.become(work, signed_by)
    git(work, "commit", "-q", *(["-S"] if signed_by else []), "-m", "Simpler")


@pytest.mark.parametrize("by", ["", "mallory"])
def test_a_tip_that_loosens_it(strict, people: People, by: str) -> None:
    """The version before goes on answering, and goes on; a signed commit on top says nothing, a signed change is believed."""
    repo, settings = strict
    loosened(repo.work, by, people=people)
    repo.declare("model: regression@v1.0.0\n")
    for _ in range(2):
        found = poll(settings)
        assert "whom they knew before" in found.problem
        assert found.main.version == "binary@v1.0.0"
    people.become(repo.work, "ada")
    git(repo.work, "commit", "-q", "--allow-empty", "-S", "-m", "Ada's own work, on top of that")
    repo.declare("model: regression@v1.0.0\n")
    assert "whom they knew before" in poll(settings).problem
    git(repo.work, "checkout", "-q", policy_commit(settings.mirror), "--", "conf/trust.yaml")
    git(repo.work, "commit", "-q", "-m", "Undone")
    loosened(repo.work, "ada", people=people)
    repo.declare("model: regression@v1.0.0\n")
    found = poll(settings)
    assert (found.problem, found.main.version) == ("", "regression@v1.0.0")
    assert policy_commit(settings.mirror) == found.commit


def test_the_newest_signed_change_counts(strict, people: People) -> None:
    """Ada loosened it and took that back while the server was away; nobody else brings the looser one back."""
    repo, settings = strict
    held = policy_commit(settings.mirror)
    loosened(repo.work, "ada", people=people)
    git(repo.work, "checkout", "-q", held, "--", "conf/trust.yaml")
    git(repo.work, "commit", "-q", "-S", "-m", "No")
    loosened(repo.work, people=people)
    repo.declare("model: regression@v1.0.0\n")
    assert "whom they knew before" in poll(settings).problem


def test_keys_that_a_tip_adds(strict, people: People) -> None:
    """A list of signers is a part of it: Mallory's key, in a commit that it signs itself."""
    repo, settings = strict
    (repo.work / "keys/allowed_signers").write_text(people.line("ada") + people.line("mallory"))
    git(repo.work, "add", "-A")
    people.become(repo.work, "mallory")
    git(repo.work, "commit", "-q", "-S", "-m", "Me too")
    repo.declare("model: regression@v1.0.0\n")
    assert "whom they knew before" in poll(settings).problem


def test_a_signed_commit_of_before(strict, people: People) -> None:
    """A policy that Ada signed once, on a branch that never had the one that is held, is not brought back."""
    repo, settings = strict
    tip = git(repo.work, "rev-parse", "HEAD")
    git(repo.work, "checkout", "-q", "-b", "draft", f"{tip}~2")
    (repo.work / "conf").mkdir(exist_ok=True)
    loosened(repo.work, "ada", people=people)
    git(repo.work, "checkout", "-q", "main")
    git(repo.work, "merge", "-q", "-s", "ours", "draft", "-m", "x")
    git(repo.work, "checkout", "-q", "draft", "--", "conf/trust.yaml")
    git(repo.work, "commit", "-q", "-m", "As it was meant")
    repo.declare("model: regression@v1.0.0\n")
    assert "whom they knew before" in poll(settings).problem


def test_what_needs_no_signature(strict, people: People) -> None:
    """Other files may be anybody's; and an operator who lets go of the history lets go of it."""
    repo, settings = strict
    repo.declare("model: regression@v1.0.0\n")
    assert poll(settings).main.version == "regression@v1.0.0"
    loosened(repo.work, people=people)
    tip = repo.declare("model: binary@v1.0.0\n")
    assert poll(settings).main.version == "regression@v1.0.0"
    with pytest.raises(RefusedError):
        hold_policy(settings.mirror, tip)
    forget(settings.mirror)
    assert poll(settings).main.version == "binary@v1.0.0"
