"""What this machine holds besides Git and DVC: Feast's registry, and the online store.

What was applied last.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from furrow.features.online_kinds import online_kind
from furrow.files import FileError, machine_file, sha256_json, write_json
from furrow.ground.kept_here import read_kept
from furrow.layout import FURROW, REGISTRY_DB
from furrow.plan.plan_spec import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.features.manifest import Manifest
    from furrow.plan.durations import Durations

__all__ = ["APPLIED", "local_resources", "note_applied", "online_state"]

APPLIED = f"{FURROW}/applied.json"


def _applied(root: Path) -> dict[str, Any]:
    found = read_kept(root, APPLIED)
    return found if isinstance(found, dict) and found.get("format") == 1 else {}


def note_applied(root: Path, **facts: Any) -> None:
    """Note what was brought up to date; the note may be lost at any time."""
    write_json(machine_file(root, APPLIED), {**_applied(root), "format": 1, **facts})


def online_state(manifest: Manifest, folder: Path) -> str:
    """A hash of what the online store should hold.

    The views' digests, and their files' sizes and times.
    """
    files: dict[str, Any] = {}
    for name, view in manifest.views.items():
        path = folder / view.source
        found = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
        files[name] = [
            view.digest,
            [[str(each.stat().st_size), str(each.stat().st_mtime_ns)] for each in found],
        ]
    return sha256_json(
        {"store": [manifest.online_store.type, dict(manifest.online_store.options)], "views": files}
    )


def local_resources(
    root: Path,
    manifest: Manifest,
    *,
    changed: bool,
    building: Mapping[str, str],
    durations: Durations,
) -> list[Resource]:
    """The registry and the online store as resources.

    Args:
        root: The repository.
        manifest: The declared definitions.
        changed: Whether they differ from those on file.
        building: Why, by the path of each feature table that is about to be built.
        durations: How long registration and materialization took before.
    """
    applied = _applied(root)
    registry = _registry(root, manifest, applied, changed=changed, seconds=durations.of("registry"))
    seconds = durations.of("materialize")
    return [
        registry,
        _online(root, manifest, applied, changed=changed, building=building, seconds=seconds),
    ]


def _registry(
    root: Path,
    manifest: Manifest,
    applied: Mapping[str, Any],
    *,
    changed: bool,
    seconds: float | None,
) -> Resource:
    if not (root / REGISTRY_DB).is_file():
        return Resource(
            "registry",
            "registry",
            "add",
            (f"{REGISTRY_DB} is not there",),
            seconds=seconds,
            local=True,
        )
    if changed or applied.get("registry") != manifest.digest:
        return Resource(
            "registry",
            "registry",
            "change",
            ("the definitions changed",),
            seconds=seconds,
            local=True,
        )
    return Resource("registry", "registry", "unchanged", seconds=0.0, local=True)


def _online(
    root: Path,
    manifest: Manifest,
    applied: Mapping[str, Any],
    *,
    changed: bool,
    building: Mapping[str, str],
    seconds: float | None,
) -> Resource:
    def resource(action: Any, *why: str) -> Resource:
        return Resource(
            "online_store",
            "online_store",
            action,
            why,
            seconds=seconds if action != "unchanged" else 0.0,
            local=True,
        )

    folder = root / "features"
    tables = sorted(
        {view.table for view in manifest.views.values() if view.table and view.table in building}
    )
    store = folder / str(manifest.online_store.options.get("path", "../build/online"))
    kind = online_kind(manifest)
    embedded = kind is not None and kind.embedded
    if embedded and not store.exists():
        return resource("add", "nothing is materialized yet")
    if tables:
        return resource("change", *(f"{table} is built anew" for table in tables))
    if changed:
        return resource("change", "the definitions changed")
    state = online_state(manifest, folder)
    if embedded and applied.get("online") == state:
        return resource("unchanged")
    behind = _behind(manifest, folder)
    if behind:
        return resource("change", *behind)
    if embedded:
        with suppress(FileError):
            note_applied(
                root, online=state
            )  # so that the store need not be asked again; a server others write to too
    return resource("unchanged")


def _behind(manifest: Manifest, folder: Path) -> list[str]:
    """The views that the store holds nothing, or older rows, of: asked of the store itself."""
    # Arrow and the store, when there is no note of it
    from furrow.features.freshness import behind  # noqa: PLC0415

    return behind(manifest, folder)
