"""From the manifest's `online_store` to an open store."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from furrow.features.json_reader import ManifestError
from furrow.features.online_kinds import ONLINE_KINDS, online_kind

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.features.online_kinds import OnlineKind
    from furrow.features.schema import Manifest
    from furrow.stores.store_api import OnlineStore, ReadStore

__all__ = ["open_reader", "open_store"]

PREFIX = "FURROW_ONLINE_"


def open_reader(manifest: Manifest, folder: Path, *, expand: bool = True) -> ReadStore:
    """Open the online store that a manifest names, to read.

    Args:
        manifest: The manifest.
        folder: The folder that its paths start from.
        expand: Whether `${FURROW_ONLINE_NAME}` is filled in; never for a manifest from elsewhere
            than its folder, nor for a clone that is not trusted.

    Raises:
        ManifestError: The store's type is not one that Furrow reads, or an option is wrong.
        StoreError: The store can't be opened.
    """
    found: ReadStore = _kind(manifest, "reads").open(
        manifest, folder, _options(manifest, folder, expand=expand), create=False
    )
    return found


def open_store(
    manifest: Manifest, folder: Path, *, create: bool = False, expand: bool = True
) -> OnlineStore:
    """Open the online store of packed records that a manifest names, to read and write.

    Args:
        manifest: The manifest.
        folder: The folder that its paths start from.
        create: Make an embedded store if there is none.
        expand: As in `open_reader`.

    Raises:
        ManifestError: The store's type is not one that Furrow writes, or an option is wrong.
        StoreError: The store can't be opened.
    """
    kind = _kind(manifest, "writes" if create else "reads", written=True)
    found: OnlineStore = kind.open(
        manifest, folder, _options(manifest, folder, expand=expand), create=create
    )
    return found


def _kind(manifest: Manifest, what: str, *, written: bool = False) -> OnlineKind:
    kind = online_kind(manifest)
    if kind is None or (written and not kind.writes):
        known = " or ".join(one.types[-1] for one in ONLINE_KINDS if one.writes)
        raise ManifestError(
            f"online_store.type: {manifest.online_store.type!r} is not a store that Furrow's client"
            f" {what}",
            field="online_store.type",
            hint=f"use {known}",
        )
    return kind


def _options(manifest: Manifest, folder: Path, *, expand: bool) -> dict[str, Any]:
    options = manifest.online_store.options
    if expand and any("${" in str(value) for value in options.values()):
        # asks Git, where there is something to fill in
        from furrow.ground.trust import is_trusted  # noqa: PLC0415

        expand = is_trusted(folder)
    return {key: _expanded(key, value, expand=expand) for key, value in options.items()}


def _expanded(key: str, value: Any, *, expand: bool) -> Any:
    """A text with its `${FURROW_ONLINE_NAME}` references to the environment filled in.

    The manifest says where they are sent. So it may name what an operator meant for the online
    store, and no more: those variables begin with FURROW_ONLINE_.

    Raises:
        ManifestError: It names another variable, one that the environment lacks, or may name none.
    """
    if not isinstance(value, str):
        return value
    field = f"online_store.{key}"

    def lookup(found: re.Match[str]) -> str:
        name = found.group(1)
        if not expand:
            raise ManifestError(
                f"{field} asks for ${{{name}}} of this environment, and the manifest is from"
                " elsewhere",
                field=field,
                hint=(
                    "one from a URL, for another folder or of a clone without `furrow trust` names"
                    " no variables"
                ),
            )
        if not name.startswith(PREFIX):
            raise ManifestError(
                f"{field} asks for ${{{name}}} of this environment, which is not meant for it",
                field=field,
                hint=(
                    f"name it {PREFIX}..., in feature_store.yaml and in the environment, then"
                    " `furrow compile`"
                ),
            )
        if name not in os.environ:
            raise ManifestError(
                f"online_store: the environment variable {name} is not set",
                field="online_store",
                hint=f"set {name}",
            )
        return os.environ[name]

    return re.sub(r"\$\{([^}]*)\}", lookup, value)
