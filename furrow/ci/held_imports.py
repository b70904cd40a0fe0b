"""Data that a commit from outside imports from another repository, where the target branch allows that address.

`dvc push` leaves imported data out, so they come from where they were imported from. DVC is not
given the commit's own file, but one of ours that holds the few facts that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.parse import ParseError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Import", "imports_of"]


@dataclass(frozen=True)
class Import:
    """What a .dvc file imports.

    Attributes:
        md5: DVC's name for the data.
        address: Of the other repository.
        pointer: A .dvc file that says so, and nothing else.
    """

    md5: str
    address: str
    pointer: dict[str, Any]


def imports_of(root: Path, files: Iterable[str]) -> dict[str, Import]:
    """What a checkout imports from other repositories, by the md5 of the data.

    Args:
        root: The checkout, which was inspected.
        files: Its .dvc files.
    """
    found = {}
    for file in files:
        try:
            value = read_yaml(root / file)
            dep, out = value["deps"][0], value["outs"][0]
            repo = {
                key: str(dep["repo"][key])
                for key in ("url", "rev", "rev_lock")
                if key in dep["repo"]
            }
            md5 = str(out["md5"])
            pointer = {
                "frozen": True,
                "deps": [{"path": str(dep["path"]), "repo": repo}],
                "outs": [{"md5": md5, "hash": "md5", "path": "data"}],
            }
            found[md5] = Import(md5, repo["url"], pointer)
        except (ParseError, KeyError, TypeError, IndexError, OSError):
            continue  # it imports nothing
    return found
