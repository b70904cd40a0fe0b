"""What of Git's own a push, a clone or a remote carries: submodules, tags of another name, shallow ends, odd notes."""

import subprocess
from pathlib import Path

import pytest

from furrow.ground.checkout_parts import IncompleteError
from furrow.ground.git import GitError, resolve
from furrow.ground.git_mirror import fetch_branch, open_mirror
from furrow.ground.notes import noted, noted_blobs, read_lines
from furrow.ground.worktree import checkout
from furrow.models.registry import RegistryError, find, versions

pytestmark = pytest.mark.attack
FACTS = 'Register\n\n{"model_sha256": "' + "0" * 64 + '"}'


def _submodules(repo: Path, git, text: str) -> str:
    """A commit whose `sub` is a repository of its own, as .gitmodules says."""
    head = git(repo, "rev-parse", "HEAD").strip()
    (repo / ".gitmodules").write_text(text)
    git(repo, "add", ".gitmodules")
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    git(repo, "commit", "-qm", "a submodule")
    return git(repo, "rev-parse", "HEAD").strip()


@pytest.mark.parametrize(
    "text",
    [
        '[submodule "a"]\n path = sub\n url = ext::touch MARKER\n',
        '[submodule "a"]\n path = sub\n url = --upload-pack=touch MARKER\n',
        '[submodule "a"]\n path = sub\n url = ssh://-oProxyCommand=touch${IFS}MARKER/x\n',
        '[submodule "a"]\n path = sub\n url = file://REPO\n update = !touch MARKER\n',
        '[submodule "../../x"]\n path = sub\n url = REPO\n',
        '[submodule "-c"]\n path = sub\n url = REPO\n',
        '[submodule "protocol.file.allow=always"]\n path = sub\n url = REPO\n',
    ],
)  # fmt: skip
def test_submodules(
    repo: Path, git, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout as `furrow replay` makes one fetches none from an address that is a command, and no file of the host."""
    monkeypatch.setenv("GIT_SSH", "/bin/false")
    marker = tmp_path / "marker"
    commit = _submodules(repo, git, text.replace("MARKER", str(marker)).replace("REPO", str(repo)))
    try:
        with checkout(repo, commit, parent=tmp_path) as tree:
            assert tree.doubts
            assert not list((tree.root / "sub").glob("*"))
    except IncompleteError:
        pass
    assert not marker.exists()
    assert not (repo / ".git/modules").exists()


def test_a_submodule_whose_name_is_a_setting(
    repo: Path, git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings are made of its name: with a "=" in it they were those of another submodule, a command among them."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")  # in place of a server elsewhere
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    marker = tmp_path / "marker"
    one, other = (
        f'[submodule "{name}"]\n path = sub\n url = {repo}\n'
        for name in ("a", f"a.update=!touch {marker}; #")
    )
    commit = _submodules(repo, git, one + other + one)
    try:
        with checkout(repo, commit, parent=tmp_path) as tree:
            assert tree.doubts or (tree.root / "sub/.git").exists()
    except IncompleteError:
        pass
    assert not marker.exists()


def test_a_tag_of_another_name(repo: Path, git) -> None:
    """A tag object that was made, and signed, for one version is none under the name of another; a tag of a tag is itself."""
    git(repo, "tag", "-am", FACTS, "gbm@v1.0.0")
    first = git(repo, "rev-parse", "refs/tags/gbm@v1.0.0").strip()
    for name in ("gbm@v2.0.0", "other@v1.0.0", "sub=gbm@v1.0.0"):
        git(repo, "update-ref", f"refs/tags/{name}", first)
        with pytest.raises(RegistryError):
            find(repo, name)
    git(repo, "tag", "-am", FACTS, "gbm@v3.0.0", first)
    git(repo, "tag", "gbm@v4.0.0", "HEAD")
    assert [str(one) for one in versions(repo)] == ["gbm@v4.0.0", "gbm@v3.0.0", "gbm@v1.0.0"]
    assert find(repo, "gbm@v4.0.0").claims == {}


def test_a_remote_with_a_shallow_end(repo: Path, git, tmp_path: Path) -> None:
    """It can't cut off history of a mirror: what was accepted would be no ancestor, or a commit merged that never was."""
    mirror = open_mirror(tmp_path / "mirror")
    first = fetch_branch(mirror, str(repo), "main").commit
    git(repo, "commit", "-q", "--allow-empty", "-m", "two")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", "cut")
    for origin in (mirror, open_mirror(tmp_path / "another")):
        try:
            found = fetch_branch(origin, str(tmp_path / "cut"), "main")
            assert found.commit == first
        except GitError:
            pass
        assert not (origin / ".git/shallow").exists()


def test_notes_of_any_shape(repo: Path, git) -> None:
    """Fan-out of any depth, names that are no ids, trees in their place, and references that are called oddly."""
    head = resolve(repo)
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=repo, input=b'{"a": 1}\n\x1b[31m\n', capture_output=True, check=True
    ).stdout.decode().strip()  # fmt: skip

    def tree(*lines: str) -> str:
        made = subprocess.run(
            ["git", "mktree"],
            cwd=repo,
            input="\n".join(lines).encode(),
            capture_output=True,
            check=True,
        )
        return made.stdout.decode().strip()

    deep = blob
    kind = "100644 blob"
    for at in range(38, -1, -2):
        deep, kind = tree(f"{kind} {deep}\t{head[at : at + 2]}"), "040000 tree"
    inner = tree(f"100644 blob {blob}\tjunk", f"120000 blob {blob}\t{head[2:]}")
    for name, top in {
        "deep": deep, "odd": tree(f"040000 tree {inner}\t{head[:2]}", f"100644 blob {blob}\t..", f"100644 blob {blob}\t-x"),
        "tree": tree(f"040000 tree {inner}\t{head}"),
    }.items():  # fmt: skip
        commit = git(repo, "commit-tree", "-m", "x", top).strip()
        git(repo, "update-ref", "refs/notes/furrow/replay", commit)
        for place in (
            "refs/notes/furrow/-x",
            "refs/notes/remotes/-x/furrow/replay",
            "refs/notes/remotes/a b/furrow/replay",
        ):
            path = repo / ".git" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{commit}\n")
        lines = read_lines(repo, "replay", head)
        assert set(lines) <= {'{"a": 1}', "\x1b[31m"}, name
        assert noted(repo, "replay") <= {head}, name
        assert set(noted_blobs(repo, "replay")) <= {head}, name


@pytest.mark.parametrize("name", ["HEAD", "-x", "@", "a@{1}", "x..y", "refs/heads/main"])
def test_branches_of_a_remote_that_are_called_so(
    repo: Path, git, tmp_path: Path, name: str
) -> None:
    """Following one is following it, or an error; none is taken for an option or for another branch."""
    git(repo, "commit", "-q", "--allow-empty", "-m", "of that branch")
    tip = git(repo, "rev-parse", "HEAD").strip()
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    path = repo / ".git/refs/heads" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{tip}\n")
    try:
        assert fetch_branch(open_mirror(tmp_path / "mirror"), str(repo), name).commit == tip
    except GitError:
        assert name not in {"HEAD", "refs/heads/main"}
    assert [one.name for one in (tmp_path / "mirror").iterdir()] == [".git"]
