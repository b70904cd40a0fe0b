"""Answers: lists of runs that were printed, kept so that `furrow.sh` can print them again without Python.

An answer is a file under the Git directory, in furrow/answers. Its name is the command line, after what decides how
text is encoded. It says on which lines of which files it hangs, and holds as long as they are the same: ids are
immutable, so where HEAD and the references name the same objects, the same list comes out. Its lines:

    where Furrow's code is; what is newer there than the answer makes it void
    "all" when every file of the references matters, and another one, too; else "HEAD"
    PATH LINE: each line of each of those files, by their paths in the Git directory
    (an empty line)
    how many lines of text there are
    how many notes there are
    the text, then the notes, which go to standard error
    "end"

The script gives the file's path in FURROW_ANSWER, whether it exists or not.

Answers are a cache like the index: they can be thrown away at any time.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from furrow.ground.gitfiles import locate, reference_files
from furrow.runs import index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from furrow.runs.selection import Selection

__all__ = ["Basis", "basis", "keep"]

_FOLDER = "answers"
_KEPT = 64
_LONGEST = 1_000_000
_MOST_FILES = 200
_MOST_LINES = 2_000
_MARGIN_S = 2
"""For so long before, the code that gives an answer may have been read."""

_CODE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Basis(NamedTuple):
    """What an answer hangs on.

    Attributes:
        lines: The first lines of the answer.
        time: When they were read, in seconds since 1970.
    """

    lines: list[str]
    time: float


def basis(answer: str, selection: Selection) -> Basis | None:
    """What an answer will hang on. To be asked for before the list is made.

    Args:
        answer: Where it would be kept.
        selection: What history is listed.

    Returns:
        None when it can't be kept: it hangs on more than references, or on too many; or only Git can read them.
    """
    asked = time.time()
    place = locate(os.getcwd())
    if place is None or not place.trusted or os.path.dirname(answer) != f"{place.own}/{index.FOLDER}/{_FOLDER}":
        return None
    if place.own != place.common or any(os.path.exists(f"{place.own}/{name}") for name in ("shallow", "reftable")):
        return None
    if selection.since or selection.rev not in {"", "HEAD"}:
        return None
    try:
        one = _one(place.own) if selection.single else []
        lines = [_CODE, "HEAD", *one] if one else [_CODE, "all", *_all(place.own)]
    except (OSError, ValueError):
        return None
    return Basis(lines, asked) if all(line and "\n" not in line for line in lines) else None


def keep(answer: str, based: Basis, text: bytes, notes: Sequence[bytes]) -> None:
    """Keep an answer, unless it can't be: that is no error.

    Args:
        answer: Where.
        based: What `basis` gave before the list was made.
        text: What was printed.
        notes: Lines that went to standard error.
    """
    lines = [*(line.encode(errors="surrogateescape") for line in based.lines), b""]
    body = text.removesuffix(b"\n").split(b"\n")
    if len(text) > _LONGEST or b"\0" in text or not text.endswith(b"\n") or any(b"\n" in note for note in notes):
        return
    lines += [b"%d" % len(body), b"%d" % len(notes), *body, *notes, b"end", b""]
    folder = os.path.dirname(answer)
    made = f"{folder}/new-{os.getpid()}"
    when = based.time - _MARGIN_S
    with suppress(OSError):
        os.makedirs(folder, exist_ok=True)
        try:
            with open(made, "wb") as handle:
                handle.write(b"\n".join(lines))
            os.utime(made, (when, when))
            os.replace(made, answer)
        except OSError:  # the disk is full, or the name too long for it
            os.unlink(made)
            return
        with os.scandir(folder) as entries:
            ages = sorted((entry.stat().st_mtime, entry.path) for entry in entries)
        for _, path in ages[:-_KEPT]:
            os.unlink(path)


def _one(git: str) -> list[str]:
    """The lines that say which commit HEAD is; none when that hangs on more than its own file and one reference's."""
    head = _lines(git, "HEAD")
    name = head[0].removeprefix("HEAD ref: ")
    if not name.startswith("refs/"):
        return head
    if not os.path.exists(f"{git}/{name}"):
        return []
    lines = _lines(git, name)
    return [] if " ref: " in lines[0] else head + lines


def _all(git: str) -> list[str]:
    """The lines of HEAD and of all references.

    Raises:
        ValueError: There are too many.
    """
    names = ["HEAD", *reference_files(git)]
    if len(names) > _MOST_FILES:
        raise ValueError(names)
    lines = [line for name in names for line in _lines(git, name)]
    if len(lines) > _MOST_LINES:
        raise ValueError(len(lines))
    return lines


def _lines(git: str, name: str) -> list[str]:
    """The lines of a file, each after its path.

    Raises:
        ValueError: It is empty or ends within a line, or its name can't be told from a line.
    """
    with open(f"{git}/{name}", encoding="utf-8", errors="surrogateescape", newline="\n") as handle:
        text = handle.read()
    if not text.endswith("\n") or " " in name:
        raise ValueError(name)
    return [f"{name} {line}" for line in text.removesuffix("\n").split("\n")]
