"""What CI ran in a bare repository, by its own account.

Files in BARE/furrow-ci/done, which no push reaches.

The notes that travel with Git (refs/notes/furrow/ci) are a published copy of it. Whoever may push
can write such a note, so nothing is decided by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["keep", "kept", "kept_commits", "whole"]

FOLDER = "furrow-ci/done"
FORMAT = 1
_NEEDED = {"commit": str, "branch": str, "passed": bool, "verdict": str, "started": str}


def keep(home: Path, line: dict[str, Any], *, tip: bool) -> list[dict[str, Any]]:
    """Write down that a commit was run, beside its earlier runs; on disk when it returns.

    Args:
        home: The bare repository.
        line: What came of it, as `status_line` gives it.
        tip: Whether the commit was the newest of its push.

    Returns:
        Every run of the commit.

    Raises:
        FileError: The disk is full, or the folder can't be written.
    """
    lines = [*kept(home, line["commit"]), {**line, "tip": tip}]
    write_json(_path(home, line["commit"]), {"format": FORMAT, "lines": lines})
    return lines


def kept(home: Path, commit: str) -> list[dict[str, Any]]:
    """The runs of a commit, oldest first.

    None when there is no record, or a damaged one: then it is run again.
    """
    try:
        value = read_json(_path(home, commit))
    except FurrowError:
        return []
    if (
        not isinstance(value, dict)
        or value.get("format") != FORMAT
        or not isinstance(value.get("lines"), list)
    ):
        return []
    return [line for line in value["lines"] if whole(line) and line["commit"] == commit]


def kept_commits(home: Path) -> list[str]:
    """The commits that have a record."""
    return sorted(path.stem for path in (home / FOLDER).glob("*.json"))


def _path(home: Path, commit: str) -> Path:
    return home / FOLDER / f"{commit}.json"


def whole(line: Any) -> bool:
    """Whether a run's line has what every reader of it needs."""
    return isinstance(line, dict) and all(
        isinstance(line.get(name), kind) for name, kind in _NEEDED.items()
    )
