"""Where a key is: in which versions of data, features, training sets and predictions, of every commit."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from furrow.errors import FurrowError
from furrow.ground.bounded_parquet import UnpackedError, open_bounded
from furrow.ground.folder_list import folder_list
from furrow.ground.git import files_at, git, is_bare
from furrow.ground.project_place import project_prefix
from furrow.history.artifacts import cached, outputs
from furrow.layout import DVC_LOCK, MODELS
from furrow.serving.log_search import same_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["AskedKeyError", "Holding", "find_key", "parse_key", "rows_in"]

_TABLE = ".parquet"
_PIECE = 1 << 16
"""Rows that are looked at at a time."""


class AskedKeyError(FurrowError):
    """What should name somebody does not."""


@dataclass
class Holding:
    """A content of DVC in which a key is.

    Attributes:
        path: Of the file, from the project's root.
        output: The output that it is, or lies in.
        md5: Of the output.
        file_md5: Of the file itself.
        rows: How many rows are about the key.
        commits: Whose output it is; the newest first.
    """

    path: str
    output: str
    md5: str
    file_md5: str
    rows: int
    commits: list[str] = field(default_factory=list)


def parse_key(texts: Sequence[str]) -> list[dict[str, str]]:
    """Ways to name somebody.

    "customer=42", or "country=NL,number=7" where it takes several columns.

    Raises:
        AskedKeyError: A text names no column, or no value.
    """
    found = []
    for text in texts:
        parts = [one.partition("=") for one in text.split(",")]
        if not all(name.strip() and between and value for name, between, value in parts):
            hint = "--key customer=42, or --key country=NL,number=7 where it takes several columns"
            raise AskedKeyError(f"{text!r} names nobody", hint=hint)
        found.append({name.strip(): value for name, _, value in parts})
    return found


def find_key(
    root: Path, keys: Sequence[Mapping[str, str]], also: Iterable[str] = ()
) -> tuple[list[Holding], list[str]]:
    """Look through every table that DVC keeps for any commit, each content once.

    Args:
        root: The project.
        keys: From `parse_key`; a row that one of them names is found.
        also: Commits to look at besides those that changed what DVC keeps, as those of versions.

    Returns:
        The contents in which there are such rows, and what could not be looked at, in words.
    """
    unknown: list[str] = []
    outs = _outputs(root, dict.fromkeys([*_commits(root), *also]), unknown)
    found, counts, away, odd = [], dict[str, int | None](), dict[str, int](), set[str]()
    for (path, md5), commits in outs.items():
        files = _files(root, path, md5)
        if files is None:
            away[path] = away.get(path, 0) + 1
            continue
        for each, content in files:
            if not each.endswith(_TABLE):
                odd.add(each)
                continue
            if content not in counts:
                counts[content] = _count(root, each, content, keys)
            rows = counts[content]
            if rows is None:
                away[path] = away.get(path, 0) + 1
            elif rows:
                found.append(Holding(each, path, md5, content, rows, commits))
    unknown += [
        f"{path}: {count} contents of it are not on this machine: `dvc fetch --all-commits`"
        for path, count in sorted(away.items())
    ]
    if odd:
        said = f"{len(odd)} files are no Parquet and were not searched, such as {min(odd)}"
        unknown.append(said)
    return found, unknown


def _outputs(
    root: Path, commits: Iterable[str], unknown: list[str]
) -> dict[tuple[str, str], list[str]]:
    """The commits that have an output, by path and content; a model holds no rows."""
    found: dict[tuple[str, str], list[str]] = {}
    for commit in commits:
        try:
            tracked = files_at(root, commit)
            for path, output in outputs(root, commit).items():
                at = bisect_left(tracked, path)  # what Git has is in no cache
                inside = at < len(tracked) and (
                    tracked[at] == path or tracked[at].startswith(f"{path}/")
                )
                if not inside and not path.startswith(f"{MODELS}/"):
                    found.setdefault((path, output.md5), []).append(commit)
        except FurrowError as exc:
            unknown.append(exc.message)
    return found


def _commits(root: Path) -> list[str]:
    """Every commit of any reference that changed what DVC keeps, and HEAD, the newest first."""
    head = git(root, "rev-parse", "--verify", "--quiet", "HEAD", ok=(0, 1)).decode().split()
    prefix = f":(top,glob){project_prefix(root)}"
    places = [f"{prefix}{name}" for name in (DVC_LOCK, "*.dvc", "**/*.dvc")]
    # in full: Git leaves out a branch whose changes a merge did not take, and its data are there all the same
    asked = ("rev-list", "--full-history", "--all", *head)
    changed = git(root, *asked, "--", *places).decode().split()
    return list(dict.fromkeys([*head, *changed]))


def _files(root: Path, path: str, md5: str) -> list[tuple[str, str]] | None:
    """An output's files as (path, md5); None when the list of a folder is not here."""
    if not md5.endswith(".dir"):
        return [(path, md5)]
    listing = cached(root, md5)
    if listing is None:
        return None
    try:
        files = folder_list(listing.read_bytes())
        return [(f"{path}/{name}", one) for name, one in files.items()]
    except (OSError, ValueError):
        return None


def _count(root: Path, path: str, md5: str, keys: Sequence[Mapping[str, str]]) -> int | None:
    """How many rows of a table a key names; None when it is not here or can't be read."""
    place = cached(root, md5) or _in_work_tree(root, path, md5)
    return None if place is None else rows_in(place, keys)


def rows_in(place: Path, keys: Sequence[Mapping[str, str]]) -> int | None:
    """How many rows of a Parquet file one of some keys names; None when it can't be read.

    Args:
        place: The file.
        keys: From `parse_key`.
    """
    try:
        with open_bounded(place) as file:
            there = set(file.schema.names)
            asked = [key for key in keys if set(key) <= there]
            names = sorted({name for key in asked for name in key})
            parts = file.parts(_PIECE, names) if asked else ()
            return sum(_rows(batch, asked) for part in parts for batch in part.to_batches())
    except (OSError, pa.ArrowException, UnpackedError):
        return None


def _in_work_tree(root: Path, path: str, md5: str) -> Path | None:
    if is_bare(root) or not (root / path).is_file():
        return None
    with (root / path).open("rb") as handle:
        found = hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return root / path if found == md5 else None


def _rows(batch: pa.RecordBatch, keys: Sequence[Mapping[str, str]]) -> int:
    any_of: Any = None
    for told in _each(batch, keys):
        any_of = told if any_of is None else pc.or_(any_of, told)
    return int(pc.sum(any_of).as_py() or 0) if any_of is not None else 0


def _each(batch: pa.RecordBatch, keys: Sequence[Mapping[str, str]]) -> Iterator[Any]:
    for key in keys:
        told: Any = None
        for name, value in key.items():
            same = same_value(batch.column(name), value)
            told = same if told is None else pc.and_(told, same)
        yield told
