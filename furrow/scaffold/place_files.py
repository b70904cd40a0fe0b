"""Putting a new project in its place: all of it first beside, then each file where nothing is.

A kill loses nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.files import write_text
from furrow.layout import DATA, FURROW
from furrow.scaffold.texts import LANDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["InTheWayError", "alone", "in_the_way", "pending", "place", "scratch", "stage"]

_BEING_MADE, _READY = f"{FURROW}/init.part", f"{FURROW}/init"
_SPARED = (".gitignore",)
"""Files that stay as they are where they exist."""


class InTheWayError(FurrowError):
    """A file stands where init would write another one."""


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Let no other init write into a folder meanwhile.

    The lock is the folder's own, and leaves no file.

    Args:
        root: The folder.

    Raises:
        InTheWayError: Another one is at it.
    """
    handle = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise InTheWayError(
                f"another `furrow init` is at work in {root}",
                hint="wait until it is done; then this one has nothing to do",
            ) from exc
        yield
    finally:
        os.close(handle)


def scratch(root: Path) -> Path:
    """An empty folder in which a new project is made ready."""
    folder = root / _BEING_MADE
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def in_the_way(root: Path, texts: Mapping[str, str], tables: list[str]) -> list[str]:
    """Files that are there already and would be others.

    Args:
        root: The folder.
        texts: What would be written, by path.
        tables: Names of the landed tables.
    """
    found = [
        path
        for path, text in texts.items()
        if path not in _SPARED and os.path.lexists(root / path) and not _holds(root / path, text)
    ]
    landed = [f"{DATA}/{LANDED}/{name}.parquet" for name in tables]
    return found + [path for path in landed if os.path.lexists(root / path)]


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def stage(root: Path, texts: Mapping[str, str]) -> None:
    """Write everything beside its place; from then on a killed init is completed by the next one.

    Args:
        root: The folder; `scratch(root)/landed` holds the landed tables.
        texts: What is to be written, by path.

    Raises:
        InTheWayError: A file is there already and would be another; nothing was written.
    """
    made = root / _BEING_MADE
    tables = sorted(path.stem for path in (made / LANDED).glob("*.parquet"))
    wrong = in_the_way(root, texts, tables)
    if wrong:
        raise InTheWayError(
            f"{wrong[0]} is there already"
            + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""),
            hint=(
                "init changes nothing that is there: run it in another folder, or move the file"
                " away"
            ),
        )
    for path, text in texts.items():
        write_text(made / "files" / path, text)
    os.replace(made, root / _READY)  # noqa: PTH105 - one move, which is or is not


def pending(root: Path) -> bool:
    """Whether an init was killed before every file was in its place."""
    return (root / _READY).is_dir()


def place(root: Path) -> list[str]:
    """Put every file that was staged in its place; those that are there stay.

    Args:
        root: The folder.

    Returns:
        The paths that were written.
    """
    ready, written = root / _READY, []
    moves = [
        (path, root / path.relative_to(ready / "files"))
        for path in sorted((ready / "files").rglob("*"))
    ]
    moves += [
        (path, root / DATA / LANDED / path.name)
        for path in sorted((ready / LANDED).glob("*.parquet"))
    ]
    for source, target in moves:
        if source.is_dir():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(target):
            os.replace(source, target)  # noqa: PTH105 - within one file system
            written.append(target.relative_to(root).as_posix())
    shutil.rmtree(ready)
    if not any((root / FURROW).iterdir()):
        (root / FURROW).rmdir()
    return written
