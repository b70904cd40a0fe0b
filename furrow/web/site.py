"""What a site shows: a project of a repository, bare or not.

And whether this machine's own facts are shown, too.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.files import FileError, inside, write_bytes
from furrow.ground.git import files_at, ids_at, is_bare, resolve
from furrow.ground.gitobjects import read_objects
from furrow.ground.project_place import project_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["LARGEST", "Site"]

LARGEST = 8_000_000
"""Bytes of a file of the repository beyond which it is passed over."""


@dataclass(frozen=True)
class Site:
    """A project to be looked at.

    Attributes:
        root: The project; of a bare repository, the repository.
        live: Whether this machine's own state (work tree, logs, servers) is shown, and not a commit
            alone.
        project: In a bare repository: the folder of the project meant.
        server: The address of a server of predictions that may be asked; empty for none.
        token: What it is asked with.
    """

    root: Path
    live: bool = True
    project: str = ""
    server: str = ""
    token: str = field(default="", repr=False)

    @cached_property
    def bare(self) -> bool:
        """Whether there is no work tree."""
        return is_bare(self.root)

    @cached_property
    def name(self) -> str:
        """What the project is called: as its folder."""
        root = self.root if self.bare else project_root(self.root)
        return root.resolve().name.removesuffix(".git") or "project"

    def commit(self, rev: str) -> str:
        """The id of the commit that a revision names; HEAD's, if it is empty.

        Raises:
            UnknownRevisionError: There is none.
        """
        return resolve(self.root, rev or "HEAD")

    def files(self, commit: str, folder: str) -> list[str]:
        """Paths of the files in a folder of a commit."""
        return files_at(self.root, commit, folder)

    def texts(self, commit: str, wanted: Callable[[str], bool]) -> dict[str, bytes]:
        """Contents of a commit's files, by path from the project's root.

        What is too large is left out.

        Args:
            commit: The commit.
            wanted: Of a path, whether its content is wanted.
        """
        ids = {path: oid for path, oid in ids_at(self.root, commit).items() if wanted(path)}
        answers = read_objects(self.root, ids.values(), largest=LARGEST)
        return {
            path: content
            for path, (_, kind, content, _) in zip(ids, answers, strict=True)
            if kind == "blob" and content is not None
        }

    @contextmanager
    def laid_out(self, commit: str, wanted: Callable[[str], bool]) -> Iterator[Path]:
        """Some files of a commit in a folder, for as long as the block runs.

        A link is a file that holds its text.
        """
        with tempfile.TemporaryDirectory(prefix="furrow-ui-") as scratch:
            root = Path(scratch).resolve()
            for path, content in self.texts(commit, wanted).items():
                with suppress(
                    FileError
                ):  # a path that leads out of the folder is no file of the project
                    write_bytes(inside(root, path), content)
            yield root
