"""Virtual environments that lie in a folder, and whether Git leaves them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.files import write_text
from furrow.ground.git import git

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["exposed_environments", "ignore_environments"]


def exposed_environments(root: Path) -> dict[str, bool]:
    """Virtual environments directly in a folder that Git does not ignore.

    Args:
        root: A folder of a Git repository.

    Returns:
        By name, whether files of it are tracked already.
    """
    found = {}
    for settings in sorted(root.glob("*/pyvenv.cfg")):
        name = settings.parent.name
        tracked = bool(git(root, "ls-files", "-z", "--", f":(literal){name}").strip(b"\0"))
        ignored = git(root, "check-ignore", "--", f"{name}/{settings.name}", ok=(0, 1)).strip()
        if tracked or not ignored:
            found[name] = tracked
    return found


def ignore_environments(root: Path) -> list[str]:
    """Add the virtual environments of a folder to its .gitignore, but for those that are tracked.

    Args:
        root: A folder of a Git repository.

    Returns:
        Their names.
    """
    names = [name for name, tracked in exposed_environments(root).items() if not tracked]
    if names:
        path = root / ".gitignore"
        before = (
            path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else ""
        )
        before += "\n" * (bool(before) and not before.endswith("\n"))
        listed = "".join(f"/{name}/\n" for name in names)
        write_text(path, f"{before}{listed}")
    return names
