"""A clean checkout of a commit in a temporary folder: it borrows the repository's objects and touches nothing of it."""

from __future__ import annotations

import fcntl
import os
import posixpath
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import common_dir, git
from furrow.ground.project_place import project_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Checkout", "checkout"]

PREFIX = "furrow-replay-"
_LOCK = "lock"
_KEPT = "kept"
_SETTLED_SECONDS = 60.0


@dataclass(frozen=True)
class Checkout:
    """A commit's files, and room beside them.

    Paths are told from the project's root.

    Attributes:
        root: The project in it: the work tree's top, or a folder in it.
        room: A folder beside it on the same file system, for what must not be in it.
        commit: The commit's id.
        prefix: Where the project is in the work tree: "" at its top, else a path with a slash behind it.
    """

    root: Path
    room: Path
    commit: str
    prefix: str = ""

    def _near(self, path: str) -> str:
        """A path of Git's, as it is from the project's root."""
        return posixpath.relpath(path, self.prefix) if self.prefix else path

    def _whole(self, path: str) -> str:
        return posixpath.normpath(f"{self.prefix}{path}") if self.prefix else path

    def tracked(self) -> frozenset[str]:
        """The paths that the commit holds."""
        listed = git(self.root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", self.commit)
        return frozenset(self._near(os.fsdecode(name)) for name in listed.split(b"\0") if name)

    def changed(self) -> list[str]:
        """Paths that the commit holds and that are other now, or gone."""
        git(self.root, "update-index", "-q", "--really-refresh", ok=(0, 1))
        listed = git(self.root, "diff-files", "-z", "--name-only", "--no-ext-diff", "--ignore-submodules")
        return sorted(self._near(os.fsdecode(name)) for name in listed.split(b"\0") if name)

    def restore(self, paths: Sequence[str]) -> None:
        """Give paths the commit's content again."""
        if paths:
            names = b"\0".join(os.fsencode(f":(literal,top){self._whole(path)}") for path in paths)
            options = ("--pathspec-from-file=-", "--pathspec-file-nul")
            git(self.root, "checkout", "-q", self.commit, *options, stdin=names)

    def blob(self, path: str) -> bytes | None:
        """The commit's content of a path; None when it has no such file."""
        found = git(self.root, "ls-tree", "-z", "--full-tree", self.commit, "--", f":(literal){self._whole(path)}")
        words = found.split(b"\t", 1)[0].split()
        if len(words) != 3 or words[1] != b"blob":
            return None
        return git(self.root, "cat-file", "blob", words[2].decode())


@contextmanager
def checkout(repo: Path, commit: str, *, parent: Path | None = None, keep: bool = False) -> Iterator[Checkout]:
    """Check a commit out in a folder of its own, removed at the end whatever happens.

    The folder is a repository of its own whose objects are borrowed: no lock, reference or worktree entry is made in
    the repository itself, so that it may be bare, shallow or read-only, and any number may be made at once. What a
    killed process left behind is swept by the next call.

    Args:
        repo: A folder inside the repository.
        commit: The full id of a commit.
        parent: Where; by default the folder for temporary files.
        keep: Leave it there.

    Raises:
        FurrowError: There is no room for it.
        GitError: An object of the commit is missing or damaged.
    """
    base = Path(parent or tempfile.gettempdir()).resolve()
    _sweep(base)
    try:
        home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    except OSError as exc:
        raise FurrowError(
            f"cannot make a folder in {base}: {exc.strerror}", hint="set TMPDIR to one with room"
        ) from exc
    with (home / "mine").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (home / "mine").replace(home / _LOCK)  # so that nobody ever sees it without its owner
        try:
            prefix = project_prefix(repo)
            made = Checkout(home / "tree" / prefix, home / "room", commit, prefix)
            _fill(made, home / "tree", repo)
            yield made
        finally:
            if keep:
                (home / _LOCK).replace(home / _KEPT)
            else:
                shutil.rmtree(home, ignore_errors=True)


def _fill(made: Checkout, top: Path, repo: Path) -> None:
    top.mkdir()
    made.room.mkdir()
    shared = common_dir(repo)
    kind = os.fsdecode(git(repo, "rev-parse", "--show-object-format")).strip()
    git(top, "init", "-q", "--template=", f"--object-format={kind}")
    info = top / ".git/objects/info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "alternates").write_bytes(os.fsencode(shared / "objects") + b"\n")
    if (shared / "shallow").is_file():
        shutil.copy(shared / "shallow", top / ".git/shallow")
    git(top, "checkout", "-q", "--detach", made.commit)


def _sweep(base: Path) -> None:
    """Remove folders whose owner is gone: nobody holds their lock."""
    for home in base.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if (home / _KEPT).exists():
                continue
            if (home / _LOCK).exists():
                with (home / _LOCK).open("r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(home, ignore_errors=True)
            elif time.time() - home.stat().st_mtime > _SETTLED_SECONDS:  # killed before it was locked, or written again
                shutil.rmtree(home, ignore_errors=True)
