"""The lists of folders that DVC keeps, brought from the remote without the files in them.

A program of its own.

`python -m furrow.ground.dvcdirs MD5.dir...` in a DVC repository: DVC's own commands bring a folder
whole or not at all.
"""

from __future__ import annotations

import sys

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile.hash_info import HashInfo

from furrow.safe_text import line

__all__ = ["main"]


def main(names: list[str]) -> int:
    """Bring lists into the cache; 1 when the remote lacks one, or can't be reached."""
    try:
        with Repo(".") as repo:
            return 1 if repo.cloud.pull([HashInfo("md5", name) for name in names]).failed else 0
    except (DvcException, OSError) as exc:
        print(line(f"ERROR: {exc}"), file=sys.stderr)  # noqa: T201 - a program's own voice
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
