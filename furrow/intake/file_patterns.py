"""Files of one table by a pattern, so that the next one of them is of it, too: readings-*.parquet."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.intake.given_error import GivenError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["files_of", "pattern_of", "shared_begin"]

_SPECIAL = set("*?[")


def pattern_of(places: Sequence[str]) -> str:
    """The pattern that several files' names follow; empty where it says more or less than they do.

    Args:
        places: Files of one folder, or of folders whose names differ by numbers or are parts of a
            table (KEY=VALUE), in the order in which they are landed.
    """
    if len(places) < 2 or any("://" in one or _SPECIAL & set(one) for one in places):
        return ""
    paths = [place.split("/") for place in places]
    suffixes = {Path(path[-1]).suffix for path in paths}
    if len({len(path) for path in paths}) > 1 or len(suffixes) > 1:
        return ""
    suffix = suffixes.pop()
    folders = [_folder_pattern(sorted(set(names))) for names in list(zip(*paths, strict=True))[:-1]]
    stems = sorted({path[-1].removesuffix(suffix) for path in paths})
    if any("=*" in one for one in folders):
        name = "*"  # how a part's files are called is left to what wrote them
    elif any("*" in one for one in folders) and len(stems) == 1:
        name = stems[0]
    else:
        name = _stem_pattern(stems)
        if not re.search(r"[^\W\d_]", name) and not any("*" in one for one in folders):
            return ""
    found = "/".join([*folders, f"{name}{suffix}"])
    return found if name and all(folders[1:]) and _matched(found) == list(places) else ""


def _folder_pattern(names: Sequence[str]) -> str:
    """The pattern of folders at one place of the paths; empty where they share nothing but numbers are no part."""
    if len(names) == 1:
        return names[0]
    keys = {name.partition("=")[0] for name in names}
    if len(keys) == 1 and all("=" in name for name in names):
        return f"{keys.pop()}=*"
    return _stem_pattern(names)


def _stem_pattern(stems: Sequence[str]) -> str:
    """What names share before and behind what differs, which is a star."""
    before = shared_begin(stems)
    before = before[: match.start()] if (match := re.search(r"\d[\W\d_]*$", before)) else before
    rest = [stem[len(before) :] for stem in stems]
    after = shared_begin([one[::-1] for one in rest])[::-1]
    after = after[match.end() :] if (match := re.match(r"[\W\d_]*\d", after)) else after
    return f"{before}*{after}"


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
    # a pattern may be absolute
    return sorted(one for one in glob.glob(pattern) if Path(one).is_file())  # noqa: PTH207


def shared_begin(texts: Sequence[str]) -> str:
    """What texts begin with, all of them.

    Args:
        texts: One at least.
    """
    first, last = min(texts), max(texts)
    return next(
        (first[:at] for at, letter in enumerate(first) if last[at : at + 1] != letter), first
    )
