"""Hold lock files against a list of known faults, without a network: `make audit DATABASE=FOLDER`.

The list is a folder (or zip files in one) of records in the OSV format, one JSON file each, as
osv.dev publishes them for PyPI; whoever runs this brings it. Exit codes: 0 nothing known, 1
something is, 2 there is nothing to compare.
"""

from __future__ import annotations

import argparse
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from furrow.parse import ParseError, parse_json
from furrow.safe_text import line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Finding:
    """A locked distribution with a known fault."""

    name: str
    version: str
    fault: str
    summary: str


def locked(text: str) -> dict[str, str]:
    """Versions by normalised name, of a lock file's text."""
    return {canonicalize_name(name): version for name, version in _PIN.findall(text)}


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every record of the folder, its zip files included.

    Raises:
        ParseError: A file is no JSON, or beyond bounds.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json":
            yield _record(path.read_bytes(), str(path))
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if name.endswith(".json"):
                        yield _record(archive.read(name), f"{path}:{name}")


def _record(content: bytes, where: str) -> dict[str, Any]:
    value = parse_json(content, where)
    if not isinstance(value, dict) or "id" not in value:
        raise ParseError(where, "it is no OSV record: it has no id")
    return value


def findings(pins: dict[str, str], known: Iterable[dict[str, Any]]) -> tuple[list[Finding], int]:
    """The pins that a record is about, and how many records are about PyPI at all."""
    found, count = set(), 0
    for record in known:
        for part in record.get("affected") or []:
            package = part.get("package") or {}
            if package.get("ecosystem") != "PyPI":
                continue
            count += 1
            name = canonicalize_name(str(package.get("name", "")))
            if name in pins and not record.get("withdrawn") and _concerns(pins[name], part):
                text = record.get("summary") or record.get("details") or ""
                aliases = ", ".join(map(str, record.get("aliases") or []))
                fault = f"{record['id']} ({aliases})" if aliases else str(record["id"])
                found.add(Finding(name, pins[name], fault, " ".join(str(text).split())[:160]))
    return sorted(found), count


def _concerns(pinned: str, part: dict[str, Any]) -> bool:
    """Whether a version is listed, or lies in a range; one that can't be compared counts as listed."""
    if pinned in (part.get("versions") or []):
        return True
    ranges = [one for one in part.get("ranges") or [] if one.get("type") == "ECOSYSTEM"]
    try:
        return any(_inside(Version(pinned), one.get("events") or []) for one in ranges)
    except InvalidVersion:
        return True


def _inside(version: Version, events: Sequence[dict[str, str]]) -> bool:
    """OSV's rule: the events in order of version, each switching it on or off."""
    inside = False
    steps = [(_at(text), kind) for event in events for kind, text in event.items()]
    for at, kind in sorted(steps, key=lambda step: step[0]):
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _at(text: str) -> Version:
    return Version("0.dev0" if text == "0" else text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the lock files and the database, and say what is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--database",
        type=Path,
        required=True,
        help="A folder of OSV records, or of zip files of them.",
    )
    parser.add_argument("locks", type=Path, nargs="+")
    asked = parser.parse_args(arguments)
    pins: dict[str, str] = {}
    for path in asked.locks:
        pins |= locked(path.read_text(encoding="utf-8"))
    try:
        found, count = findings(pins, records(asked.database))
    except (ParseError, OSError, zipfile.BadZipFile) as exc:
        print(line(f"error: {exc}"), file=sys.stderr)
        return 2
    if not count or not pins:
        what = (
            f"{asked.database} holds no record about PyPI" if pins else "the lock files pin nothing"
        )
        print(line(f"error: {what}: nothing was compared"), file=sys.stderr)
        return 2
    for one in found:
        print(line(f"{one.name} {one.version}: {one.fault}: {one.summary}"))
    print(f"{len(pins)} distributions against {count:,} records: {len(found)} known faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
