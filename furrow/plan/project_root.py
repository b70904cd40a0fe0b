"""Where the project is, from any folder inside it."""

from __future__ import annotations

import os
from pathlib import Path

from furrow.errors import FurrowError
from furrow.ground.git import NotARepositoryError, is_bare, toplevel
from furrow.ground.pipeline_spec import PipelineError
from furrow.ground.project_place import project_root
from furrow.layout import DVC_YAML, FEATURE_STORE

__all__ = ["check_feature_store", "in_project", "repository_root"]


def repository_root(here: Path) -> Path:
    """The nearest folder upwards with dvc.yaml and conf/, or with dvc.yaml alone.

    None above the Git repository.

    Args:
        here: A folder inside it.

    Raises:
        NotARepositoryError: There is neither, nor a Git repository.
        PipelineError: There is none in the repository.
    """
    found = project_root(here)
    if (found / DVC_YAML).is_file():
        return found
    if is_bare(here):
        raise NotARepositoryError(here)
    top = toplevel(here).resolve()
    raise PipelineError(
        f"{top} has no dvc.yaml: it declares no stages", hint="run it in a Furrow repository"
    )


def in_project(path: str) -> Path:
    """A file of the project around this folder, as a path from here.

    Outside a project, one in this folder.
    """
    here = Path.cwd()
    try:
        return Path(os.path.relpath(repository_root(here) / path, here))
    except FurrowError:
        return Path(path)


def check_feature_store(root: Path, verb: str) -> None:
    """See that a project has the features that a verb composes experiments for.

    Args:
        root: The project.
        verb: What was asked for.

    Raises:
        FurrowError: It has none.
    """
    if not (root / FEATURE_STORE).is_file():
        raise FurrowError(
            f"`furrow {verb}` composes experiments over a feature store, and"
            " features/feature_store.yaml is not there",
            hint=(
                "`feast init` makes one; stages of your own need none: `dvc repro` runs, `furrow"
                " runs` lists them"
            ),
        )
