"""What people wrote about runs: texts and tags, as Git notes on a run's own content.

A note lies on the tree of runs/NAME, so that it is there wherever that very content is: in every
commit that holds it, in a clone that fetched the notes, in a bare repository. A line is JSON;
nothing is taken away, and a tag is taken off by a later line. Whoever may push notes may write in
any name: a note is a claim.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.errors import UsageError
from furrow.ground.git import git
from furrow.ground.gitobjects import read_objects
from furrow.ground.notes import add_line, noted_blobs, read_lines
from furrow.ground.project_place import project_prefix
from furrow.layout import run as run_folder
from furrow.parse import ParseError, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from furrow.history.load import Run

__all__ = ["NOTE", "RunNote", "note_run", "notes_of", "tags_of", "tags_of_trees", "tree_of"]

NOTE = "runs"
_FORMAT = 1
_LONGEST, _TAG = 4000, 40
_LARGEST = 1 << 20


@dataclass(frozen=True)
class RunNote:
    """One line.

    Attributes:
        text: What was written; may be empty.
        tags: Tags that were put on.
        off: Tags that were taken off.
        who: The name that it was written in.
        when: ISO 8601, UTC.
    """

    text: str
    tags: tuple[str, ...]
    off: tuple[str, ...]
    who: str
    when: str


def note_run(
    run: Run, text: str, *, tags: Iterable[str] = (), off: Iterable[str] = (), now: datetime
) -> None:
    """Write a note on a run.

    Args:
        run: The run.
        text: The text; may be empty where tags are given.
        tags: Tags to put on.
        off: Tags to take off.
        now: When.

    Raises:
        UsageError: There is nothing to write, or too much.
        NoteError: It can't be written.
    """
    put, taken = _clean(tags), _clean(off)
    if not (text.strip() or put or taken):
        raise UsageError("there is nothing to write", hint="give a text, or --tag, or --untag")
    if len(text) > _LONGEST:
        raise UsageError(
            f"a note of {len(text):,} characters",
            hint=f"at most {_LONGEST:,}: put more into a file",
        )
    who = git(run.repo, "config", "user.name", ok=(0, 1)).decode(errors="replace").strip()
    line = {
        "format": _FORMAT,
        "run": run.name,
        "text": text.strip(),
        "tags": put,
        "off": taken,
        "who": who,
        "when": f"{now:%Y-%m-%dT%H:%M:%SZ}",
    }
    add_line(run.repo, NOTE, tree_of(run), json.dumps(line, sort_keys=True))


def _clean(tags: Iterable[str]) -> list[str]:
    found = [tag.strip() for tag in tags if tag.strip()]
    for tag in found:
        if len(tag) > _TAG or not tag.isprintable() or "," in tag:
            raise UsageError(
                f"{tag[:60]!r} is no tag", hint=f"at most {_TAG} letters, without a comma"
            )
    return list(dict.fromkeys(found))


def tree_of(run: Run) -> str:
    """The id of the tree that holds a run's files."""
    place = f"{run.commit}:{project_prefix(run.repo)}{run_folder(run.name)}"
    return git(run.repo, "rev-parse", "--verify", "--end-of-options", place).decode().strip()


def notes_of(run: Run) -> list[RunNote]:
    """The notes on a run, oldest first; lines that can't be read are passed over."""
    return _parsed(read_lines(run.repo, NOTE, tree_of(run)))


def _parsed(lines: Iterable[str]) -> list[RunNote]:
    found = []
    for line in lines:
        try:
            value = parse_json(line)
        except ParseError:
            continue
        if isinstance(value, dict) and value.get("format") == _FORMAT:
            text, who, when = (str(value.get(name) or "") for name in ("text", "who", "when"))
            put, off = (_words(value.get(name)) for name in ("tags", "off"))
            found.append(RunNote(text[:_LONGEST], put, off, who[:200], when[:30]))
    return sorted(found, key=lambda one: one.when)


def _words(value: Any) -> tuple[str, ...]:
    some = value[:50] if isinstance(value, list) else ()
    return tuple(str(one)[:_TAG] for one in some)


def tags_of(notes: Iterable[RunNote]) -> list[str]:
    """The tags that are on, in the order in which they were put on."""
    found: dict[str, None] = {}
    for one in notes:
        found.update(dict.fromkeys(one.tags))
        for tag in one.off:
            found.pop(tag, None)
    return list(found)


def tags_of_trees(repo: Path) -> dict[str, list[str]]:
    """The tags of every run that has a note, by the id of its folder's tree.

    Args:
        repo: A folder inside the repository.
    """
    held = noted_blobs(repo, NOTE)
    blobs = list(dict.fromkeys(blob for some in held.values() for blob in some))
    answers = read_objects(repo, blobs, largest=_LARGEST)
    texts = {
        blob: (content or b"").decode(errors="replace")
        for blob, (_, _, content, _) in zip(blobs, answers, strict=True)
    }
    found = {}
    for tree, some in held.items():
        lines = dict.fromkeys(line for blob in some for line in texts[blob].split("\n") if line)
        found[tree] = tags_of(_parsed(lines))
    return found
