"""Taking over from an apply that was killed.

Its processes ended, what DVC and Furrow left half-written put right.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from furrow.files import write_text
from furrow.ground.git import git
from furrow.ground.repro import end_marked, forget_dead
from furrow.ground.runcache import cache_folder
from furrow.layout import DVC_LOCK
from furrow.parse import ParseError, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["take_over"]


def take_over(root: Path, token: str) -> list[str]:
    """End what a killed apply had started, and put right what that left.

    Args:
        root: The repository.
        token: The mark of the killed apply's processes.

    Returns:
        What a person should know, in words.
    """
    end_marked(token)
    forget_dead(root)
    for half in root.glob(".dvc.lock.????????"):
        half.unlink(missing_ok=True)  # written beside dvc.lock, never put in its place
    for folder in (cache_folder(root) / "runs").glob("*/*"):
        # DVC makes the folder of a run, then fills it; an empty one keeps it from ever running that
        # stage again.
        with suppress(OSError):
            folder.rmdir()  # refused where there is something in it
    return [line for path in _locks(root) for line in _mended(root, path)]


def _locks(root: Path) -> list[Path]:
    """Every dvc.lock of the project that Git knows or could."""
    listed = git(
        root, "ls-files", "-z", "-co", "--exclude-standard", "--", DVC_LOCK, "*/dvc.lock"
    ).split(b"\0")
    return [
        path
        for name in sorted(set(listed))
        if name and (path := root / os.fsdecode(name)).is_file()
    ]


def _mended(root: Path, path: Path) -> list[str]:
    """Put right a dvc.lock that was cut short; what was done, in words."""
    if _whole(path):
        return []
    # DVC writes it in place. The stages that are lost with it come back from DVC's cache of runs.
    name = path.relative_to(root).as_posix()
    before = git(root, "show", f"HEAD:./{name}", ok=(0, 128))
    if before:
        write_text(path, before.decode())
        after = "and what came after it from DVC's cache"
        return [f"{name} was cut short: taken from the last commit, {after}"]
    path.unlink()
    return [f"{name} was cut short, and no commit holds it: it is written anew"]


def _whole(path: Path) -> bool:
    """Whether dvc.lock is what DVC can read.

    Cut short between two lines, its last stage lacks something.
    """
    try:
        held = read_yaml(path)
        stages: dict[str, Any] = held.get("stages", {})
        entries = [
            entry
            for stage in stages.values()
            for key in ("deps", "outs")
            for entry in stage.get(key, [])
        ]
        return (
            "schema" in held
            and all("cmd" in stage for stage in stages.values())
            and all(map(_complete, entries))
        )
    except (OSError, ValueError, ParseError, TypeError, AttributeError):
        return False


def _complete(entry: dict[str, Any]) -> bool:
    return (
        bool(entry["path"])
        if "path" in entry and (entry.get("md5") or entry.get("etag"))
        else False
    )
