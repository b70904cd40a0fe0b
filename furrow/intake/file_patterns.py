"""Files of one table by a pattern, so that the next one of them is of it, too: readings-*.parquet."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.intake.given_error import GivenError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["files_of", "pattern_of"]

_SPECIAL = set("*?[")


def pattern_of(places: Sequence[str]) -> str:
    """The pattern that several files' names follow; empty where it says more or less than they do.

    Args:
        places: Files of one folder, in the order in which they are landed.
    """
    folders = {place.rpartition("/")[0] for place in places}
    if len(places) < 2 or len(folders) > 1 or any("://" in one for one in places):
        return ""
    names = [Path(place).name for place in places]
    suffixes = {Path(name).suffix for name in names}
    if len(suffixes) > 1 or any(_SPECIAL & set(place) for place in places):
        return ""
    suffix = suffixes.pop()
    stems = [name.removesuffix(suffix) for name in names]
    before = _shared(stems)
    before = before[: match.start()] if (match := re.search(r"\d[\W\d_]*$", before)) else before
    rest = [stem[len(before) :] for stem in stems]
    after = _shared([one[::-1] for one in rest])[::-1]
    after = after[match.end() :] if (match := re.match(r"[\W\d_]*\d", after)) else after
    if not re.search(r"[^\W\d_]", before + after):
        return ""
    folder = folders.pop()
    found = f"{folder}/{before}*{after}{suffix}" if folder else f"{before}*{after}{suffix}"
    return found if _matched(found) == list(places) else ""


def files_of(root: Path, place: str) -> list[str]:
    """The files that a place of a project names: one, or those of a pattern, sorted.

    Args:
        root: The project.
        place: A file from its root, or a pattern.

    Raises:
        GivenError: Nothing follows the pattern.
    """
    if (root / place).exists() or not _SPECIAL & set(place):
        return [str(root / place)]
    found = _matched(str(Path(glob.escape(str(root))) / place))
    if not found:
        raise GivenError(f"no file is named as {place}", hint="bring the files, or name others")
    return found


def _matched(pattern: str) -> list[str]:
    return sorted(one for one in glob.glob(pattern) if Path(one).is_file())  # noqa: PTH207 - a pattern may be absolute


def _shared(texts: Sequence[str]) -> str:
    """What texts begin with, all of them."""
    first, last = min(texts), max(texts)
    return next(
        (first[:at] for at, letter in enumerate(first) if last[at : at + 1] != letter), first
    )
