"""Where the repository is, from any folder inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ground.git import NotARepositoryError, is_bare, toplevel
from furrow.ground.pipeline import PipelineError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["repository_root"]


def repository_root(here: Path) -> Path:
    """The nearest folder with a dvc.yaml, up to the root of the Git repository.

    Args:
        here: A folder inside it.

    Raises:
        NotARepositoryError: There is no Git repository.
        PipelineError: There is no dvc.yaml in it.
    """
    if is_bare(here):
        raise NotARepositoryError(here)
    top = toplevel(here).resolve()
    for folder in (here.resolve(), *here.resolve().parents):
        if (folder / "dvc.yaml").is_file():
            return folder
        if folder == top:
            break
    raise PipelineError(f"{top} has no dvc.yaml: it declares no stages", hint="run it in a Furrow repository")
