"""Compiling a Feast repository that is no Furrow project.

Its manifest, beside its feature_store.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.features.manifest_cache import remember
from furrow.files import read_json, write_json
from furrow.layout import FEATURE_STORE_YAML, MANIFEST_JSON

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.features.schema import Manifest

__all__ = ["PlainCompiled", "compile_plain", "feast_folder"]

_SETTINGS = FEATURE_STORE_YAML


@dataclass(frozen=True)
class PlainCompiled:
    """What came of it.

    Attributes:
        path: The manifest's.
        changed: Whether it says something else than the file did.
        notes: What was left out, a line each.
    """

    path: Path
    manifest: Manifest
    changed: bool
    notes: tuple[str, ...]


def feast_folder(here: Path) -> Path | None:
    """The Feast repository that a folder is in, or that is the only one in it.

    None if there is none.

    Args:
        here: The folder. The search goes up to the Git repository's, and one folder down.

    Raises:
        FurrowError: There are several.
    """
    whole = here.resolve()
    for folder in (whole, *whole.parents):
        if (folder / _SETTINGS).is_file():
            return folder
        if (folder / ".git").exists():
            break
    found = sorted(path.parent for path in whole.glob(f"*/{_SETTINGS}"))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise FurrowError(
            f"{here} holds several Feast repositories: {names}", hint="run it in one of them"
        )
    return found[0] if found else None


def compile_plain(folder: Path, *, write: bool = True) -> PlainCompiled:
    """Compile a Feast repository's definitions into its manifest.json.

    Args:
        folder: The one with feature_store.yaml.
        write: Write the manifest; else only say whether it would change.

    Raises:
        FurrowError: A definition is wrong; the message says which.
    """
    # Feast takes seconds to import
    from furrow.features.build import compile_manifest  # noqa: PLC0415

    notes: list[str] = []
    manifest = compile_manifest(folder, notes.append)
    path = folder / MANIFEST_JSON
    before = path.read_bytes() if path.is_file() else b""
    if write:
        write_json(path, manifest.to_json())
        remember(folder)
        changed = path.read_bytes() != before
    else:
        changed = not before or read_json(path) != manifest.to_json()
    return PlainCompiled(path, manifest, changed, tuple(notes))
