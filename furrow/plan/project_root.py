"""Where the project is, from any folder inside it."""

from __future__ import annotations

import os
from pathlib import Path

from furrow.errors import FurrowError
from furrow.ground.git import NotARepositoryError, is_bare, toplevel
from furrow.ground.pipeline import PipelineError

__all__ = ["in_project", "repository_root"]


def repository_root(here: Path) -> Path:
    """The nearest folder upwards with dvc.yaml and conf/, or with dvc.yaml alone; none above the Git repository.

    Args:
        here: A folder inside it.

    Raises:
        NotARepositoryError: There is neither, nor a Git repository.
        PipelineError: There is none in the repository.
    """
    whole = here.resolve()
    above = []
    for folder in (whole, *whole.parents):
        above.append(folder)
        if (folder / ".git").exists():
            break
    declared = [folder for folder in above if (folder / "dvc.yaml").is_file()]
    if declared:
        return next((folder for folder in declared if (folder / "conf").is_dir()), declared[0])
    if is_bare(here):
        raise NotARepositoryError(here)
    top = toplevel(here).resolve()
    raise PipelineError(f"{top} has no dvc.yaml: it declares no stages", hint="run it in a Furrow repository")


def in_project(path: str) -> Path:
    """A file of the project around this folder, as a path from here; outside a project, one in this folder."""
    here = Path.cwd()
    try:
        return Path(os.path.relpath(repository_root(here) / path, here))
    except FurrowError:
        return Path(path)
