"""Which views the online store is behind on: told from its watermarks, without reading a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.features.offline_rows import SourceError, find
from furrow.features.open_store import open_reader
from furrow.features.stored_views import schema_of, stored_name
from furrow.stores.store_api import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.features.manifest import Manifest

__all__ = ["behind"]


def behind(manifest: Manifest, folder: Path) -> list[str]:
    """Say which views `furrow features materialize` would take rows for, and why.

    Args:
        manifest: The declared definitions.
        folder: The features folder.
    """
    try:
        store = open_reader(manifest, folder)
    except StoreError as exc:
        return [exc.message]
    lines = []
    try:
        held = store.held()
        for name, view in sorted(manifest.views.items()):
            stored = stored_name(manifest, name)
            record, mark = held.get(stored), store.mark(stored)
            if record is None:
                lines.append(f"{name} is not materialized")
            elif record.digest != view.digest or record.schema != schema_of(view):
                lines.append(f"{name} was materialized from another definition")
            else:
                now = {file.name: file.print for file in find(folder, view).files}
                seen = {file: entry[0] for file, entry in (mark or {}).get("files", {}).items()}
                if now != seen:
                    lines.append(f"{name} has new rows")
    except (StoreError, SourceError) as exc:
        lines.append(exc.message)
    finally:
        store.close()
    return lines
