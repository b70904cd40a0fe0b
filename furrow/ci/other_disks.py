"""Names that another disk takes for one that means something.

Disks of macOS and Windows tell no case apart, and pass over signs that are not shown, dots and
spaces at an end, and what comes after a colon. Here such a name is a file like any other; where the
commit is checked out next, it is Git's own folder, or DVC's settings.
"""

from __future__ import annotations

import re
import unicodedata

from furrow.layout import DVC_LOCK, DVC_YAML, FURROW

__all__ = ["taken_for"]

_PASSED_OVER = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_SHORT = re.compile(r"\.?(git|dvc|furrow)~[0-9]+")
_MEANT = frozenset({".", "..", ".git", ".gitmodules", ".gitattributes", ".dvc", ".dvcignore", FURROW,
                    DVC_YAML, DVC_LOCK})  # fmt: skip


def taken_for(name: str) -> str:
    """What a part of a path is to some disk; empty where it is that here, too, or nothing special.

    Args:
        name: Without slashes.
    """
    bare = (
        name if name in {".", ".."} else _PASSED_OVER.sub("", name).partition(":")[0].rstrip(". ")
    )
    folded = unicodedata.normalize("NFC", bare).casefold()
    short = _SHORT.fullmatch(folded)
    meant = f".{short[1]}" if short else folded
    if meant == name:
        return ""
    return (
        meant if meant in _MEANT or (meant.endswith(".dvc") and not name.endswith(".dvc")) else ""
    )
