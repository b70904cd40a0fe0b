"""A view as the online store has it: its name in there, and what its records hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.stores.record import ViewSchema

if TYPE_CHECKING:
    from furrow.features.schema import Manifest, View

__all__ = ["schema_of", "stored_name"]


def stored_name(manifest: Manifest, view: str) -> str:
    """A view's name in the store: a project's views are apart from those of others."""
    return f"{manifest.project}/{view}"


def schema_of(view: View) -> ViewSchema:
    """What a view's records hold."""
    return ViewSchema(
        tuple((column.name, column.dtype) for column in view.join_keys),
        tuple((column.name, column.dtype) for column in view.features),
    )
