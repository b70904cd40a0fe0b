"""Whether manifest.json is what the definitions give, told without running them: by a hash of all it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from furrow.features.contract import CONTRACT
from furrow.features.manifest import repository_root
from furrow.files import FileError, read_json, sha256_file, sha256_json, write_json

__all__ = ["is_current", "remember"]

KNOWN = Path(".furrow") / "features.json"


def is_current(repo_dir: Path) -> bool:
    """Whether `remember` was called for the files as they are now.

    Args:
        repo_dir: The features folder.
    """
    root = repository_root(repo_dir)
    known = _remembered(root).get(_key(repo_dir, root))
    return (repo_dir / "manifest.json").is_file() and known == _fingerprint(repo_dir, root)


def remember(repo_dir: Path) -> None:
    """Note that manifest.json is what the definitions give, so that the next look needs no Feast.

    Args:
        repo_dir: The features folder; its manifest has just been compiled and written.
    """
    root = repository_root(repo_dir)
    known = _remembered(root) | {_key(repo_dir, root): _fingerprint(repo_dir, root)}
    try:
        write_json(root / KNOWN, known)
    except FileError:
        return  # a read-only checkout: the next look is slower, that is all


def _key(repo_dir: Path, root: Path) -> str:
    return repo_dir.resolve().relative_to(root).as_posix()


def _remembered(root: Path) -> dict[str, Any]:
    try:
        known = read_json(root / KNOWN)
    except FileError:
        return {}
    return known if isinstance(known, dict) else {}


def _fingerprint(repo_dir: Path, root: Path) -> str:
    """A hash of every file that the manifest comes from, and of itself."""
    names = ["feature_store.yaml", "manifest.json", ".feastignore"]
    files = [path for name in names if (path := repo_dir / name).is_file()]
    files += [path for path in repo_dir.rglob("*.py") if not {".venv", "__pycache__"} & set(path.parts)]
    files += (repo_dir / "tables").rglob("*.sql")
    found = {path.relative_to(repo_dir).as_posix(): sha256_file(path) for path in files}
    if (root / CONTRACT).is_file():
        found["contract"] = sha256_file(root / CONTRACT)
    return sha256_json(found)
