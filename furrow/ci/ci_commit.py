"""CI's own commit: the results of the stages that the author had not run, offered on the branch, never by force."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import GitError, git, resolve
from furrow.ground.project_place import project_prefix
from furrow.layout import DVC_LOCK, MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["IDENTITY", "TRAILER", "MovedError", "commit_results", "made_by_ci", "offer"]

TRAILER = "Furrow-CI"
_OF = f"{TRAILER}-Project"
_PATHS = (DVC_LOCK, "runs", MANIFEST)
IDENTITY = (
    "-c",
    "user.name=Furrow CI",
    "-c",
    "user.email=furrow-ci@localhost",
    "-c",
    "commit.gpgSign=false",
)


class MovedError(FurrowError):
    """The branch has another newest commit by now."""


def made_by_ci(repo: Path, commit: str) -> bool:
    """Whether a commit says that CI made it of this project.

    Its results are verified, and never offered again.
    """
    message = git(repo, "log", "-1", "--format=%B", commit).decode(errors="replace")
    ours = f"{_OF}: {project_prefix(repo)}" if project_prefix(repo) else ""
    said = next((line for line in message.splitlines() if line.startswith(f"{_OF}: ")), "")
    return (
        said == ours
        and re.search(rf"^{TRAILER}: [0-9a-f]{{7,64}}$", message, re.MULTILINE) is not None
    )


def commit_results(root: Path, commit: str) -> str:
    """Commit what the stages wrote of what Git tracks (dvc.lock, runs/), on top of the checkout's HEAD.

    Args:
        root: The checkout.
        commit: The commit whose stages were run.

    Returns:
        The new commit's id; empty when nothing changed.
    """
    present = [path for path in _PATHS if (root / path).exists() or _tracked(root, path)]
    git(root, "add", "--all", "--", *present)
    if not git(root, "diff", "--cached", "--name-only"):
        return ""
    project = project_prefix(root)
    where = f" in {project}" if project else ""
    message = f"Run the stages of {commit[:10]}{where}\n\n{TRAILER}: {commit}\n"
    message += f"{_OF}: {project}\n" if project else ""
    git(root, *IDENTITY, "commit", "-q", "--file=-", stdin=message.encode())
    return resolve(root, "HEAD")


def _tracked(root: Path, path: str) -> bool:
    return bool(git(root, "ls-files", "--", path))


def offer(root: Path, made: str, commit: str, *, remote: str, branch: str) -> None:
    """Push CI's commit to the branch, if the branch's newest commit is still the one that it stands on.

    Args:
        root: The checkout.
        made: CI's commit.
        commit: The commit that it stands on.
        remote: The address to push to.
        branch: The branch.

    Raises:
        MovedError: The branch has moved on: its newest commit gets a run of its own.
        GitError: The remote refuses.
    """
    ref = f"refs/heads/{branch}"
    try:
        # The lease makes the comparison atomic; the commit stands on the leased one, so that
        # nothing is overwritten.
        git(root, "push", "--quiet", f"--force-with-lease={ref}:{commit}", remote, f"{made}:{ref}")
    except GitError as exc:
        if "stale info" in exc.stderr or "rejected" in exc.stderr:
            raise MovedError(
                f"{branch} has moved on since {commit[:10]}",
                hint="its newest commit gets a run of its own",
            ) from exc
        hint = (
            f"may CI push to {branch}? The results are in the report; `dvc repro` makes them again"
        )
        raise GitError(
            f"the results were not pushed: {exc.stderr or exc.message}",
            stderr=exc.stderr,
            hint=hint,
        ) from exc
