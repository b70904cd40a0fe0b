"""What DVC must still have.

For HEAD, for the branch that people merge into, and for each registered version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import files_at, resolve
from furrow.ground.pipeline import read_pipeline
from furrow.history.artifacts import outputs, pointed
from furrow.models.registry import versions
from furrow.proof.trust_policy import trusted_commit

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Needed", "needed_contents"]


@dataclass
class Needed:
    """A content that something needs.

    Attributes:
        md5: DVC's name for it.
        path: Where it was, from the project's root.
        commit: The newest commit that names it.
        by: What needs it: HEAD, main, versions.
        source: Whether nothing makes it: raw data.
    """

    md5: str
    path: str
    commit: str
    by: list[str] = field(default_factory=list)
    source: bool = False


def needed_contents(root: Path) -> dict[str, Needed]:
    """Contents by md5; a folder counts as one.

    Args:
        root: The project.
    """
    wanted: dict[str, str] = {}
    tip = trusted_commit(root)
    for label, commit in (("HEAD", _head(root)), ("main", tip)):
        if commit:
            wanted.setdefault(commit, label)
    for version in versions(root):
        said = wanted.get(version.commit)
        wanted[version.commit] = f"{said}, {version}" if said else str(version)
    try:
        pipeline = read_pipeline(root)
        plain = {
            out.path for step in pipeline.steps.values() for out in step.outs if not out.cached
        }
    except FurrowError:
        plain = set()
    found: dict[str, Needed] = {}
    for commit, label in wanted.items():
        tracked, sources = set(files_at(root, commit)), pointed(root, commit)
        for path, output in outputs(root, commit).items():
            inside = path in tracked or any(one.startswith(f"{path}/") for one in tracked)
            if path in plain or inside:
                continue
            one = found.setdefault(output.md5, Needed(output.md5, path, commit))
            one.by.append(label)
            one.source = path in sources
    return found


def _head(root: Path) -> str:
    try:
        return resolve(root)
    except FurrowError:
        return ""
