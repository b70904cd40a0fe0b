"""The list of a folder's files that DVC keeps as a content of its own, where no name leads out of the folder.

DVC puts each file where the list says, `../` included.
"""

from __future__ import annotations

from furrow.parse import LISTING, ParseError, parse_json

__all__ = ["folder_list"]

_NONE = frozenset({"", ".", "..", ".git", ".dvc"})
"""Parts of a path that no file of a folder has: DVC itself never lists what lies in the last two."""


def folder_list(content: bytes, where: str = "") -> dict[str, str]:
    """The files of a folder as DVC lists them: md5 by path inside of it.

    Args:
        content: Of the list, which may be anyone's.
        where: What errors call it.

    Raises:
        ParseError: It is no such list, or a name in it leads out of the folder.
    """
    entries = parse_json(content, where, limits=LISTING)
    try:
        found = {str(entry["relpath"]): str(entry["md5"]) for entry in entries}
    except (KeyError, TypeError) as exc:
        raise ParseError(where, "it is no list of a folder's files") from exc
    for name in found:
        if not _NONE.isdisjoint(name.split("/")) or "\0" in name:
            raise ParseError(where, f"the file {name[:200]!r} would lie outside of its folder")
    return found
