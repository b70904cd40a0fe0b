"""Git, while it talks with a server that nobody here answers for: what that says comes to an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ground.bounded_process import ENDED, run_bounded
from furrow.ground.git_process import (
    GitError,
    NoGitError,
    _command,  # the one that says how Git is started; what training hangs on stays as it is
    clean_environment,
)

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.ground.bounded_process import ProcessBounds

__all__ = ["ask_remote"]

# A server that gives next to nothing is left sooner, where Git itself sees it, and nobody is asked.
_PATIENCE = (
    "-c",
    "http.lowSpeedLimit=100",
    "-c",
    "http.lowSpeedTime=30",
    "-c",
    "credential.interactive=false",
)


def ask_remote(
    repo: Path, *arguments: str, bounds: ProcessBounds, ok: tuple[int, ...] = (0,)
) -> bytes:
    """Run a command of Git's that talks with a remote, and return what it printed, as bytes.

    Args:
        repo: A folder inside the repository.
        arguments: The command and its arguments.
        bounds: How far it may go.
        ok: Exit codes that are no failure.

    Raises:
        GitError: The remote can't be reached, refuses, or answers without an end.
    """
    try:
        command = _command(repo, (*_PATIENCE, *arguments))
        done = run_bounded(command, clean_environment(), bounds)
    except FileNotFoundError as exc:
        raise NoGitError from exc
    if done.returncode in ok:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
    raise GitError(
        f"git {arguments[0]} failed in {repo}: {said}",
        returncode=done.returncode,
        stderr=said,
        hint="ask again; if it stays so, look at that server" if done.returncode == ENDED else "",
    )
