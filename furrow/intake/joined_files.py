"""Which files are one table: parts of it in folders, months of it beside each other or in folders of their own."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.intake.dialect import detect
from furrow.intake.file_patterns import shared_begin
from furrow.intake.hive_folders import before_parts, part_keys
from furrow.intake.s3_source import is_s3
from furrow.intake.typed_table import parquet_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FilesOfTable", "joined_files"]

_JSON = {".jsonl", ".ndjson", ".json"}
_PARQUET = {".parquet", ".pq"}
_TEXT = {".csv", ".tsv", ".txt", ".psv"}
_OF_PARTS = {"", "part", "parts", "data", "file", "chunk", "batch", "rows"}
"""Names of files that say nothing of what is in them: their folder does."""


@dataclass(frozen=True)
class FilesOfTable:
    """Files that are one table, in order, and what it is called."""

    name: str
    places: tuple[str, ...]


def joined_files(places: Iterable[str]) -> list[FilesOfTable]:
    """Files whose columns are the same, and whose names or folders differ by numbers, as one table each.

    Columns may stand in another order; JSON need not have the same columns, for what a row has not is not written.

    Args:
        places: Files and addresses of objects, each of one table.

    Returns:
        The tables, in the order of their first files; named by what the names share, or the folder.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for place in places:
        groups.setdefault(_alike_as(place), []).append(place)
    wider: dict[tuple[str, ...], list[list[str]]] = {}
    for like, members in groups.items():
        wider.setdefault(_in_other_folders(like, members), []).append(members)
    found = []
    for those in wider.values():
        if len(those) == 1:
            found.append(_one(those))
            continue
        same: dict[tuple[str, ...], list[list[str]]] = {}
        for members in those:
            columns = () if Path(members[0]).suffix.lower() in _JSON else _columns(members[0])
            same.setdefault(tuple(sorted(columns)), []).append(members)
        found += [_one(each) for each in same.values()]
    return found


def _one(groups: Sequence[list[str]]) -> FilesOfTable:
    places = [place for members in groups for place in members]
    if part_keys(places[0]):
        return FilesOfTable(_folder_name(before_parts(places[0])), tuple(sorted(places)))
    if len(places) == 1:
        return FilesOfTable(Path(places[0]).stem, (places[0],))
    name = re.sub(r"[\W\d_]+$", "", shared_begin([Path(one).stem for one in places]))
    if len(groups) == 1:
        return FilesOfTable(name or Path(places[0]).parent.name, tuple(places))
    if name.casefold() in _OF_PARTS:
        # an address is no path
        name = _folder_name(os.path.commonpath([os.path.dirname(one) for one in places]))  # noqa: PTH120
    return FilesOfTable(name, tuple(sorted(places)))


def _folder_name(folder: str) -> str:
    """The last name of a folder that is not a number, as 2024 is."""
    path = Path(folder) if "://" in folder else Path(folder).absolute()
    named = [one for one in (path.name, *(each.name for each in path.parents)) if one]
    return next((one for one in named if re.search(r"[^\W\d_]", one)), "table")


def _alike_as(place: str) -> tuple[str, ...]:
    """What files of one folder that are one table have in common."""
    suffix = Path(place).suffix.lower()
    if keys := part_keys(place):
        return (
            "parts",
            before_parts(place),
            suffix,
            *keys,
            *([] if suffix in _JSON else sorted(_columns(place))),
        )
    stem, folder = Path(place).stem, place.rpartition("/")[0]
    if not re.search(r"\d", stem):
        return ("alone", place)
    if is_s3(place) or suffix in _JSON:  # what an object holds is not fetched to be looked at
        return ("named", folder, suffix, _numbers_as_one(stem))
    if suffix in _TEXT:
        return ("text", folder, suffix, *sorted(_columns(place)))
    return ("typed", folder, suffix, _numbers_as_one(stem), *sorted(_columns(place)))


def _in_other_folders(like: tuple[str, ...], members: Sequence[str]) -> tuple[str, ...]:
    """What such files have in common with those of folders whose names differ by numbers."""
    folder, suffix = members[0].rpartition("/")[0], Path(members[0]).suffix.lower()
    if like[0] == "parts" or not re.search(r"\d", folder):
        return like
    stems = sorted({_numbers_as_one(Path(one).stem) for one in members})
    return ("folders", _numbers_as_one(folder), suffix, *stems)


def _columns(place: str) -> tuple[str, ...]:
    """The columns of a file in order; none of an object, or where they can't be read."""
    path = Path(place)
    if is_s3(place) or not path.is_file():
        return ()
    if path.suffix.lower() in _PARQUET:
        return tuple(parquet_names(path))
    return detect(path).names


def _numbers_as_one(text: str) -> str:
    return re.sub(r"\d+", "0", text)
