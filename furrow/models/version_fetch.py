"""Fetching a registered model's bundle from anywhere that has it, held against its hash."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from furrow import layout
from furrow.files import sha256_file
from furrow.history.bring_output import bring_output
from furrow.models.registry import MODEL, RegistryError, Version, find

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["fetch"]


def fetch(root: Path, text: str, out: Path) -> Version:
    """Bring a version's bundle to a folder.

    Args:
        root: The repository, or any clone of it with a DVC remote.
        text: The version, such as "gbm@v1.0.0".
        out: The folder to write; it must not exist.

    Returns:
        The version.

    Raises:
        RegistryError: There is no such version, the folder exists, or the model that came is
            another one.
        GetError: Neither the cache nor a remote has the bundle.
    """
    version = find(root, text)
    if out.exists():
        raise RegistryError(f"{out} is there already", hint="name a folder that does not exist")
    if version.invented:
        raise RegistryError(
            f"the tag {version} says what its commit does not: {', '.join(version.invented)}",
            hint="whoever made the tag was wrong: ask who did",
        )
    bring_output(root, layout.model(version.name), version.commit, out)
    found, expected = sha256_file(out / MODEL), version.facts.get("model_sha256")
    if found != expected:
        shutil.rmtree(out)
        raise RegistryError(
            f"the model that came for {version} has sha256 {found[:12]}…, its commit says"
            f" {str(expected)[:12]}…",
            hint="do not use that remote's copy: check out the commit and run `dvc repro`",
        )
    return version
