"""Pauses: a person stops what Furrow does by itself, with a reason, in Git's history.

conf/pause/WHAT.yaml is there for as long as something is paused: an environment (its servers take
no other version), `retraining` (nothing is retrained or proposed) or `ci` (commits wait). A file
that can't be read is a pause, too: who wrote it wanted one.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import yaml

from furrow.errors import FurrowError
from furrow.files import machine_file, write_text
from furrow.ground.git import UnbornBranchError, files_at, git, is_bare, resolve, show
from furrow.ground.project_place import project_prefix
from furrow.layout import PAUSES, pause_yaml
from furrow.parse import ParseError, parse_yaml
from furrow.proof.trust_policy import trusted_commit

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

__all__ = [
    "CI",
    "RETRAINING",
    "Pause",
    "PauseError",
    "all_paused",
    "pause",
    "pause_at",
    "paused",
    "paused_in",
    "resume",
]

RETRAINING, CI = "retraining", "ci"
_NAME = re.compile(r"[a-z][a-z0-9-]*")


class PauseError(FurrowError):
    """Something can't be paused, or resumed, so."""


@dataclass(frozen=True)
class Pause:
    """That something is paused.

    Attributes:
        what: An environment, "retraining" or "ci".
        who: Who paused it: name and address, as Git knows them.
        since: ISO 8601.
        why: The reason.
    """

    what: str
    who: str
    since: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} is paused since {self.since[:16]} by {self.who}: {self.why}"


def pause(root: Path, what: str, why: str, *, now: datetime) -> Pause:
    """Pause something: a commit on the current branch, of that one file.

    Args:
        root: The project, in a work tree.
        what: An environment, "retraining" or "ci".
        why: The reason.
        now: The time.

    Raises:
        PauseError: It is paused already, there is no reason, or no work tree.
    """
    reason = " ".join(why.split())
    if not reason:
        raise PauseError(f"a pause of {what} needs a reason", hint="say it: --why TEXT")
    if "${" in reason:  # files of conf/ are Hydra's, to which it would be a command
        raise PauseError(f"the reason {reason!r} holds ${{", hint="say it without")
    path = _path(root, what)
    if before := pause_at(root, "HEAD", what):
        raise PauseError(str(before), hint=f"furrow resume {what}")
    ident = os.fsdecode(git(root, "var", "GIT_AUTHOR_IDENT")).rpartition(">")[0]
    found = Pause(what, f"{ident}>", now.isoformat(timespec="seconds"), reason)
    value = {"who": found.who, "since": found.since, "why": found.why}
    said: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
    write_text(machine_file(root, path), said)
    git(root, "add", "--", path)
    _commit(root, path, f"Pause {what}\n\n{reason}\n")
    return found


def resume(root: Path, what: str, why: str = "") -> Pause:
    """End a pause: a commit on the current branch that takes its file away.

    Args:
        root: The project, in a work tree.
        what: What is paused.
        why: The reason, for the commit's message.

    Returns:
        The pause that ends.

    Raises:
        PauseError: It is not paused.
    """
    path = _path(root, what)
    found = pause_at(root, "HEAD", what)
    if found is None:
        raise PauseError(f"{what} is not paused", hint="`git pull`, if it was paused elsewhere")
    git(root, "rm", "--quiet", "--force", "--", path)
    reason = " ".join(why.split())
    _commit(
        root, path, f"Resume {what}\n\nIt was paused: {found.why}\n" + f"{reason}\n" * bool(reason)
    )
    return found


def pause_at(repo: Path, rev: str, what: str) -> Pause | None:
    """What a commit says of a pause; None where it has none.

    Args:
        repo: The repository, bare or not.
        rev: The commit.
        what: An environment, "retraining" or "ci".
    """
    path = pause_yaml(what)
    content = show(repo, rev, path)
    if content is None:
        return None
    try:
        value = parse_yaml(content)
        return Pause(what, *(str(value[name]) for name in ("who", "since", "why")))
    except (ParseError, KeyError, TypeError):
        return Pause(what, "somebody", "an unknown time", f"{path} is there, and can't be read")


def paused_in(repo: Path, rev: str, what: str) -> str:
    """The commit of a history that paused something, or said so last.

    What it declares is what stays.
    """
    path = f"{project_prefix(repo)}{pause_yaml(what)}"
    # from the top of the tree, in a bare repository and in any folder of a work tree
    said = git(repo, "log", "-1", "--format=%H", "--first-parent", rev, "--", f":/{path}")
    return said.decode().strip()


def paused(repo: Path, what: str, *, trusted: bool = False) -> Pause | None:
    """Whether something is paused, as far as is known here.

    Args:
        repo: The repository, bare or not.
        what: An environment, "retraining" or "ci".
        trusted: Whether the branch that people merge into alone counts; else what is checked out
            does, too: a pause that was not pushed yet holds on this machine.
    """
    found = (pause_at(repo, rev, what) for rev in _revs(repo, trusted=trusted))
    return next((one for one in found if one), None)


def all_paused(repo: Path) -> list[Pause]:
    """Everything that is paused, as far as is known here."""
    names = {
        PurePosixPath(path).stem
        for rev in _revs(repo, trusted=False)
        for path in files_at(repo, rev, PAUSES)
    }
    found = (paused(repo, name) for name in sorted(names))
    return [one for one in found if one]


def _revs(repo: Path, *, trusted: bool) -> list[str]:
    revs = [trusted_commit(repo)]
    if not trusted:
        with suppress(UnbornBranchError):
            revs.append(resolve(repo, "HEAD"))
    return [rev for rev in dict.fromkeys(revs) if rev]


def _path(root: Path, what: str) -> str:
    if not _NAME.fullmatch(what):
        raise PauseError(
            f"{what!r} can't be paused", hint="name an environment, `retraining` or `ci`"
        )
    if is_bare(root):
        raise PauseError("a bare repository has no work tree", hint="pause in a clone, and push")
    return pause_yaml(what)


def _commit(root: Path, path: str, message: str) -> None:
    git(root, "commit", "--quiet", "--file=-", "--only", "--", path, stdin=message.encode())
