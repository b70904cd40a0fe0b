"""What dvc.lock was made from, looked up in Git.

The files that changed since, and old texts by their md5.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.features.sql import canonical, parse_query
from furrow.files import FileError, machine_file, sha256_bytes, write_json
from furrow.ground.git import GitError, git, resolve, show
from furrow.ground.kept_here import read_kept
from furrow.ground.project_place import project_prefix
from furrow.layout import DVC_LOCK, FURROW
from furrow.training.code_digest import import_closure
from furrow.training.stage_code import stage_modules

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Baseline"]

FORMS = f"{FURROW}/sql.json"
_LOOK_BACK = 20


class Baseline:
    """The commit that wrote dvc.lock, as far as Git knows it.

    Args:
        root: The work tree (or the extracted tree of a commit).
        repo: The repository that history is read from.
        commit: The commit of dvc.lock, if it is known.
    """

    def __init__(self, root: Path, repo: Path | None = None, commit: str | None = None) -> None:
        self._root = root
        self._repo = repo or root
        self._given = commit

    @cached_property
    def commit(self) -> str | None:
        """The last commit that changed dvc.lock; None when there is none."""
        if self._given:
            return self._given
        try:
            return (
                git(self._repo, "log", "-1", "--format=%H", "--", DVC_LOCK).decode().strip() or None
            )
        except GitError:
            return None

    @cached_property
    def changed(self) -> frozenset[str]:
        """Paths that differ between that commit and the files now, those that Git does not track yet included."""
        if self.commit is None:
            return frozenset()
        if self._root == self._repo:
            # Not `git diff COMMIT`: that one refreshes the index, and a plan writes nothing.
            since = git(
                self._repo,
                "diff-tree",
                "-r",
                "-z",
                "--name-only",
                "--no-renames",
                self.commit,
                "HEAD",
            )
            status = git(
                self._repo, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"
            )
            names = [*since.split(b"\0"), *(entry[3:] for entry in status.split(b"\0"))]
            return frozenset(self._near(os.fsdecode(name)) for name in names if name)
        listed = git(self._repo, "ls-tree", "-r", "-z", "--full-tree", self.commit).split(b"\0")
        pairs = (entry.split(b"\t", 1) for entry in listed if entry)
        held = {self._near(os.fsdecode(path)): about.split()[2].decode() for about, path in pairs}
        return frozenset(
            path
            for path in {*held, *self._here()}
            if held.get(path) != self._blob(self._root / path)
        )

    def _near(self, path: str) -> str:
        """A path of Git's, as it is from the project's root."""
        prefix = project_prefix(self._repo)
        return (
            path.removeprefix(prefix)
            if path.startswith(prefix)
            else posixpath.relpath(path, prefix or ".")
        )

    def _here(self) -> set[str]:
        return {path.relative_to(self._root).as_posix() for path in self._root.rglob("*.py")}

    @staticmethod
    def _blob(path: Path) -> str | None:
        """Git's own name for a file's content."""
        try:
            content = path.read_bytes()
        except OSError:
            return None
        return hashlib.sha1(
            b"blob %d\0" % len(content) + content, usedforsecurity=False
        ).hexdigest()

    def code(self, stage: str) -> list[str]:
        """The changed files among those that a stage's module imports, the module itself first."""
        try:
            entry = stage_modules(self._root)[stage]
            closure = import_closure(self._root, entry)
        except (FurrowError, KeyError):
            return []
        inside = {name: path for name, path in closure.items() if path.is_relative_to(self._root)}
        paths = {name: path.relative_to(self._root).as_posix() for name, path in inside.items()}
        found = [path for path in paths.values() if path in self.changed]
        return sorted(found, key=lambda path: (path != paths.get(entry), path))

    def below(self, folder: str) -> list[str]:
        """The changed files inside a folder, by their paths in it; nothing for a file."""
        return sorted(
            path[len(folder) + 1 :] for path in self.changed if path.startswith(f"{folder}/")
        )

    def tracked(self, file: str, md5: str) -> str | None:
        """The newest of the last commits at which a .dvc file named a content, if there is one."""
        try:
            for commit in (
                git(self._repo, "log", f"-{_LOOK_BACK}", "--format=%H", "--", file).decode().split()
            ):
                if f"md5: {md5}".encode() in (show(self._repo, commit, file) or b""):
                    return commit
        except GitError:
            pass
        return None

    def old_text(self, path: str, md5: str) -> str | None:
        """The text that a path held when its md5 was this, from its last commits."""
        try:
            revisions = (
                git(self._repo, "log", f"-{_LOOK_BACK}", "--format=%H", "--", path).decode().split()
            )
            head = [resolve(self._repo)]
        except GitError:
            return None
        for commit in dict.fromkeys([*([self.commit] if self.commit else []), *head, *revisions]):
            content = show(self._repo, commit, path)
            if (
                content is not None
                and hashlib.md5(content, usedforsecurity=False).hexdigest() == md5
            ):
                return content.decode("utf-8", "replace")
        return None

    def same_sql(self, path: str, md5: str) -> bool:
        """Whether a SQL file means what it meant when its md5 was this.

        Comments and white space don't count.

        The forms that were seen are kept under .furrow/, which may be removed at any time: an old
        text that no commit holds is known from there.
        """
        try:
            text = (self._root / path).read_text(encoding="utf-8")
            new = self._form(text, path)
            old = self._forms.get(md5) or (
                (held := self.old_text(path, md5)) and self._form(held, path)
            )
        except (OSError, UnicodeDecodeError, FurrowError):
            return False
        return old == new

    def _form(self, text: str, path: str) -> str:
        """A digest of a query without its comments and white space."""
        name = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        if name not in self._forms:
            tree = canonical(parse_query(text, origin=path))
            self._forms[name] = sha256_bytes(repr(tree).encode())
            if self._root == self._repo:
                with suppress(FileError):
                    write_json(machine_file(self._root, FORMS), {"format": 1, "forms": self._forms})
        return self._forms[name]

    @cached_property
    def _forms(self) -> dict[str, str]:
        held = read_kept(self._repo, FORMS)
        forms = held.get("forms") if isinstance(held, dict) and held.get("format") == 1 else None
        return forms if isinstance(forms, dict) else {}
