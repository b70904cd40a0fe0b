"""Which files .dvcignore hides, as DVC has it."""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from furrow.layout import DVC
from furrow.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["LONGEST", "Ignored"]

_ALWAYS = (".hg/", ".git/", ".git", f"{DVC}/")
_NAME = ".dvcignore"
_STARS = re.compile(r"[*+]")
FEW_STARS = 3
LONGEST = 300
"""Seconds of processor time that DVC may take to find what patterns of .dvcignore and .gitignore hide."""


class Ignored:
    """The .dvcignore files of a DVC project.

    One at the top, of plain patterns, is read here. Files further down and patterns that take
    others back are DVC's own business: how it joins them is no simple rule, and it is loaded to do
    so.

    Args:
        holder: The folder with .dvc.
    """

    def __init__(self, holder: Path) -> None:
        self._holder = str(holder)
        self._known: dict[str, bool] = {}
        self._looked: dict[str, bool] = {}

    def __call__(self, path: str, *, folder: bool) -> bool:
        """Whether a path, absolute and normal, is hidden."""
        if path == self._holder or not path.startswith(f"{self._holder}{os.sep}"):
            return False
        inside = os.path.dirname(path)
        if self._plain is None or self._rules_below(inside):
            with time_limit(LONGEST, f"{self._holder}: its patterns of ignored files"):
                return bool(self._dvc._is_ignored(path, is_dir=folder))
        if inside != self._holder and self(inside, folder=True):
            return True
        if folder and os.path.exists(f"{path}{os.sep}.dvc"):
            return True  # another project
        name = path[len(self._holder) + 1 :]
        return any(
            (folder or not only) and (matches(name) or (folder and matches(f"{name}/")))
            for matches, only in self._plain
        )

    @cached_property
    def _plain(self) -> list[tuple[Callable[[str], object], bool]] | None:
        """The patterns of the file at the top, and which are of folders only.

        None when DVC has to read them.
        """
        try:
            with open(f"{self._holder}/{_NAME}", encoding="utf-8") as handle:
                lines = [line.strip() for line in handle]
        except (FileNotFoundError, NotADirectoryError):
            lines = []
        except (OSError, UnicodeDecodeError):
            return None
        lines = [line for line in lines if line and not line.startswith("#")]
        if any(line.startswith(("!", "\\")) for line in lines):
            return None
        found = []
        for line in (*_ALWAYS, *lines):
            regex, _ = GitIgnoreSpecPattern.pattern_to_regex(line)
            if regex is not None:
                found.append((_matcher(regex), line.endswith("/")))
        return found

    def _rules_below(self, folder: str) -> bool:
        """Whether a folder, or one between it and the top, has a .dvcignore of its own."""
        if folder == self._holder:
            return False
        if folder not in self._looked:
            has = os.path.exists(f"{folder}/{_NAME}")
            self._looked[folder] = has or self._rules_below(os.path.dirname(folder))
        return self._looked[folder]

    @cached_property
    def _dvc(self) -> Any:
        # DVC, only for rules that it alone knows
        from dvc.fs import LocalFileSystem  # noqa: PLC0415
        from dvc.ignore import DvcIgnoreFilter  # noqa: PLC0415 - the same

        return DvcIgnoreFilter(LocalFileSystem(), self._holder)


def _matcher(regex: str) -> Callable[[str], object]:
    """Whether a path matches a pattern of which pathspec made a regular expression.

    Python tries every way of sharing a text among several stars, which a pattern of a line can make
    take for ever; RE2, slower for the few, does not.
    """
    if len(_STARS.findall(regex)) <= FEW_STARS:
        return re.compile(regex).match
    import pyarrow as pa  # noqa: PLC0415 - for patterns that hardly anybody writes
    import pyarrow.compute as pc  # noqa: PLC0415 - the same

    return lambda name: pc.match_substring_regex(pa.array([name]), regex)[0].as_py()
