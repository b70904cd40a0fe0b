"""What `dvc init` and `dvc add` do, in this process.

A process of its own would import everything once more.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dvc.exceptions import DvcException
from dvc.repo import Repo

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DvcSetupError", "init_dvc", "track"]


class DvcSetupError(FurrowError):
    """DVC can't be set up in a folder, or can't take a file."""


def init_dvc(root: Path, *, subdir: bool = False, again: bool = False) -> None:
    """Make a folder a DVC repository.

    Args:
        root: The folder.
        subdir: It is a folder in a Git repository, not its root.
        again: Over what a killed one left.

    Raises:
        DvcSetupError: DVC refuses.
    """
    with _quiet(f"dvc init in {root}"):
        Repo.init(str(root), subdir=subdir, force=again).close()


def track(root: Path, path: str) -> None:
    """Let DVC track a file or a folder: its pointer beside it, its content in the cache.

    Args:
        root: The project.
        path: From the project's root.

    Raises:
        DvcSetupError: DVC refuses.
    """
    with _quiet(f"dvc add {path}"), Repo(str(root)) as repo:
        repo.add(str(root / path))


@contextmanager
def _quiet(what: str) -> Iterator[None]:
    """No bar and no word of DVC's; its errors as ours."""
    logger = logging.getLogger("dvc")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    except (DvcException, OSError) as exc:
        said = " ".join(str(exc).split()) or type(exc).__name__
        raise DvcSetupError(
            f"{what}: {said}", hint="mend that, then run again: it goes on from there"
        ) from exc
    finally:
        logger.setLevel(before)
