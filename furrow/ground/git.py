"""Git, run as a process: the facts about a repository, a file at a revision, and errors that say what to do.

Every command runs with a list of arguments, a cleaned environment (a hook's GIT_DIR must not lead
us elsewhere) and, where names are read, NUL-separated output. Reading never takes Git's optional
locks. No command starts a hook, a file system monitor, a pager, an editor or a driver for
differences, and none reads replaced objects: a repository's files may come from a stranger. Inside
of `foreign`, nothing that this machine's user has set counts either.
"""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.project_place import project_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "GitError",
    "NoGitError",
    "NotARepositoryError",
    "UnbornBranchError",
    "UnknownRevisionError",
    "bare_above",
    "clean_environment",
    "common_dir",
    "current_branch",
    "experiment_commit",
    "files_at",
    "foreign",
    "git",
    "git_dir",
    "ids_at",
    "in_foreign",
    "is_bare",
    "is_dirty",
    "is_shallow",
    "resolve",
    "show",
    "spawn",
    "toplevel",
]

# What settings, the repository's own ones among them, could make Git start or read in place of what
# is asked for.
_OFF = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.editor": "false",
    "sequence.editor": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "push.recurseSubmodules": "no",
    "protocol.ext.allow": "never",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "log.showSignature": "false",  # what gpg says would stand among what was asked for
}
# Of what a stranger wrote: no filter, no credential, no other address and no other transport than a
# folder.
_FOREIGN = {
    # whether the user may trust the repository was found out before, by their own settings
    "safe.directory": "*",
    "credential.helper": "",
    "core.askPass": "false",
    "core.sshCommand": "false",
    "protocol.allow": "never",
    "protocol.file.allow": "always",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "core.autocrlf": "false",
    "core.attributesFile": os.devnull,
    "diff.ignoreSubmodules": "all",
}
_BARE_WORDS = ("PATH", "LANG", "TZ", "TMPDIR")
_SHOWN = frozenset({"diff", "diff-files", "diff-index", "diff-tree", "log", "show", "whatchanged"})
_ASKED = frozenset({"config", "rev-parse"})
_PLAIN = ("--no-ext-diff", "--no-textconv")
# What a person sets to reach a remote, to name themselves or to isolate Git's settings; every other
# GIT_* name would point a command at another repository, index or object store than the one asked
# for.
_KEPT = (
    "GIT_ALLOW_PROTOCOL",
    "GIT_ASKPASS",
    "GIT_AUTHOR_",
    "GIT_COMMITTER_",
    "GIT_CONFIG_",
    "GIT_EXEC_PATH",
    "GIT_HTTP_",
    "GIT_SSH",
    "GIT_SSL_",
    "GIT_TERMINAL_PROMPT",
)


_NOT_IN_A_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\/]|\.\.|@\{|\.lock$|\.$|^\.")
"""What the name of an experiment can't hold (git-check-ref-format); what is left has no meaning to a pattern."""


class GitError(FurrowError):
    """A git command failed.

    Args:
        message: What failed.
        returncode: Git's own exit code.
        stderr: What Git said.
        hint: The next step.
    """

    def __init__(
        self, message: str, *, returncode: int = 128, stderr: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.returncode = returncode
        self.stderr = stderr


class NoGitError(GitError):
    """There is no git on this machine."""

    def __init__(self) -> None:
        super().__init__("the command git was not found", hint="install Git and put it on the PATH")


class NotARepositoryError(GitError):
    """The path lies in no Git repository."""

    def __init__(self, path: Path, *, stderr: str = "", planted: bool = False) -> None:
        hint = "run it inside a clone, or make one here with `git init`"
        if planted:
            hint = "a bare repository lies there among the files of another: its settings are not believed: move it out"
        if "safe.directory" in stderr:
            hint = f"another user owns it: `git config --global --add safe.directory {path}`"
        super().__init__(f"{path} is not inside a Git repository", stderr=stderr, hint=hint)
        self.path = path


class UnbornBranchError(GitError):
    """The branch has no commit yet."""

    def __init__(self, branch: str) -> None:
        super().__init__(f"the branch {branch} has no commit yet", hint="commit something first")
        self.branch = branch


class UnknownRevisionError(GitError):
    """No commit goes by this name."""

    def __init__(
        self, rev: str, *, suggestions: tuple[str, ...] = (), shallow: bool = False, kind: str = ""
    ) -> None:
        message = f"{rev!r} names a {kind}, not a commit" if kind else f"unknown revision {rev!r}"
        hint = "`git log --oneline --all` lists what there is"
        if suggestions:
            hint = "did you mean " + " or ".join(suggestions) + "?"
        elif shallow:
            hint = "this clone is shallow and may lack it: `git fetch --unshallow`"
        super().__init__(message, hint=hint)
        self.rev = rev
        self.suggestions = suggestions


_foreign: ContextVar[bool] = ContextVar("foreign", default=False)


@contextmanager
def foreign() -> Iterator[None]:
    """For as long as the block runs, Git has no settings and no credentials of this machine or its user.

    For folders with a stranger's files: what their .gitattributes names is found in no setting, so
    that no filter runs.
    """
    token = _foreign.set(True)
    try:
        yield
    finally:
        _foreign.reset(token)


def in_foreign() -> bool:
    """Whether a block of `foreign` runs."""
    return _foreign.get()


def clean_environment() -> dict[str, str]:
    """The environment for a git process: this process's, without the GIT_* names that redirect it."""
    if _foreign.get():
        kept = {name: os.environ[name] for name in _BARE_WORDS if name in os.environ}
        kept.update(
            HOME=os.devnull,
            XDG_CONFIG_HOME=os.devnull,
            GIT_CONFIG_GLOBAL=os.devnull,
            GIT_CONFIG_NOSYSTEM="1",
            GIT_ATTR_NOSYSTEM="1",
            GIT_TERMINAL_PROMPT="0",
        )
    else:
        names = (
            name for name in os.environ if not name.startswith("GIT_") or name.startswith(_KEPT)
        )
        kept = {name: os.environ[name] for name in names}
        # A partial setting of numbered configuration makes git fail; drop the whole when its count
        # is missing.
        if "GIT_CONFIG_COUNT" not in kept:
            kept = {
                n: v
                for n, v in kept.items()
                if not n.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))
            }
    kept.update(LC_ALL="C", GIT_OPTIONAL_LOCKS="0")
    return kept


def bare_above(path: Path) -> Path | None:
    """The bare repository that a folder is or lies in, as Git finds one; None where a work tree comes first, or none.

    Args:
        path: The folder.
    """
    whole = path.resolve()
    for folder in (whole, *whole.parents):
        if (folder / ".git").exists():
            return None
        if (
            (folder / "HEAD").is_file()
            and (folder / "objects").is_dir()
            and (folder / "refs").is_dir()
        ):
            return folder
    return None


def _planted(path: Path) -> bool:
    """Whether Git would find a repository among the files of another: a commit can hold one, settings and all."""
    found = bare_above(path)
    return (
        found is not None
        and ".git" not in found.parts
        and any((up / ".git").exists() for up in found.parents)
    )


def _command(repo: Path, arguments: tuple[str, ...]) -> list[str]:
    """The whole command: the one place that says how Git is started.

    Raises:
        NotARepositoryError: Git would find a repository that lies among the files of another.
    """
    at = _verb(arguments)
    off = {} if arguments[at] in _ASKED else _OFF  # they start nothing, and tell what is set
    off = {**off, **_FOREIGN} if _foreign.get() else off
    if _planted(repo):
        raise NotARepositoryError(repo, planted=True)
    settings = [word for name, value in off.items() for word in ("-c", f"{name}={value}")]
    plain = _PLAIN if arguments[at] in _SHOWN else ()
    words = [*arguments[: at + 1], *plain, *arguments[at + 1 :]]
    return ["git", "--no-pager", "--no-replace-objects", *settings, "-C", str(repo), *words]


def _verb(arguments: tuple[str, ...]) -> int:
    """Where the command's name stands, behind settings and their values."""
    at = 0
    while arguments[at] == "-c":
        at += 2
    return at


def spawn(
    repo: Path, *arguments: str, stdin: IO[bytes] | int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start git for a long answer: only its output is a pipe, with a large buffer; what it complains of is lost."""
    try:
        return subprocess.Popen(
            _command(repo, arguments),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
            bufsize=1 << 20,
        )
    except FileNotFoundError as exc:
        raise NoGitError from exc


def git(
    repo: Path, *arguments: str, stdin: bytes | None = None, ok: tuple[int, ...] = (0,)
) -> bytes:
    """Run git in a repository and return what it printed, as bytes.

    Args:
        repo: A folder inside the work tree, or a bare repository.
        arguments: The command and its arguments. A revision that a person typed goes through
            `resolve` first.
        stdin: What to feed it.
        ok: Exit codes that are no failure.

    Raises:
        NotARepositoryError: The folder is in no repository, or is not there.
        GitError: Git failed; it carries the exit code and what Git said.
    """
    try:
        done = subprocess.run(
            _command(repo, arguments),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
            env=clean_environment(),
        )
    except FileNotFoundError as exc:
        raise NoGitError from exc
    if done.returncode in ok:
        return done.stdout
    stderr = done.stderr.decode(errors="replace").strip()
    if (
        "not a git repository" in stderr
        or "dubious ownership" in stderr
        or "cannot change to" in stderr
    ):
        raise NotARepositoryError(repo, stderr=stderr)
    lost = re.search(
        r"[Cc]ould not read|bad object|unable to read|missing (blob|tree|commit)", stderr
    )
    raise GitError(
        f"git {arguments[_verb(arguments)]} failed in {repo}: {stderr or f'exit code {done.returncode}'}",
        returncode=done.returncode,
        stderr=stderr,
        hint="objects are missing: `git fsck` lists them, `git fetch --refetch` or a new clone brings them"
        if lost
        else "",
    )


def _text(repo: Path, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
    return os.fsdecode(git(repo, *arguments, ok=ok)).rstrip("\n")


def toplevel(path: Path) -> Path:
    """The root of the work tree that a path lies in; of a bare repository, the repository itself.

    Raises:
        NotARepositoryError: The path lies in none.
    """
    if is_bare(path):
        return git_dir(path)
    return Path(_text(path, "rev-parse", "--show-toplevel"))


def git_dir(path: Path) -> Path:
    """The Git directory of this work tree (of a linked worktree, its own one)."""
    return Path(_text(path, "rev-parse", "--absolute-git-dir"))


def common_dir(path: Path) -> Path:
    """The Git directory that all linked worktrees share."""
    return Path(_text(path, "rev-parse", "--path-format=absolute", "--git-common-dir"))


def is_bare(path: Path) -> bool:
    """Whether there is no work tree."""
    return _text(path, "rev-parse", "--is-bare-repository") == "true"


def is_shallow(path: Path) -> bool:
    """Whether some history was left out when cloning."""
    return _text(path, "rev-parse", "--is-shallow-repository") == "true"


def is_dirty(path: Path, *, untracked: bool = False) -> bool:
    """Whether the work tree or the index differs from HEAD.

    Args:
        path: A folder inside the work tree.
        untracked: Whether a file that Git neither tracks nor ignores counts too.
    """
    mode = "normal" if untracked else "no"
    return bool(git(path, "status", "--porcelain", "-z", f"--untracked-files={mode}"))


def current_branch(path: Path) -> str | None:
    """The branch that HEAD is on, born or not; None when HEAD is detached."""
    return _text(path, "symbolic-ref", "--quiet", "--short", "HEAD", ok=(0, 1)) or None


def experiment_commit(repo: Path, name: str) -> str | None:
    """The commit of a DVC experiment by its name: refs/exps/BASELINE/NAME; None when there is none."""
    if not name or _NOT_IN_A_REF.search(name):
        return None
    found = _text(
        repo,
        "for-each-ref",
        "--format=%(objectname)",
        "--sort=-committerdate",
        f"refs/exps/*/*/{name}",
    )
    return found.split("\n", maxsplit=1)[0] or None


def resolve(repo: Path, rev: str = "HEAD") -> str:
    """The full id of the commit that a revision names.

    Args:
        repo: A folder inside the repository.
        rev: Anything that `git rev-parse` knows: a branch, a tag, HEAD~3, an abbreviated id; or the
            name of a DVC experiment.

    Raises:
        UnbornBranchError: HEAD is on a branch without a commit.
        UnknownRevisionError: No commit goes by this name; close names are suggested.
        NotARepositoryError: There is no repository.
    """
    found = ""
    askable = rev and not rev.startswith(("-", "^")) and "\0" not in rev
    if askable:
        found = _text(repo, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}", ok=(0, 1, 128))
    if found:
        return found
    if experiment := experiment_commit(repo, rev):
        return experiment
    shallow = is_shallow(repo)
    if rev in {"HEAD", "@"}:
        raise UnbornBranchError(current_branch(repo) or "HEAD")
    kind = _text(repo, "cat-file", "-t", f"{rev}^{{}}", ok=(0, 128)) if askable else ""
    names = [] if kind else _text(repo, "for-each-ref", "--format=%(refname:short)").split("\n")
    bare_name = re.split(r"[~^:@]", rev, maxsplit=1)[0]
    from difflib import get_close_matches  # noqa: PLC0415 - slow to load, and for an error alone

    close = tuple(get_close_matches(bare_name, [name for name in names if name], n=2))
    raise UnknownRevisionError(rev, suggestions=close, shallow=shallow and not kind, kind=kind)


def show(repo: Path, rev: str, path: str) -> bytes | None:
    """The content of a file at a revision; None when the revision has no such file.

    Args:
        repo: A folder inside the repository.
        rev: A revision.
        path: The file's path from the project's root, with slashes.

    Raises:
        UnknownRevisionError: No commit goes by this name.
        GitError: The object is missing (a partial clone) or damaged.
    """
    commit = resolve(repo, rev)
    whole = posixpath.normpath(f"{project_prefix(repo)}{path}")
    blob = _text(repo, "rev-parse", "--verify", "--quiet", f"{commit}:{whole}", ok=(0, 1, 128))
    if not blob or _text(repo, "cat-file", "-t", blob) != "blob":
        return None
    return git(repo, "cat-file", "blob", blob)


def files_at(repo: Path, rev: str, folder: str = "") -> list[str]:
    """Paths of a folder's files at a revision, from the project's root, sorted; empty when it isn't there."""
    return sorted(ids_at(repo, rev, folder))


def ids_at(repo: Path, rev: str, folder: str = "") -> dict[str, str]:
    """Ids of a folder's files at a revision by path from the project's root; empty when it isn't there."""
    commit, prefix = resolve(repo, rev), project_prefix(repo)
    inside = f"{prefix}{folder.strip('/')}".strip("/")
    listed = git(
        repo, "ls-tree", "-r", "-z", "--full-tree", commit, *([f"{inside}/"] if inside else [])
    ).split(b"\0")
    pairs = (line.split(b"\t", 1) for line in listed if line)
    return {
        os.fsdecode(path)[len(prefix) :]: about.rsplit(b" ", 1)[1].decode() for about, path in pairs
    }
