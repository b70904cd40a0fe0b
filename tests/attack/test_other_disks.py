"""Names that this disk tells apart and another takes for one: none passes for Git's folder, or for a file of DVC's."""

import os
import subprocess
from pathlib import Path

import pytest

from furrow.ci.inspect import inspect_commit
from furrow.ci.other_disks import taken_for
from furrow.ci.run_ci import Options, run_ci
from furrow.ground.checkout_parts import IncompleteError
from furrow.ground.git import files_at, show
from furrow.ground.worktree import checkout

pytestmark = pytest.mark.attack
GIT_ONES = (
    ".git",
    ".GIT",
    ".Git",
    "git~1",
    "GIT~2",
    ".git.",
    ".git ",
    ".git. .",
    ".g\u200cit",
    "\u202e.git",
    "\ufeff.GIT",
    ".git::$INDEX_ALLOCATION",
)
DVC_ONES = (".Dvc", ".dvc.", ".d\u200dvc", "dvc~1", ".FURROW", ".furrow ", "dvc.YAML", "DVC.lock", "dvc.yaml.", "dvc.yaml:x", "data.DVC",
            "d\u200cata.dvc ", ".GITMODULES", ".GitAttributes", ".DvcIgnore")  # fmt: skip
OWN_ONES = (".dvc", "dvc.yaml", "dvc.lock", "data.dvc", ".gitignore", ".gitmodules", "README", "readme", "caf\u00e9", "cafe\u0301", "...", "a.", "a b",
            "digit~1", "..a", "git", "dvc", "x.git", "\u5b57")  # fmt: skip


def _tree(repo: Path, entries: dict[str, bytes | dict]) -> str:
    """A tree with any names: what `git add` would not take is pushed all the same."""

    def asked(*words: str, stdin: bytes) -> str:
        done = subprocess.run(
            ["git", *words], cwd=repo, input=stdin, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    lines = b""
    for name, held in sorted(entries.items()):
        kind, oid = (
            ("040000 tree", _tree(repo, held)) if isinstance(held, dict)
            else ("100644 blob", asked("hash-object", "-w", "--stdin", stdin=held))
        )  # fmt: skip
        lines += f"{kind} {oid}\t".encode() + os.fsencode(name) + b"\0"
    return asked("mktree", "-z", stdin=lines)


@pytest.fixture
def pushed(repo: Path, git, tmp_path: Path):
    """Makes a commit from outside that holds such entries beside a DVC project."""
    text = f"[core]\n    fsmonitor = touch {tmp_path}/marker\n    hooksPath = {tmp_path}\n".encode()
    project = {
        ".dvc": {"config": b"[core]\n"},
        "dvc.yaml": b"stages:\n  make:\n    cmd: echo x > made\n    outs: [made]\n",
    }

    def commit(entries: dict[str, bytes | dict]) -> str:
        tree = _tree(repo, {**project, **entries})
        return git(repo, "commit-tree", tree, "-p", "trunk", "-m", "x").strip()

    git(
        repo,
        "branch",
        "trunk",
        git(repo, "commit-tree", _tree(repo, project), "-m", "base").strip(),
    )
    return commit, {
        "config": text,
        "HEAD": b"ref: refs/heads/main\n",
        "objects": {"x": b""},
        "refs": {"x": b""},
    }


@pytest.mark.parametrize("name", [*GIT_ONES, ".."])
@pytest.mark.parametrize("deep", [False, True])
def test_a_folder_of_git_s(repo, pushed, git, tmp_path, name, deep) -> None:
    """Refused by name for everybody's commits; a checkout of it, as `furrow replay` makes one, runs nothing of it."""
    commit, files = pushed
    made = commit({"sub": {name: files}} if deep else {name: files})
    for base, outside in ((git(repo, "rev-parse", "trunk").strip(), True), ("", False)):
        assert any(
            repr(name) in line and "not a file name" in line
            for line in inspect_commit(repo, made, base, outside=outside)
        )
    try:
        with checkout(repo, made, parent=tmp_path) as tree:
            assert git(tree.root, "status", "--porcelain") == ""
    except IncompleteError:
        pass
    assert files_at(repo, made)
    assert not (tmp_path / "marker").exists()
    assert not (repo / "config").exists()


def test_such_a_commit_in_ci(repo, pushed, git, tmp_path) -> None:
    """The verdict is a verdict: it was an error of CI's, in whose place no status was written."""
    commit, files = pushed
    git(repo, "update-ref", "refs/heads/from-outside", commit({".GIT": files}))
    for untrusted in (True, False):
        outcome = run_ci(repo, "from-outside", Options(base="trunk", untrusted=untrusted))
        assert [(one.name, one.status) for one in outcome.checks] == [("inspect", "failed")]
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", DVC_ONES)
def test_a_file_of_dvc_s(repo, pushed, git, name) -> None:
    """What CI did not look at as DVC's file must be none on the next machine either; a commit of one's own may hold it."""
    commit, files = pushed
    made = commit(
        {name: files if name.casefold().startswith((".d", "dvc~", ".f")) else b"outs: [../x]\n"}
    )
    lines = inspect_commit(repo, made, git(repo, "rev-parse", "trunk").strip())
    assert any(repr(name) in line and "other disks" in line for line in lines), lines
    assert inspect_commit(repo, made, "", outside=False) == [] or name.startswith(
        ("data", "d\u200c")
    )


def test_names_that_mean_nothing(repo, pushed, git, tmp_path) -> None:
    """Two files stay two, and each is read by its own name."""
    commit, _ = pushed
    assert [name for name in OWN_ONES if taken_for(name)] == []
    twins = {"README": b"1", "readme": b"2", "caf\u00e9": b"3", "cafe\u0301": b"4"}
    made = commit(twins)
    assert inspect_commit(repo, made, git(repo, "rev-parse", "trunk").strip()) == []
    assert {name: show(repo, made, name) for name in twins} == twins
    with checkout(repo, made, parent=tmp_path) as tree:
        assert {name: (tree.root / name).read_bytes() for name in twins} == twins
