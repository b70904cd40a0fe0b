"""Files: atomic writes, canonical JSON, hashes, and paths that stay where they belong."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from furrow.errors import FileError
from furrow.parse import parse_json, read_bytes

__all__ = [
    "FileError",
    "canonical_json",
    "inside",
    "machine_file",
    "machine_folder",
    "open_lock",
    "read_bytes",
    "read_json",
    "sha256_bytes",
    "sha256_file",
    "sha256_json",
    "state_folder",
    "write_bytes",
    "write_json",
    "write_text",
]


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file whole or not at all: write beside it, fsync, rename.

    Raises:
        FileError: The folder can't be written or the disk is full; the old file is untouched.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as handle:
            temporary = handle.name
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as exc:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        hint = "free some space or check the permissions, then run again"
        raise FileError(f"cannot write {path}: {exc.strerror}", path=path, hint=hint) from exc


def write_text(path: Path, text: str) -> None:
    """Replace a text file (UTF-8) whole or not at all."""
    write_bytes(path, text.encode())


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: The value holds NaN or infinity.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys and a final newline, atomically."""
    write_text(
        path,
        json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    )


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        FileError: It is missing, is not JSON, or is beyond bounds.
    """
    try:
        content = read_bytes(path)
    except OSError as exc:
        raise FileError(f"cannot read {path}: {exc.strerror}", path=path) from exc
    return parse_json(content, path)


def sha256_bytes(data: bytes) -> str:
    """Hex sha256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_json(value: Any) -> str:
    """Hex sha256 of a value in canonical JSON."""
    return sha256_bytes(canonical_json(value).encode())


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's content, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def state_folder() -> Path:
    """Where this user's own word about repositories and stores is kept, outside all of them."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(home) / "furrow"


def machine_file(root: Path, path: str | Path) -> Path:
    """A file that a command writes in a clone without being told where.

    A commit may hold a link on the way there.

    Raises:
        FileError: A folder on the way is a symbolic link.
    """
    whole = root / path
    for folder in whole.parents:
        if folder == root:
            break
        if folder.is_symlink():
            hint = "remove it: only this machine writes there, and not to somewhere else"
            raise FileError(f"{folder} is a symbolic link", path=folder, hint=hint)
    return whole


def machine_folder(root: Path, path: str | Path) -> Path:
    """A folder that only this machine writes in a clone; a commit may hold a link in its place, too.

    Raises:
        FileError: It, or a folder on the way, is a symbolic link.
    """
    return machine_file(root, Path(path) / "x").parent


def open_lock(path: Path) -> BinaryIO:
    """Open a file to lock it, or make it; what it holds stays.

    Raises:
        FileError: It is a link, which a commit may have put there, or can't be opened.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)
    except OSError as exc:
        raise FileError(
            f"cannot open {path}: {exc.strerror}",
            path=path,
            hint="it has to be a file that this user may write: remove what is there",
        ) from exc


def inside(root: Path, path: str | Path) -> Path:
    """Resolve a path and hold it inside a folder, symbolic links included.

    Raises:
        FileError: The path leads out of the folder.
    """
    whole = (root / path).resolve()
    if not whole.is_relative_to(root.resolve()):
        raise FileError(
            f"{path} leads out of {root}", path=whole, hint="keep it inside the repository"
        )
    return whole
