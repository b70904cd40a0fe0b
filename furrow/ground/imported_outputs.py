"""Outputs that a commit's .dvc files import from elsewhere: DVC asks for them wherever the files say.

Another repository, with the user's own credentials; an address; a file of this machine.
"""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Any

from furrow.ground.git import git, resolve
from furrow.ground.project_place import project_prefix
from furrow.parse import ParseError, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["imported_by"]


def imported_by(root: Path, path: str, rev: str) -> str:
    """The .dvc file of a commit that imports an output, a part of it or what holds it; empty if none does.

    Args:
        root: The project.
        path: The output, from the project's root.
        rev: A revision.
    """
    commit = resolve(root, rev)
    wanted = posixpath.normpath(f"{project_prefix(root)}{path}")
    listed = git(root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    for name in map(os.fsdecode, listed.split(b"\0")):
        if not name.endswith(".dvc"):
            continue
        content = git(root, "cat-file", "blob", f"{commit}:{name}", ok=(0, 128))
        try:
            value = parse_yaml(content)
        except ParseError:
            return name  # DVC's parser may see more in it
        if isinstance(value, dict) and value.get("deps"):
            for out in _outs(value, posixpath.dirname(name)):
                if out.startswith(("/", "..")) or f"{out}/".startswith(f"{wanted}/") or (
                    f"{wanted}/".startswith(f"{out}/") or out == "."
                ):  # fmt: skip
                    return name
    return ""


def _outs(value: dict[str, Any], folder: str) -> Iterator[str]:
    """Where what a .dvc file tracks lies, from the top of the tree."""
    outs = value.get("outs")
    for one in outs if isinstance(outs, list) else [outs]:
        said = one.get("path") if isinstance(one, dict) else one
        yield posixpath.normpath(posixpath.join(folder, str(value.get("wdir") or "."), str(said)))
