"""Whether a repository's own code may run.

Asked once per repository and its origin, and kept outside it.

Reading (runs, features, models, a plan of what did not change) runs nothing of a repository. What
must run its code (feature definitions, stages, a pickled model) asks here first. A repository that
came from nowhere else is its owner's own; one with a remote is a clone, and waits for `furrow
trust`. A remote that is a folder of this very user is none, unless it has itself come from
elsewhere. `FURROW_TRUST=1` says it for one process and its children: CI's way.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from furrow.errors import FurrowError
from furrow.files import FileError, read_json, state_folder, write_json
from furrow.ground.git import GitError, bare_above, common_dir, git

__all__ = [
    "SAYS",
    "UntrustedError",
    "forget",
    "is_trusted",
    "own_cache",
    "remember_trust",
    "require_trust",
    "trusted_list",
]

SAYS = "FURROW_TRUST"
_DEPTH = 5
_FORMAT = 1


class UntrustedError(FurrowError):
    """A clone whose code may not run yet."""

    def __init__(self, root: Path, what: str, remotes: list[str]) -> None:
        came = f", which came from {remotes[0]}" if remotes else ""
        super().__init__(
            f"{what}, and {root}{came} is not trusted to run code here",
            hint="look at it first; then `furrow trust` says so, once for this clone",
        )


def require_trust(root: Path, what: str) -> None:
    """Go on only if a repository's code may run.

    Args:
        root: A folder in it, or one that lies in none.
        what: What would run, as the beginning of a sentence: "this runs features/*.py".

    Raises:
        UntrustedError: It came from elsewhere, and nobody has said that it may.
    """
    if not is_trusted(root):
        raise UntrustedError(root, what, _came_from(root))


def is_trusted(root: Path) -> bool:
    """Whether a repository's code may run.

    Args:
        root: A folder in it. What lies in no repository is its owner's own. A stage that DVC runs
            is run already.
    """
    if os.environ.get(SAYS) == "1" or "DVC_STAGE" in os.environ:
        return True
    here = _upwards(root)
    if not any((folder / ".git").exists() for folder in here) and bare_above(root) is None:
        return True
    try:
        return _own_or_known(common_dir(here[0]), _known(), _DEPTH)
    except GitError:
        # another user's, damaged, or one that lies among the files of another: nobody has said
        # whose
        return False


def remember_trust(root: Path) -> Path:
    """Say that a repository's code may run.

    Returns:
        The Git directory that this holds for.
    """
    place = common_dir(root).resolve()
    _write({**_known(), str(place): _identity(place)})
    return place


def forget(root: Path) -> bool:
    """Take it back; whether there was something to take back."""
    known = _known()
    there = known.pop(str(common_dir(root).resolve()), None) is not None
    if there:
        _write(known)
    return there


def trusted_list() -> dict[str, list[str]]:
    """The trusted Git directories and the remotes that they had."""
    return {
        place: list(identity.get("remotes", [])) for place, identity in sorted(_known().items())
    }


def own_cache() -> Path:
    """A folder of this user's for DVC's indexes, in place of one that a clone's settings name (they hold pickles)."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "furrow" / "dvc"


def _upwards(root: Path) -> list[Path]:
    """A folder, or the nearest above it that is there, and all above that."""
    whole = root.resolve()
    return [folder for folder in (whole, *whole.parents) if folder.is_dir()]


def _own_or_known(place: Path, known: dict[str, Any], depth: int) -> bool:
    place = place.resolve()
    if known.get(str(place)) == _identity(place):
        return True
    return depth > 0 and all(_is_own(url, place, known, depth) for url in _remotes(place))


def _is_own(url: str, place: Path, known: dict[str, Any], depth: int) -> bool:
    """Whether a remote is a folder of this user's whose own repository is trusted."""
    if url.startswith("file://"):
        try:
            folder = Path(unquote(urlsplit(url).path))
        except ValueError:  # no address, such as file://[
            return False
    elif "://" in url or ":" in url.partition("/")[0]:
        return False
    else:
        folder = place.parent / url
    try:
        return folder.stat().st_uid == os.getuid() and _own_or_known(
            common_dir(folder), known, depth - 1
        )
    except (OSError, GitError):
        return False


def _came_from(root: Path) -> list[str]:
    try:
        return _remotes(common_dir(root))
    except GitError:
        return []


def _remotes(place: Path) -> list[str]:
    found = git(place, "config", "--local", "-z", "--get-regexp", r"^remote\..*\.url$", ok=(0, 1))
    return sorted({os.fsdecode(entry.partition(b"\n")[2]) for entry in found.split(b"\0") if entry})


def _identity(place: Path) -> dict[str, Any]:
    """What is another when another repository lies in the same place."""
    found = place.stat()
    return {"device": found.st_dev, "inode": found.st_ino, "remotes": _remotes(place)}


def _file() -> Path:
    return state_folder() / "trusted.json"


def _known() -> dict[str, Any]:
    path = _file()
    try:
        facts = path.stat()
        if facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o022:
            return {}  # somebody else may have written it
        value = read_json(path)
    except (OSError, FileError):
        return {}
    entries = (
        value.get("trusted") if isinstance(value, dict) and value.get("format") == _FORMAT else None
    )
    return (
        {name: one for name, one in entries.items() if isinstance(one, dict)}
        if isinstance(entries, dict)
        else {}
    )


def _write(known: dict[str, Any]) -> None:
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(path, {"format": _FORMAT, "trusted": known})
    path.chmod(0o600)
