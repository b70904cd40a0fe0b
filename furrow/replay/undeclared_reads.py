"""What a stage read and does not declare.

Files of the commit, data of DVC's, files elsewhere, the network.
"""

from __future__ import annotations

import os
import re
import tempfile
from importlib.util import source_from_cache
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.ground.process import WATCH
from furrow.layout import DVC_LOCK
from furrow.replay.replay_verdict import Reading
from furrow.training.code_digest import CodeError, import_closure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from furrow.ground.dvc import Stage
    from furrow.replay.replay_settings import Settings
    from furrow.replay.workbench import Attempt, Bench

__all__ = ["undeclared"]

_CONTROL = (".git", ".gitignore", ".gitattributes", ".gitmodules", ".dvc", ".dvcignore", DVC_LOCK)
_SYSTEM = (
    "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys", "/dev", "/run", "/var/run",
    "/var/cache", "/var/lib/dbus",
)  # fmt: skip
_PROGRAMS = (
    "/opt",
    "/snap",
    "/nix",
    "/var/lib",
)  # what is installed lies there too, and then its code is no input
_CODE = (".py", ".pyc", ".so", ".zip", ".pth", ".jar")
_LOCAL = ("127.", "::1", "localhost", "0.0.0.0")  # noqa: S104 - recognised, not bound


def undeclared(
    stage: Stage, attempt: Attempt, bench: Bench, settings: Settings, prefixes: Sequence[str]
) -> tuple[Reading, ...]:
    """The readings of one run that neither dvc.yaml nor conf/replay.yaml accounts for, sorted.

    Args:
        stage: The stage.
        attempt: Its run.
        bench: Where it ran.
        settings: conf/replay.yaml.
        prefixes: The folders of Python's own installation.
    """
    root = bench.tree.root.resolve()
    declared = _declared(stage, bench, settings)
    found: dict[str, Reading] = {}
    for entry in attempt.opened:
        if entry.startswith("socket:"):
            reading = _network(entry)
        else:
            reading = _file(_source(entry), root, bench, prefixes, fresh=entry in attempt.fresh)
        if reading is not None:
            found[reading.path] = reading
    for path in attempt.touched:
        found.setdefault(path, Reading(path, "commit", "system"))
    return tuple(
        reading
        for path, reading in sorted(found.items())
        if reading.where == "network" or not (declared(path) or settings.covers(stage.name, path))
    )


def _source(entry: str) -> Path:
    """The file behind a path: for cached bytecode its source."""
    path = Path(entry)
    if path.suffix == ".pyc" and path.parent.name == "__pycache__":
        try:
            return Path(source_from_cache(entry))
        except ValueError:
            return path
    return path


def _file(
    path: Path, root: Path, bench: Bench, prefixes: Sequence[str], *, fresh: bool
) -> Reading | None:
    real, prefix = Path(_plain(path)), bench.tree.prefix
    if real.is_relative_to(root.parents[prefix.count("/") - 1] if prefix else root):
        name = Path(os.path.relpath(real, root)).as_posix()
        if name in bench.tracked:
            return Reading(name, "commit", "python")
        kept = any(name == path or name.startswith(f"{path}/") for path in bench.items)
        return Reading(name, "dvc", "python") if kept and not bench.in_git(name) else None
    outside = _input(real, fresh=fresh, bench=bench, prefixes=prefixes)
    return Reading(str(real), "outside", "python") if outside else None


def _input(path: Path, *, fresh: bool, bench: Bench, prefixes: Sequence[str]) -> bool:
    """Whether a file outside the checkout is an input of the stage.

    It is not when it is the system's, the environment's or a library's own, or temporary and made
    by the run.
    """
    own: tuple[str | Path, ...] = (*prefixes, *_SYSTEM, WATCH, bench.tree.room)
    if _within((path,), *own) or not path.is_file():
        return False
    forms = (path, path.resolve())
    if _within(forms, *own):
        return False
    if bench.supply.home is not None and _within(forms, bench.supply.home.resolve()):
        return True
    installed = "site-packages" in path.parts or (
        _within(forms, *_PROGRAMS) and path.suffix in _CODE
    )
    home, temporary = Path.home(), Path(tempfile.gettempdir())
    hidden = path.is_relative_to(home) and path.relative_to(home).parts[0].startswith(".")
    if installed or hidden or "__pycache__" in path.parts:
        return False
    # recognised
    return not (fresh and _within(forms, temporary, temporary.resolve(), "/tmp", "/var/tmp"))  # noqa: S108


def _within(paths: Iterable[Path], *folders: str | Path) -> bool:
    """Whether one of some paths lies in one of some folders."""
    starts = tuple(f"{folder}/" for folder in folders)
    return any(f"{path}/".startswith(starts) for path in paths)


def _plain(path: Path) -> str:
    """A path without "." and "..", its symbolic links left alone."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return str(Path(*parts))


def _network(entry: str) -> Reading | None:
    address = entry.removeprefix("socket:")
    return None if address.startswith(_LOCAL) else Reading(address, "network", "python")


class _Declared:
    """Whether a path is one that a stage declares."""

    def __init__(self, paths: Iterable[str], code: Iterable[str]) -> None:
        self.paths, self.code = tuple(paths), frozenset(code)

    def __call__(self, path: str) -> bool:
        """Whether it is declared."""
        first = next((part for part in path.split("/") if part != ".."), "")
        if path in self.code or first in _CONTROL or path.endswith((".dvc", "/.gitignore")):
            return True
        return any(path == one or path.startswith(f"{one}/") for one in self.paths)


def _declared(stage: Stage, bench: Bench, settings: Settings) -> _Declared:
    paths = [item.path for item in (*stage.deps, *stage.outs)] + [
        one.path for one in stage.parameters
    ]
    here = (
        bench.tree.root.resolve()
    )  # what lies beside a project with a .dvc of its own is told by its whole path
    paths += [os.path.relpath(path, here) for path in paths if path.startswith("/")]
    keys = [key for one in stage.parameters for key in one.keys]
    code: set[str] = set()
    if any(_matches(key, settings.code_keys) for key in keys):
        root = here
        for entry in re.findall(r"-m\s+([\w.]+)", " ".join(stage.commands)):
            try:
                closure = import_closure(root, entry)
            except CodeError:
                continue
            code |= {
                path.relative_to(root).as_posix()
                for path in closure.values()
                if path.is_relative_to(root)  # an installed furrow's modules lie elsewhere
            }
    return _Declared(paths, code)


def _matches(key: str, patterns: Sequence[str]) -> bool:
    return any(
        key == pattern or (pattern.endswith(".*") and key.startswith(pattern[:-1]))
        for pattern in patterns
    )
