"""Answers: lists of runs that were printed, kept so that `furrow-runs` can print them again without Python.

An answer is a file in furrow/answers under the Git directory. Its name is the command line, after what decides how
text is encoded. It names the files that the list hangs on (those of the references, of the index and of the code), and
holds while their times, sizes and numbers are the same. Its lines:

    the script that asked, and the Git directory
    four numbers: how many lines each of the following parts has
    the paths of the files; those that are not there must not come to be
    what `stat` says of those that are there: time, size, number, path
    the text
    the notes, which go to standard error
    "end"

The script gives the file's path and its own in FURROW_ANSWER. Answers are a cache like the index: they can be thrown
away at any time.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from furrow.ground.gitfiles import SETTLED_NS, locate, reference_files
from furrow.history import runs_index as index

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from furrow.history.selection import Selection

__all__ = ["Basis", "basis", "keep"]

_FOLDER = "answers"
_KEPT = 64
_LONGEST = 1_000_000
_MOST_FILES = 200


class Basis(NamedTuple):
    """What an answer hangs on.

    Attributes:
        answer: Where it is to be kept.
        script: Which program asked for it.
        paths: Of the files, but for those of the code.
        stats: What they are like.
    """

    answer: str
    script: str
    paths: list[str]
    stats: list[str]


def basis(asked: str, selection: Selection) -> Basis | None:
    """What an answer will hang on. To be asked for before the list is made.

    Args:
        asked: The value of FURROW_ANSWER: where the answer is to be kept, and for which script.
        selection: What history is listed.

    Returns:
        None when it can't be kept: it hangs on more than references, on too many, or on one that is changing now.
    """
    answer, _, script = asked.partition("\n")
    place = locate(os.getcwd())
    if place is None or not place.trusted or os.path.dirname(answer) != f"{place.own}/{index.FOLDER}/{_FOLDER}":
        return None
    if place.own != place.common or selection.since or selection.branches or selection.rev not in {"", "HEAD"}:
        return None
    if any(os.path.exists(f"{place.own}/{name}") for name in ("shallow", "reftable")):
        return None
    try:
        names = reference_files(place.own) if selection.everything else place.head_files()
        stored = f"{index.FOLDER}/{index.FILE}"
        names += ["HEAD", "packed-refs", "shallow", "reftable", stored, f"{stored}-wal"]
        paths = list(dict.fromkeys(f"{place.own}/{name}" for name in names))
        stats = list(_stats(paths))
    except OSError:
        return None
    fit = not selection.single or place.head()
    return Basis(answer, script, paths, stats) if fit and len(paths) <= _MOST_FILES else None


def keep(based: Basis, text: bytes, notes: Sequence[bytes]) -> None:
    """Keep an answer, unless it can't be: that is no error.

    Args:
        based: What `basis` gave before the list was made.
        text: What was printed.
        notes: Lines that went to standard error.
    """
    body = text.removesuffix(b"\n").split(b"\n")
    if len(text) > _LONGEST or b"\0" in text or not text.endswith(b"\n") or any(b"\n" in note for note in notes):
        return
    code = [module.__file__ for name, module in list(sys.modules.items()) if name.startswith("furrow.")]
    folder = os.path.dirname(based.answer)
    with suppress(OSError):
        if list(_stats(based.paths)) != based.stats:
            return
        paths = [*based.paths, based.script, *(path for path in code if path)]
        stats = list(_stats(paths))
        if any("\n" in line for line in (*paths, based.answer)):
            return
        parts = [[os.fsencode(line) for line in paths], [os.fsencode(line) for line in stats], body, notes]
        lines = [os.fsencode(based.script), os.fsencode(os.path.dirname(os.path.dirname(folder)))]
        lines += [b"%d" % len(part) for part in parts] + [line for part in parts for line in part] + [b"end", b""]
        os.makedirs(folder, exist_ok=True)
        _replace(based.answer, b"\n".join(lines))
        with os.scandir(folder) as entries:
            ages = sorted((entry.stat().st_mtime, entry.path) for entry in entries)
        for _, path in ages[:-_KEPT]:
            os.unlink(path)


def _stats(paths: Iterable[str]) -> Iterable[str]:
    """What `stat` says of those files that are there.

    Raises:
        OSError: One has changed so lately that the next change may not show in its time.
    """
    settled = time.time_ns() - SETTLED_NS
    for path in paths:
        with suppress(FileNotFoundError, NotADirectoryError):
            at = os.lstat(path)
            if at.st_mtime_ns > settled:
                raise OSError(path)
            yield f"{at.st_mtime_ns // 1_000_000_000} {at.st_size} {at.st_ino} {path}"


def _replace(path: str, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: It can't be written.
    """
    made = f"{os.path.dirname(path)}/new-{os.getpid()}-{time.time_ns()}"
    with open(made, "xb") as handle:
        try:
            handle.write(content)
            handle.flush()
            os.replace(made, path)
        except OSError:
            os.unlink(made)
            raise
