"""A clean checkout of a commit in a temporary folder.

It borrows the repository's objects and touches nothing of it.
"""

from __future__ import annotations

import fcntl
import os
import posixpath
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.checkout_parts import (
    IncompleteError,
    bring_objects,
    bring_submodules,
    conversions,
    copy_attributes,
    doubts,
    reach,
)
from furrow.ground.git import GitError, common_dir, git
from furrow.ground.project_place import project_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
        prefix: Where the project is in the work tree: "" at its top, else a path with a slash
            behind it.
        settings: The clone's settings that make files other than they are stored, as arguments of
            git.
        doubts: Why, by path, for what may be other than who committed it had it: a filter that is
            not here, a submodule that could not be had.
        unlike: Files that Git itself gives otherwise than it would store them: they count as
            unchanged.
    """

    root: Path
    room: Path
    commit: str
    prefix: str = ""
    settings: tuple[str, ...] = ()
    doubts: Mapping[str, str] = field(default_factory=dict)
    unlike: frozenset[str] = frozenset()

    def near(self, path: str) -> str:
        """A path of Git's, as it is from the project's root."""
        return posixpath.relpath(path, self.prefix) if self.prefix else path

    def _whole(self, path: str) -> str:
        return posixpath.normpath(f"{self.prefix}{path}") if self.prefix else path

    def tracked(self) -> frozenset[str]:
        """The paths that the commit holds."""
        listed = git(self.root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", self.commit)
        return frozenset(self.near(os.fsdecode(name)) for name in listed.split(b"\0") if name)

    def changed(self) -> list[str]:
        """Paths that the commit holds and that are other now, or gone."""
        git(self.root, *self.settings, "update-index", "-q", "--really-refresh", ok=(0, 1))
        options = ("-z", "--name-only", "--no-ext-diff", "--ignore-submodules")
        listed = git(self.root, *self.settings, "diff-files", *options)
        return sorted(
            {self.near(os.fsdecode(name)) for name in listed.split(b"\0") if name} - self.unlike
        )

    def restore(self, paths: Sequence[str]) -> None:
        """Give paths the commit's content again."""
        if paths:
            names = b"\0".join(os.fsencode(f":(literal,top){self._whole(path)}") for path in paths)
            options = ("--pathspec-from-file=-", "--pathspec-file-nul")
            git(self.root, *self.settings, "checkout", "-q", self.commit, *options, stdin=names)

    def blob(self, path: str, *, stored: bool = False) -> bytes | None:
        """The commit's content of a path as a work tree has it, or as it is stored.

        None when it has no such file.
        """
        found = git(
            self.root,
            "ls-tree",
            "-z",
            "--full-tree",
            self.commit,
            "--",
            f":(literal){self._whole(path)}",
        )
        words = found.split(b"\t", 1)[0].split()
        if len(words) != 3 or words[1] != b"blob":
            return None
        if stored:
            return git(self.root, "cat-file", "blob", words[2].decode())
        ends = (
            "-c",
            "core.autocrlf=false",
            "-c",
            "core.eol=lf",
        )  # a matter of the clone, not of the content
        named = f"{self.commit}:{self._whole(path)}"
        return git(self.root, *self.settings, *ends, "cat-file", "--filters", named)

    def stores(self, path: str, content: bytes) -> bool:
        """Whether Git would store content of a path as what the commit holds.

        Filters and line ends put aside.
        """
        named = f"{self.commit}:{self._whole(path)}"
        held = git(self.root, "rev-parse", "--verify", "--quiet", named, ok=(0, 1, 128)).strip()
        made = git(
            self.root, *self.settings, "hash-object", "--stdin", f"--path={path}", stdin=content
        ).strip()
        return held == made


@contextmanager
def checkout(
    repo: Path, commit: str, *, parent: Path | None = None, keep: bool = False
) -> Iterator[Checkout]:
    """Check a commit out in a folder of its own, whole, removed at the end whatever happens.

    The folder is a repository of its own whose objects are borrowed: no lock, reference or worktree
    entry is made in the repository itself, so that it may be bare, shallow or read-only, and any
    number may be made at once. What a killed process left behind is swept by the next call.

    Args:
        repo: A folder inside the repository.
        commit: The full id of a commit.
        parent: Where; by default the folder for temporary files.
        keep: Leave it there.

    Raises:
        FurrowError: There is no room for it.
        IncompleteError: Objects of the commit, or contents that its filters stand for, are not to
            be had.
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
            yield _filled(made, home / "tree", repo)
        finally:
            if keep:
                (home / _LOCK).replace(home / _KEPT)
            else:
                shutil.rmtree(home, ignore_errors=True)


def _filled(made: Checkout, top: Path, repo: Path) -> Checkout:
    """Check the commit out with all that belongs to it, and hold what came against the commit."""
    top.mkdir()
    made.room.mkdir()
    bring_objects(repo, made.commit)
    shared = common_dir(repo)
    kind = os.fsdecode(git(repo, "rev-parse", "--show-object-format")).strip()
    git(top, "init", "-q", "--template=", f"--object-format={kind}")
    info = top / ".git/objects/info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "alternates").write_bytes(os.fsencode(shared / "objects") + b"\n")
    if (shared / "shallow").is_file():
        shutil.copy(shared / "shallow", top / ".git/shallow")
    copy_attributes(repo, top / ".git")
    made, ways = replace(made, settings=conversions(repo)), reach(repo)
    try:
        git(top, *made.settings, *ways, "checkout", "-q", "--detach", made.commit)
    except GitError as exc:
        said = exc.stderr.strip().splitlines()
        hint = (
            exc.hint
            or "make `git checkout` of this commit work in a new clone of yours, then replay again"
        )
        raise IncompleteError(
            made.commit, f"Git can't check it out: {said[0] if said else exc}", hint=hint
        ) from exc
    absent = bring_submodules(shared, top, made.commit, ways)
    if not made.root.is_dir():  # the commit has no such project, as whoever looks for it says
        return made
    unlike = frozenset(made.changed())
    gone = sorted(path for path in unlike if not os.path.lexists(made.root / path))
    if gone:
        because = (
            f"{gone[0]} is not in the checkout (is there another path that this disk takes for the"
            " same?)"
        )
        raise IncompleteError(
            made.commit, because, hint="set TMPDIR to a disk that tells names apart"
        )
    found = {
        **doubts(made.root, made.tracked(), made.settings),
        **{made.near(one): why for one, why in absent.items()},
    }
    return replace(made, doubts=found, unlike=unlike)


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
            elif (
                time.time() - home.stat().st_mtime > _SETTLED_SECONDS
            ):  # killed before it was locked, or written again
                shutil.rmtree(home, ignore_errors=True)
