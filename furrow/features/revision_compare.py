"""Comparing the definitions of the working tree with those of a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.features.manifest import parse
from furrow.features.manifest_diff import Diff, diff
from furrow.ground.git import show
from furrow.layout import MANIFEST_JSON

if TYPE_CHECKING:
    from furrow.features.catalog import Catalog

__all__ = ["since"]


def since(catalog: Catalog, rev: str) -> Diff:
    """What changed since a commit, and whom it concerns.

    Args:
        catalog: The definitions now.
        rev: The revision to compare with.

    Returns:
        The changes; false if there are none.

    Raises:
        FurrowError: There is no such revision, or it has no manifest.
    """
    folder = catalog.repo_dir.resolve().relative_to(catalog.root).as_posix()
    path = MANIFEST_JSON if folder == "." else f"{folder}/manifest.json"
    data = show(catalog.root, rev, path)
    if data is None:
        hint = "name a later commit: `git log --oneline -- " + path + "`"
        raise FurrowError(f"{rev} has no {path}", hint=hint)
    depth = 0 if folder == "." else folder.count("/") + 1
    old = parse(data, origin=f"{rev}:{path}", depth=depth)
    return diff(old, catalog.manifest, experiments=catalog.experiments, models=catalog.models)
