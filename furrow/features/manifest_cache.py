"""Whether manifest.json is what the definitions give, told without running them.

By a hash of all it comes from.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.features.manifest import ManifestError, parse, repository_root
from furrow.features.raw_columns import CONTRACT
from furrow.files import (
    FileError,
    canonical_json,
    machine_file,
    sha256_file,
    sha256_json,
    write_json,
    write_text,
)
from furrow.ground.kept_here import read_kept
from furrow.layout import FEATURE_STORE_YAML, FURROW, MANIFEST_JSON

if TYPE_CHECKING:
    from furrow.features.schema import Manifest

__all__ = ["KNOWN", "compiled", "fingerprint", "is_current", "remember"]

KNOWN = Path(FURROW) / "features.json"


def is_current(repo_dir: Path) -> bool:
    """Whether manifest.json was seen to be what the files, as they are now, give.

    Args:
        repo_dir: The features folder.
    """
    return (repo_dir / MANIFEST_JSON).is_file() and _entry(repo_dir) == {
        "files": fingerprint(repo_dir)
    }


def compiled(repo_dir: Path) -> Manifest | None:
    """The manifest that the files, as they are now, gave when they were last run, if manifest.json is not it.

    Args:
        repo_dir: The features folder.
    """
    entry = _entry(repo_dir)
    if entry.get("files") != fingerprint(repo_dir) or "manifest" not in entry:
        return None
    try:
        return parse(canonical_json(entry["manifest"]), origin=str(KNOWN), depth=_depth(repo_dir))
    except (ManifestError, ValueError):
        return None


def remember(repo_dir: Path, seen: str | None = None, manifest: Manifest | None = None) -> None:
    """Note what the definitions give, so that the next look needs no Feast.

    Args:
        repo_dir: The features folder.
        seen: The fingerprint of the files that were run; of those that are there now if None.
        manifest: What they gave; None if manifest.json is just that.
    """
    root = repository_root(repo_dir)
    entry: dict[str, Any] = {"files": seen or fingerprint(repo_dir)}
    if manifest is not None:
        entry["manifest"] = manifest.to_json()
    try:
        apart = machine_file(root, (Path(FURROW) / ".gitignore").as_posix())
        if not apart.exists():  # what a commit holds is believed no more
            write_text(apart, "*\n")
        write_json(machine_file(root, KNOWN), _remembered(root) | {_key(repo_dir, root): entry})
    except FileError:
        return  # a read-only checkout: the next look is slower, that is all


def _entry(repo_dir: Path) -> dict[str, Any]:
    root = repository_root(repo_dir)
    entry = _remembered(root).get(_key(repo_dir, root))
    return entry if isinstance(entry, dict) else {}


def _depth(repo_dir: Path) -> int:
    return len(repo_dir.resolve().relative_to(repository_root(repo_dir)).parts)


def _key(repo_dir: Path, root: Path) -> str:
    return repo_dir.resolve().relative_to(root).as_posix()


def _remembered(root: Path) -> dict[str, Any]:
    known = read_kept(root, KNOWN.as_posix())
    return known if isinstance(known, dict) else {}


def fingerprint(repo_dir: Path) -> str:
    """A hash of every file that the manifest comes from, of itself, and of what makes it of them.

    Args:
        repo_dir: The features folder.
    """
    root = repository_root(repo_dir)
    names = [FEATURE_STORE_YAML, MANIFEST_JSON, ".feastignore"]
    files = [path for name in names if (path := repo_dir / name).is_file()]
    files += [
        path for path in repo_dir.rglob("*.py") if not {".venv", "__pycache__"} & set(path.parts)
    ]
    files += (repo_dir / "tables").rglob("*.sql")
    found = {path.relative_to(repo_dir).as_posix(): sha256_file(path) for path in files}
    if (root / CONTRACT).is_file():
        found["contract"] = sha256_file(root / CONTRACT)
    return sha256_json({**found, "read by": _reader()})


@cache
def _reader() -> str:
    """A hash of the code that reads definitions, and the version of Feast."""
    here = Path(__file__).parent
    files = [*here.glob("*.py"), *(here.parent / "ground" / "feast").glob("*.py")]
    code = {path.name: sha256_file(path) for path in files}
    return sha256_json({**code, "feast": version("feast")})
