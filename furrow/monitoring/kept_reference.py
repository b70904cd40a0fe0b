"""The reference of a version: found once, then kept beside the state of monitoring.

A version whose bundle has no profile, or one that can't be read, is compared with something else,
and a sentence says so.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.files import read_json, write_json
from furrow.layout import BUNDLE_JSON
from furrow.layout import model as model_folder
from furrow.monitoring.drift_reference import REFERENCE, Reference, bundled, from_training
from furrow.monitoring.profile_bins import ProfileError
from furrow.monitoring.served_reference import from_first
from furrow.serving.deployment_state import read_followed

if TYPE_CHECKING:
    from datetime import datetime

    from furrow.monitoring.monitor_settings import MonitorSettings
    from furrow.monitoring.monitor_site import Site

__all__ = ["file_name", "reference_for"]


def reference_for(
    site: Site, version: str, model: str, digest: str, *, until: datetime, notes: list[str]
) -> Reference | None:
    """What a version is compared with: its training set, what training left of it, or its first windows.

    Args:
        site: Where it is monitored.
        version: The version.
        model: Its experiment's name.
        digest: Of the features that it serves.
        until: The end of the windows that may be looked at.
        notes: Takes a sentence for what could not be used, and what is done instead.

    Returns:
        None where there is nothing to compare with yet.
    """
    path = site.folder / "references" / f"{file_name(version)}.json"
    if path.is_file():
        try:
            return _plain(read_json(path))
        except FurrowError as exc:
            notes.append(f"{path} is not used, and made again: {exc.message}")
    made, why = None, ""
    if site.settings.reference == "training":
        try:
            made, why = _left_by_training(site, version, model, digest)
        except FurrowError as exc:  # damaged: there are other references
            notes.append(exc.message)
        made = made or from_training(site.root, model, digest, site.settings)
    if made is None:
        made = from_first(site.log, version, site.settings, until=until)
        if made is not None and why:
            notes.append(f"{version} is compared with {made.source}: {why}")
    if made is None:
        waits = (
            f"{version} has no training set here, and not yet {site.settings.first} whole"
            f" {site.settings.window}s to compare with: its drift is unknown"
        )
        notes.append(f"{waits}; {why}" if why else waits)
    else:
        write_json(path, made.to_json())
    return made


def file_name(version: str) -> str:
    """A version as a file's name: what a log says is text from outside.

    Args:
        version: As the log has it.
    """
    plain = "".join(char if char.isalnum() or char in "-._" else "_" for char in version)[:60]
    return f"{plain}-{hashlib.sha256(version.encode(errors='surrogatepass')).hexdigest()[:8]}"


def _left_by_training(
    site: Site, version: str, model: str, digest: str
) -> tuple[Reference | None, str]:
    """What the version's bundle holds, and why that is nothing; "" where there is no bundle here."""
    folder = _bundle(site, version, model, digest)
    if folder is None:
        return None, ""
    made = _shaped(folder, site.settings)
    if made is not None:
        return made, ""
    if not (folder / REFERENCE).is_file():
        return None, "training left no profile in its bundle"
    why = "the profile in its bundle is of another format, window, time zone, season or budget"
    return None, f"{why} than conf/monitor declares"


def _shaped(folder: Path, settings: MonitorSettings) -> Reference | None:
    """`bundled`, for files of any shape."""
    try:
        return bundled(folder, settings)
    except AttributeError as exc:  # a list where a mapping was
        raise ProfileError(f"{folder / REFERENCE} is not a reference: {exc}") from exc


def _plain(value: object) -> Reference:
    """`Reference.from_json`, for values of any shape."""
    try:
        return Reference.from_json(value)
    except AttributeError as exc:
        raise ProfileError(f"a reference is malformed: {exc}") from exc


def _bundle(site: Site, version: str, model: str, digest: str) -> Path | None:
    """The version's bundle, as the server here has it, or the project."""
    followed = read_followed(site.log.parent)
    local = (followed.main, followed.canary, followed.shadow, followed.previous)
    for one in local:
        if one is not None and one.version == version:
            return Path(one.folder)
    folder = site.root / model_folder(model)
    if (folder / BUNDLE_JSON).is_file():
        facts = read_json(folder / BUNDLE_JSON)
        if isinstance(facts, dict) and facts.get("features_digest") == digest:
            return folder
    return None
