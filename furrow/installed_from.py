"""Where this Furrow was installed from, so that a command to install more of it installs the same."""

from __future__ import annotations

import json
from importlib import metadata
from urllib.parse import unquote, urlsplit

__all__ = ["install_command"]


def install_command(extra: str) -> str:
    """The command that installs an extra of this very Furrow.

    Its name alone would install what a package index has under it, which may be another's. PEP 610
    says where an installation is from.

    Args:
        extra: Such as "redis".
    """
    try:
        found = json.loads(metadata.distribution("furrow").read_text("direct_url.json") or "{}")
        url = str(found.get("url", ""))
        vcs = found.get("vcs_info") or {}
        folder = found.get("dir_info")
    except (metadata.PackageNotFoundError, OSError, ValueError, AttributeError):
        return _by_name(extra, "")
    if folder is not None and url.startswith("file://"):
        place = unquote(urlsplit(url).path)
        editable = "--editable " if folder.get("editable") else ""
        return f"pip install {editable}'{place}[{extra}]'"
    if vcs.get("vcs") and url:
        return _by_name(extra, f" @ {vcs['vcs']}+{url}@{vcs.get('commit_id', 'HEAD')}")
    return _by_name(extra, f" @ {url}" if url else "")


def _by_name(extra: str, place: str) -> str:
    return f"pip install 'furrow[{extra}]{place or ' @ WHERE-FURROW-IS-FROM'}'"
