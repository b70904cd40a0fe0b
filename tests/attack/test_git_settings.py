"""What a repository's settings would have Git start: nothing of it runs when Furrow asks Git."""

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.ground.git import clean_environment, foreign, git, is_dirty, resolve, show
from furrow.ground.worktree import checkout

pytestmark = pytest.mark.attack

FURROW = Path(__file__).resolve().parents[2] / "furrow"
Git = Callable[..., str]

# Settings that are commands; each would leave a file of its own.
COMMANDS = (
    "core.fsmonitor",
    "core.pager",
    "core.editor",
    "core.sshCommand",
    "core.askPass",
    "core.alternateRefsCommand",
    "core.gitProxy",
    "credential.helper",
    "sequence.editor",
    "diff.external",
    "diff.trap.command",
    "diff.trap.textconv",
    "filter.trap.clean",
    "filter.trap.smudge",
    "filter.trap.process",
    "merge.trap.driver",
    "gpg.program",
    "pager.log",
    "pager.diff",
    "pager.status",
    "alias.log",
    "alias.status",
    "alias.rev-parse",
    "uploadpack.packObjectsHook",
    "interactive.diffFilter",
    "trailer.trap.command",
)
OF_THE_CLONE = {"filter.trap.clean", "filter.trap.smudge", "filter.trap.process"}


@pytest.fixture
def trapped(repo: Path, tmp_path: Path, git: Git) -> Path:
    """A repository with a file that every driver is named for, a change in it, and a trap in every setting and hook."""
    (repo / ".gitattributes").write_text("* diff=trap filter=trap merge=trap\n")
    (repo / "file.txt").write_text("one\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "two")
    for name in COMMANDS:
        command = f"touch '{tmp_path}/ran-{name}'; cat"
        git(repo, "config", name, f"!{command}" if name.startswith("alias.") else command)
    git(repo, "config", "log.showSignature", "true")
    git(repo, "config", "gc.auto", "1")
    hooks = repo / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-index-change",
                 "pre-push", "pre-auto-gc", "prepare-commit-msg", "fsmonitor-watchman"):  # fmt: skip
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran-hook-{name}'\n")
        (hooks / name).chmod(0o755)
    (repo / "file.txt").write_text("two\n")
    return repo


def ran(folder: Path) -> set[str]:
    return {path.name.removeprefix("ran-") for path in folder.glob("ran-*")}


def ask_everything(repo: Path) -> None:
    """Each command that Furrow gives to Git in a work tree."""
    head = resolve(repo)
    is_dirty(repo, untracked=True)
    show(repo, "HEAD", "file.txt")
    git(repo, "log", "-p", "-1", ok=(0, 128))
    git(repo, "diff", "HEAD", ok=(0, 128))
    git(repo, "diff", "--numstat", "HEAD~1", "HEAD")
    git(repo, "show", "HEAD")
    git(repo, "diff-files", "-p")
    git(repo, "update-index", "-q", "--really-refresh", ok=(0, 1))
    git(repo, "ls-files", "-z", "-co", "--exclude-standard")
    git(repo, "for-each-ref", f"--contains={head}")
    git(repo, "commit", "-q", "--allow-empty", "-m", "three", ok=(0, 1, 128))
    git(repo, "checkout", "-q", "--detach", head, ok=(0, 1, 128))
    git(repo, "reset", "-q", "--hard", head, ok=(0, 128))


def test_no_setting_of_a_clone_is_started(trapped, tmp_path):
    """Hooks, monitors, pagers, editors, aliases and drivers of a clone stay quiet; only its own filters, which say what
    its files are, may run, and only where the files are the user's."""
    ask_everything(trapped)
    assert ran(tmp_path) <= OF_THE_CLONE


def test_nothing_at_all_is_started_for_a_stranger(trapped, tmp_path, git):
    """In a checkout of a stranger's commit no filter runs either, whatever the user's own settings name for it."""
    user = Path(os.environ["HOME"]) / ".gitconfig"
    for name in COMMANDS:
        git(
            tmp_path,
            "config",
            "--file",
            str(user),
            name,
            f"touch '{tmp_path}/ran-user-{name}'; cat",
        )
    head = git(trapped, "rev-parse", "HEAD")
    with foreign(), checkout(trapped, head, parent=tmp_path) as made:
        assert (made.root / "file.txt").read_text() == "one\n"
        (made.root / "file.txt").write_text("two\n")
        ask_everything(made.root)
    assert ran(tmp_path) == set()


def test_a_replaced_object_is_not_read(repo, git):
    """`git replace` of a blob or a commit changes nothing of what Furrow reads."""
    (repo / "gate.yaml").write_text("most: 0.1\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "strict")
    (repo / "gate.yaml").write_text("most: 9\n")
    git(repo, "commit", "-qam", "lax")
    git(repo, "replace", "HEAD~1", "HEAD")
    git(
        repo,
        "replace",
        git(repo, "rev-parse", "HEAD~1:gate.yaml"),
        git(repo, "rev-parse", "HEAD:gate.yaml"),
    )
    assert show(repo, "HEAD~1", "gate.yaml") == b"most: 0.1\n"


def test_no_credential_and_no_transport_for_a_stranger(monkeypatch, repo, tmp_path):
    """Git's environment is a handful of names; ext::, ssh and http addresses are not followed."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("GIT_ASKPASS", "/bin/hunter2")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {tmp_path}/ran-ssh; hunter2")
    with foreign():
        assert "hunter2" not in str(clean_environment())
        for address in (
            f"ext::touch {tmp_path}/ran-ext",
            "ssh://localhost/x",
            "http://127.0.0.1:1/x",
            "host:x",
        ):
            git(repo, "fetch", "-q", address, ok=tuple(range(1, 256)))
    assert "hunter2" in str(clean_environment())
    git(repo, "fetch", "-q", f"ext::touch {tmp_path}/ran-ext", ok=(128,))
    assert ran(tmp_path) == set()


def starts(path: Path) -> list[str]:
    """Where a module starts processes, and where it names git as a command."""
    tree, found = ast.parse(path.read_text(encoding="utf-8")), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            found += ["process"] * bool(names & {"subprocess", "pty"})
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "os":
            found += ["process"] * node.attr.startswith(
                ("system", "popen", "posix_spawn", "exec", "spawn")
            )
        if (
            isinstance(node, ast.List | ast.Tuple)
            and node.elts
            and getattr(node.elts[0], "value", None) == "git"
        ):
            found.append("git")
    return found


def test_there_is_one_way_to_start_git():
    """Only furrow/ground/git_process.py names git as a command, in one function; only ground starts processes at all."""
    modules = {path.relative_to(FURROW).as_posix(): starts(path) for path in FURROW.rglob("*.py")}
    assert {name: found.count("git") for name, found in modules.items() if "git" in found} == {
        "ground/git_process.py": 1
    }
    assert [
        name for name, found in modules.items() if found and not name.startswith("ground/")
    ] == []
