"""What a commit is measured against, and whose settings count.

The target branch, and never the commit from outside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.ci.ci_settings import CiSettings, parse_settings
from furrow.errors import FurrowError
from furrow.ground.git import UnknownRevisionError, git, is_bare, resolve, show
from furrow.layout import CI_YAML

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Target", "TargetError", "find_target", "named_commit"]

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class TargetError(FurrowError):
    """What a commit from outside is to be measured against is not known."""


@dataclass(frozen=True)
class Target:
    """What a commit is measured against.

    Attributes:
        branch: Its name, for people.
        tip: Its newest commit; empty when there is nothing to compare with.
        base: Where the commit left it.
        settings: conf/ci.yaml: the commit's own, or the target's for a commit from outside.
    """

    branch: str
    tip: str
    base: str
    settings: CiSettings


def find_target(repo: Path, commit: str, *, asked: str = "", untrusted: bool = False) -> Target:
    """The commit to measure against, and the settings that count.

    Args:
        repo: The repository.
        commit: The full id.
        asked: What the caller named; empty for the target branch.
        untrusted: Whether nothing of the commit, nor of what it stands on, may choose.

    Raises:
        TargetError: The commit is from outside, and nothing trusted names a branch.
        UnknownRevisionError: No commit goes by the name asked for.
        CiSettingsError: conf/ci.yaml is malformed.
    """
    if untrusted:
        branch, tip, settings = _trusted(repo, commit, asked)
    else:
        settings = parse_settings(show(repo, commit, CI_YAML))
        branch, tip = (
            settings.branch,
            named_commit(repo, asked) if asked else _newest(repo, settings.branch),
        )
    if asked:
        branch = branch if re.fullmatch(r"[0-9a-f]{40,64}", asked) else asked
    elif not tip or _contains(repo, tip, commit):  # it is merged, or the first: what it stood on
        tip = _parent(repo, commit)
    return Target(branch, tip, _left(repo, tip, commit), settings)


def _trusted(repo: Path, commit: str, asked: str) -> tuple[str, str, CiSettings]:
    """The target branch as the remote names it, or its own conf/ci.yaml."""
    if asked:
        tip = named_commit(repo, asked)
        if tip == commit:
            raise TargetError(
                f"{asked} is the commit from outside itself",
                hint="--base names the branch to merge into",
            )
        settings = parse_settings(show(repo, tip, CI_YAML))
        return settings.branch, tip, settings
    head = _head(repo)
    if not head:
        hint = (
            "name it: --base BRANCH; or ask the remote for its main branch: `git remote set-head"
            " origin --auto`"
        )
        raise TargetError(
            "which branch a commit from outside is to be measured against is not known", hint=hint
        )
    place, _, name = head.partition(" ")
    tip = resolve(repo, f"{place}/{name}")
    settings = parse_settings(show(repo, tip, CI_YAML), branch=name)
    if settings.branch != name:
        try:
            tip = resolve(repo, f"{place}/{settings.branch}")
        except UnknownRevisionError as exc:
            hint = "`git fetch` it, or name another: --base BRANCH"
            raise TargetError(
                f"conf/ci.yaml on {name} names {settings.branch}, which is not here", hint=hint
            ) from exc
        settings = parse_settings(show(repo, tip, CI_YAML), branch=settings.branch)
    return settings.branch, tip, settings


def _head(repo: Path) -> str:
    """The main branch, as `PLACE NAME`: a bare repository's own, a clone's as its remote says.

    Empty if none does.
    """
    remotes = git(repo, "remote").decode().split()
    remote = "origin" if "origin" in remotes or len(remotes) != 1 else remotes[0]
    place, ref = (
        ("refs/heads", "HEAD")
        if is_bare(repo)
        else (f"refs/remotes/{remote}", f"refs/remotes/{remote}/HEAD")
    )
    found = git(repo, "symbolic-ref", "--quiet", ref, ok=(0, 1, 128)).decode().strip()
    exists = (
        found
        and git(repo, "rev-parse", "--verify", "--quiet", f"{found}^{{commit}}", ok=(0, 1)).strip()
    )
    return (
        f"{place} {found.removeprefix(f'{place}/')}"
        if exists and found.startswith(f"{place}/")
        else ""
    )


def named_commit(repo: Path, asked: str) -> str:
    """The commit that the caller named: a branch before anything else.

    Git would take a tag of the name, which anybody may push: `main`, or `origin/main`.

    Args:
        repo: The repository.
        asked: A branch, or whatever Git knows.

    Raises:
        UnknownRevisionError: No commit goes by this name.
    """
    if asked.startswith(("refs/", "HEAD", "@")) or _ID.fullmatch(asked):
        return resolve(repo, asked)  # Git knows these before any branch that is called so
    for ref in (f"refs/heads/{asked}", f"refs/remotes/{asked}"):
        words = ("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if found := git(repo, *words, ok=(0, 1, 128)).decode().strip():
            return found
    return resolve(repo, asked)


def _newest(repo: Path, branch: str) -> str:
    for candidate in (f"refs/remotes/origin/{branch}", f"refs/heads/{branch}"):
        found = (
            git(repo, "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}", ok=(0, 1))
            .decode()
            .strip()
        )
        if found:
            return found
    return ""


def _parent(repo: Path, commit: str) -> str:
    parents = git(repo, "rev-list", "--parents", "-1", commit).decode().split()[1:]
    return parents[0] if parents else ""


def _contains(repo: Path, tip: str, commit: str) -> bool:
    return git(repo, "merge-base", tip, commit, ok=(0, 1)).decode().strip() == commit


def _left(repo: Path, tip: str, commit: str) -> str:
    """Where the commit left the target branch.

    The branch's newest commit when they share nothing that is here.
    """
    if not tip:
        return ""
    return (
        git(repo, "merge-base", tip, commit, ok=(0, 1)).decode().split("\n", maxsplit=1)[0].strip()
        or tip
    )
