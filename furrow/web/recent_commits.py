"""The newest commits of a history, of a path or of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ground.git import git
from furrow.ground.gitobjects import Commit, seconds
from furrow.ground.project_place import project_prefix

if TYPE_CHECKING:
    from furrow.web.site import Site

__all__ = ["recent"]


def recent(site: Site, commit: str, most: int, *paths: str) -> list[Commit]:
    """The newest commits that a commit reaches.

    Args:
        site: The site.
        commit: Where to start.
        most: How many.
        paths: Only those that changed one of these paths of the project.
    """
    prefix = project_prefix(site.root)
    places = [f"{prefix}{path}" for path in paths] or ([prefix] if prefix else [])
    only = ["--", *(f":(top,literal){place}" for place in places)] if places else []
    output = git(
        site.root, "log", f"-{most}", "--no-color", "--no-notes", "--encoding=UTF-8", "-z",
        "--format=%H%x00%T%x00%P%x00%ct%x00%an%x00%s", commit, *only,
    )  # fmt: skip
    parts = output.decode(errors="replace").split("\0")
    found = []
    for at in range(0, len(parts) - 5, 6):
        oid, tree, parents, time, author, subject = parts[at : at + 6]
        found.append(Commit(oid, tree, tuple(parents.split()), seconds(time), author, subject))
    return found
