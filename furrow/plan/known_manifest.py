"""The feature manifest where it is known to be what the definitions give, so that compiling needs no Feast."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from furrow.features.manifest import load
from furrow.features.manifest_cache import is_current
from furrow.layout import FEATURES

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.features.manifest import Manifest

__all__ = ["known_manifest"]

_IMPORT = re.compile(r"^\s*(?:from|import)\s+(\w+)", re.MULTILINE)


def known_manifest(root: Path) -> Manifest | None:
    """The manifest on file, if it was seen on this machine to be what the files, as they are, give.

    Args:
        root: The project.

    Returns:
        None where the definitions must be run: something changed, they import more of the project
        than features/, or what says that nothing changed is not this machine's.
    """
    folder = root / FEATURES
    return load(folder) if _stands_alone(root) and is_current(folder) else None


def _stands_alone(root: Path) -> bool:
    """Whether the definitions import nothing of the project besides themselves."""
    own = {path.stem for path in root.iterdir() if path.is_dir() or path.suffix == ".py"}
    own -= {FEATURES}
    files = (root / FEATURES).rglob("*.py")
    return not any(own & set(_IMPORT.findall(path.read_text(errors="replace"))) for path in files)
