"""A DVC remote that is a folder: where it is, told from settings alone."""

from __future__ import annotations

import io
from pathlib import Path

from configobj import ConfigObj, ConfigObjError

from furrow.ground.dvc_settings import FILES, default_remote

__all__ = ["remote_address_of", "remote_folder"]


def remote_address_of(root: Path) -> str:
    """The address of the DVC remote that a clone pushes to; empty if there is none.

    Args:
        root: The folder with .dvc.
    """
    return _address(root)[0]


def remote_folder(root: Path) -> Path | None:
    """The folder that a clone's DVC remote is; None where there is none, or it is no folder.

    Args:
        root: The folder with .dvc.
    """
    url, base = _address(root)
    plain = url.removeprefix("file://")
    if not url or "://" in plain:
        return None
    return (base / Path(plain).expanduser()).resolve()


def _address(root: Path) -> tuple[str, Path]:
    """The address, and the folder that a relative one starts from."""
    name, found, base = default_remote(root), "", root / ".dvc"
    for file in FILES if name else ():
        try:
            settings = ConfigObj(io.BytesIO((root / file).read_bytes()), interpolation=False)
        except (OSError, ConfigObjError, UnicodeDecodeError):
            continue
        section = settings.get(f"'remote \"{name}\"'") or settings.get(f'remote "{name}"') or {}
        if isinstance(section, dict) and section.get("url"):
            found, base = str(section["url"]), (root / file).parent
    return found, base
