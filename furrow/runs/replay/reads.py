"""What a stage read and does not declare: files of the commit, data of DVC's, files elsewhere, the network."""

from __future__ import annotations

import re
import tempfile
from importlib.util import source_from_cache
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.runs.code import CodeError, import_closure
from furrow.runs.replay.verdict import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from furrow.ground.dvc import Stage
    from furrow.runs.replay.bench import Attempt, Bench
    from furrow.runs.replay.settings import Settings

__all__ = ["undeclared"]

_CONTROL = (".git", ".gitignore", ".gitattributes", ".gitmodules", ".dvc", ".dvcignore", "dvc.lock")
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys", "/dev", "/run", "/var", "/opt")
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
        reading = _network(entry) if entry.startswith("socket:") else _file(_source(entry), root, bench, prefixes)
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


def _file(path: Path, root: Path, bench: Bench, prefixes: Sequence[str]) -> Reading | None:
    real = Path(*path.parts)
    if real.is_relative_to(root):
        inside = Path(_plain(real)).relative_to(root) if Path(_plain(real)).is_relative_to(root) else None
        if inside is None:
            return None
        name = inside.as_posix()
        if name in bench.tracked:
            return Reading(name, "commit", "python")
        kept = any(name == path or name.startswith(f"{path}/") for path in bench.items)
        return Reading(name, "dvc", "python") if kept and not bench.in_git(name) else None
    if any(real.is_relative_to(prefix) for prefix in (*prefixes, *_SYSTEM)) or not real.is_file():
        return None
    if bench.supply.home is not None and real.resolve().is_relative_to(bench.supply.home.resolve()):
        return Reading(str(real), "outside", "python")
    temporary, home = Path(tempfile.gettempdir()), Path.home()
    hidden = real.is_relative_to(home) and real.relative_to(home).parts[0].startswith(".")
    if hidden or real.is_relative_to(temporary) or "site-packages" in real.parts or "__pycache__" in real.parts:
        return None
    return Reading(str(real), "outside", "python")


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
        if path in self.code or path.split("/", 1)[0] in _CONTROL or path.endswith((".dvc", "/.gitignore")):
            return True
        return any(path == one or path.startswith(f"{one}/") for one in self.paths)


def _declared(stage: Stage, bench: Bench, settings: Settings) -> _Declared:
    paths = [item.path for item in (*stage.deps, *stage.outs)] + [one.path for one in stage.parameters]
    keys = [key for one in stage.parameters for key in one.keys]
    code: set[str] = set()
    if any(_matches(key, settings.code_keys) for key in keys):
        root = bench.tree.root
        for entry in re.findall(r"-m\s+([\w.]+)", " ".join(stage.commands)):
            try:
                closure = import_closure(root, entry)
            except CodeError:
                continue
            code |= {path.relative_to(root).as_posix() for path in closure.values()}
    return _Declared(paths, code)


def _matches(key: str, patterns: Sequence[str]) -> bool:
    return any(key == pattern or (pattern.endswith(".*") and key.startswith(pattern[:-1])) for pattern in patterns)
