"""Git, started as a process.

The one place that says how, so that nothing of a repository starts anything else.

Every command runs with a list of arguments, a cleaned environment (a hook's GIT_DIR must not lead
us elsewhere) and never takes Git's optional locks. No command starts a hook, a file system monitor,
a pager, an editor or a driver for differences, and none reads replaced objects: a repository's
files may come from a stranger. Inside of `foreign`, nothing that this machine's user has set counts
either.
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, TYPE_CHECKING

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "GitError",
    "NoGitError",
    "NotARepositoryError",
    "bare_above",
    "clean_environment",
    "foreign",
    "git",
    "in_foreign",
    "spawn",
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
            hint = (
                "a bare repository lies there among the files of another: its settings are not"
                " believed: move it out"
            )
        if "safe.directory" in stderr:
            hint = f"another user owns it: `git config --global --add safe.directory {path}`"
        super().__init__(f"{path} is not inside a Git repository", stderr=stderr, hint=hint)
        self.path = path


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
    """The environment for a git process.

    This process's, without the GIT_* names that redirect it.
    """
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
    """The bare repository that a folder is or lies in, as Git finds one.

    None where a work tree comes first, or none.

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
    """Whether Git would find a repository among the files of another.

    A commit can hold one, settings and all.
    """
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
    """Start git for a long answer: only its output is a pipe, with a large buffer.

    What it complains of is lost.
    """
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
        f"git {arguments[_verb(arguments)]} failed in {repo}:"
        f" {stderr or f'exit code {done.returncode}'}",
        returncode=done.returncode,
        stderr=stderr,
        hint=(
            "objects are missing: `git fsck` lists them, `git fetch --refetch` or a new clone"
            " brings them"
            if lost
            else ""
        ),
    )
