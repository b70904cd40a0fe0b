"""An output of any commit brought to a folder, and held against the name that the commit has for it.

`dvc get` believes a remote: what it gives is not compared with anything.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from furrow.ground.dvcget import GetError, get
from furrow.ground.hashes import file_md5_as, folder_md5
from furrow.history.artifacts import outputs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bring_output"]

_ALGORITHMS = ("md5", "md5-dos2unix")  # the second as DVC 2 took it


def bring_output(root: Path, path: str, rev: str, out: Path) -> None:
    """Bring an output, as it was at a revision, from the cache or the remote.

    Args:
        root: The repository.
        path: From the project's root.
        rev: A revision.
        out: Where to put it; it must not exist.

    Raises:
        GetError: Neither the cache nor a remote has it, or what came is something else.
        UntrustedError: As of `furrow.ground.dvcget.get`.
    """
    get(root, path, rev, out)
    recorded = outputs(root, rev).get(path)
    if (
        recorded is None
        or not recorded.md5
        or recorded.md5 in (_name(out, one) for one in _ALGORITHMS)
    ):
        return
    shutil.rmtree(out) if out.is_dir() else out.unlink()
    raise GetError(
        f"what DVC's remote or cache has for {path} is not what its commit records"
        f" ({recorded.md5[:12]}…)",
        hint="it is not kept; push it again from where it was made: dvc push",
    )


def _name(out: Path, algorithm: str) -> str:
    """DVC's name for what came."""
    if not out.is_dir():
        return file_md5_as(out, algorithm)
    files = [one for one in out.rglob("*") if one.is_file()]
    return folder_md5(
        {one.relative_to(out).as_posix(): file_md5_as(one, algorithm) for one in files}
    )
