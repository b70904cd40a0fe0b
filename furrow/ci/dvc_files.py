"""What dvc.yaml, dvc.lock, .dvc files and .dvc/config may hold.

Their paths stay inside, their keys are on a list.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.ground.dvc_settings import odd_settings
from furrow.layout import DVC_LOCK, DVC_YAML
from furrow.parse import ParseError, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["Place", "config_lines", "lines_of_file"]

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")
_HOST = re.compile(r"[\w.-]+@[\w.-]+:|[\w.-]+::")
_TOP = {
    DVC_YAML: {"vars", "stages", "params", "metrics", "plots", "artifacts", "schema"},
    DVC_LOCK: {"schema", "stages"},
    ".dvc": {"outs", "deps", "md5", "wdir", "frozen", "meta", "desc", "always_changed"},
}
_STAGE = {"cmd", "deps", "params", "outs", "metrics", "plots", "wdir", "vars", "foreach", "do", "matrix", "frozen",
          "always_changed", "desc", "meta"}  # fmt: skip
_LOCKED = {"cmd", "deps", "params", "outs"}
_RECORD = {"path", "hash", "md5", "size", "nfiles", "isexec"}
_FLAGS = {"cache", "persist", "push", "desc", "type", "labels", "meta", "metric", "plot"}
_PLOT = {"x", "y", "x_label", "y_label", "title", "header", "template"}
_REPO = {"url", "rev", "rev_lock"}


@dataclass(frozen=True)
class Place:
    """A file of DVC's in a commit.

    Attributes:
        file: Its path.
        wrong: Says why a path from the commit's root is refused; empty when it isn't.
        strict: Whether only what a list names may stand in it: it comes from outside.
        imports: Addresses that data may be imported from.
    """

    file: str
    wrong: Callable[[str], str]
    strict: bool = False
    imports: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Where it lies."""
        return posixpath.dirname(self.file)

    def path(self, kind: str, path: str, wdir: str = "") -> Iterator[str]:
        """A path as it stands in the file."""
        where = posixpath.join(self.folder, wdir, path)
        why = (
            "leads out of the repository"
            if _SCHEME.match(path) or _HOST.match(path)
            else self.wrong(where)
        )
        if why:
            yield (
                f"{self.file}: {kind}: {path} {why}"
                if kind != "wdir"
                else f"{self.file}: wdir {path} {why}"
            )

    def keys(self, value: Any, allowed: Collection[str], what: str) -> Iterator[str]:
        """Keys of a mapping that no list names."""
        if self.strict and isinstance(value, dict):
            for key in value:
                if key not in allowed:
                    yield (
                        f"{self.file}: {what} holds {str(key)[:60]!r}, which a commit from outside"
                        " may not"
                    )


def lines_of_file(place: Place, content: bytes) -> Iterator[str]:
    """What a file of DVC's must not hold, in words.

    Args:
        place: The file.
        content: Its bytes.
    """
    try:
        value = parse_yaml(content)
    except ParseError as exc:
        yield f"{place.file}: not valid YAML: {' '.join(str(exc).split())[:200]}"
        return
    if not isinstance(value, dict):
        return
    name = posixpath.basename(place.file)
    kind = name if name in _TOP else ".dvc"
    yield from place.keys(value, _TOP[kind], "it")
    if kind == ".dvc":
        yield from _pointer(place, value)
        return
    stages = value.get("stages")
    blocks = (
        stages
        if isinstance(stages, dict)
        else {}
        if "stages" in value or kind == DVC_YAML
        else value
    )
    for outer in blocks.values():
        yield from _locked(place, outer) if kind == DVC_LOCK else _stage(place, outer)
    if kind == DVC_YAML:
        yield from _variables(place, value.get("vars"))
        for part in ("params", "metrics", "plots"):
            for path, _ in _named(value.get(part)):
                yield from place.path(part, path)
        for one in _mappings(value.get("artifacts")):
            yield from place.path("artifacts", str(one.get("path", ".")))


def _stage(place: Place, outer: Any) -> Iterator[str]:
    yield from place.keys(outer, _STAGE, "a stage")
    block = outer.get("do", outer) if isinstance(outer, dict) else {}
    if not isinstance(block, dict):
        return
    yield from place.keys(block, _STAGE, "a stage")
    wdir = str(block.get("wdir") or ".")
    yield from place.path("wdir", wdir)
    yield from _variables(place, block.get("vars"), wdir)
    for kind in ("outs", "deps", "metrics", "plots"):
        for path, flags in _named(block.get(kind)):
            yield from place.path(kind, path, wdir)
            allowed = set() if kind == "deps" else _FLAGS | (_PLOT if kind == "plots" else set())
            yield from place.keys(flags, allowed, f"{kind}: {path}")
    for entry in block.get("params") or [] if isinstance(block.get("params"), list) else []:
        for path in entry if isinstance(entry, dict) else ():
            yield from place.path("params", str(path), wdir)


def _locked(place: Place, outer: Any) -> Iterator[str]:
    yield from place.keys(outer, _LOCKED, "a stage")
    for kind in ("outs", "deps"):
        for one in _mappings(outer.get(kind) if isinstance(outer, dict) else None):
            yield from place.path(kind, str(one.get("path", ".")))
            yield from place.keys(one, _RECORD, f"{kind}: {one.get('path')}")


def _pointer(place: Place, value: dict[str, Any]) -> Iterator[str]:
    """A .dvc file: where its data go to, and where they come from."""
    wdir = str(value.get("wdir") or ".")
    yield from place.path("wdir", wdir)
    for one in _mappings(value.get("outs")):
        yield from place.path("outs", str(one.get("path", ".")), wdir)
        yield from place.keys(one, _RECORD | _FLAGS, "outs")
    for one in _mappings(value.get("deps")):
        repo, path = one.get("repo"), str(one.get("path", "."))
        address = str(repo.get("url", "")) if isinstance(repo, dict) else path
        if repo is None and not _SCHEME.match(path):
            yield from place.path("deps", path, wdir)
        elif place.strict and address not in place.imports:
            yield (
                f"{place.file}: it imports from {address[:200]}, which `imports` in the target's"
                " conf/ci.yaml lacks"
            )
        yield from place.keys(one, _RECORD | {"repo"}, "deps")
        yield from place.keys(repo, _REPO, "deps: repo")


def _variables(place: Place, value: Any, wdir: str = "") -> Iterator[str]:
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, str):
            name = entry.partition(":")[0]
            if "${" in entry:
                yield f"{place.file}: vars: {entry} is not a plain path"
            elif "://" in entry:
                yield f"{place.file}: vars: {entry} leads out of the repository"
            else:
                yield from place.path("vars", name, wdir)


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    yield from (one for one in inner if isinstance(one, dict))


def _named(value: Any) -> Iterator[tuple[str, Any]]:
    """Paths of a list, or of a mapping, with their flags."""
    if isinstance(value, dict):
        yield from ((str(key), flags) for key, flags in value.items())
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, str):
            yield entry, None
        elif isinstance(entry, dict):
            path = entry.get("path")
            pairs = [(path, entry)] if isinstance(path, str) else list(entry.items())
            yield from ((str(key), flags) for key, flags in pairs)


def config_lines(content: bytes | None) -> list[str]:
    """What a .dvc/config that differs from the target branch's holds beside what is passed over, in words.

    Args:
        content: Of the file, if there is one.
    """
    try:
        odd = odd_settings(content or b"")
    except ValueError as exc:
        return [f".dvc/config can't be read: {exc}"]
    found = [
        f"the file .dvc/config sets {name}, which a commit from outside may not" for name in odd
    ]
    return found or [".dvc/config: differs from the target branch's, and is not believed"]
