"""Where a prediction log's segments lie, and which there are while others write, seal and remove them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["live_folder", "live_segments", "sealed_files", "sealed_folder", "sealed_segments"]


def live_folder(folder: Path) -> Path:
    """Where segments are written."""
    return folder / "live"


def sealed_folder(folder: Path) -> Path:
    """Where Parquet is."""
    return folder / "sealed"


def live_segments(folder: Path) -> list[Path]:
    """The segments that are written, by name; one of them may be sealed before it is opened."""
    return [path for path in _listed(live_folder(folder)) if path.suffix == ".log"]


def sealed_segments(folder: Path) -> list[Path]:
    """The folders of sealed segments, by hour and name; what is being made is none."""
    return [one for hour in _listed(sealed_folder(folder)) for one in _listed(hour)]


def sealed_files(segment: Path) -> list[Path]:
    """A sealed segment's Parquet files, by name; none of one that retention has just removed."""
    return [path for path in _listed(segment) if path.suffix == ".parquet"]


def _listed(folder: Path) -> list[Path]:
    """What is in a folder, by name; nothing of one that is gone, of which `Path.glob` makes an error."""
    try:
        found = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in found if not path.name.startswith(".")]
