"""A draft: files written into a checkout of their own, compiled there, and kept as a commit on a new branch.

Neither the work tree nor any other branch is touched. What came of compiling and lies where no draft may write is an
error, so that code which runs while features are compiled can't slip a deployment in.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.assistants.draft_paths import DraftError, check_path, is_compiled
from furrow.files import inside, write_bytes
from furrow.ground.git import git, is_bare, resolve
from furrow.ground.git_commit import commit_files
from furrow.ground.isolate import CommandError, open_isolation, run
from furrow.ground.project_place import project_prefix, project_root
from furrow.ground.start_python import python
from furrow.ground.trust import require_trust
from furrow.ground.worktree import checkout
from furrow.layout import DATA
from furrow.parse import ParseError, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from furrow.errors import FurrowError

__all__ = ["PREFIX", "Draft", "drafted"]

PREFIX = "draft/"
_BRANCH = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")
_MOST_FILES, _LARGEST = 50, 200_000


@dataclass(frozen=True)
class Draft:
    """What was drafted.

    Attributes:
        branch: The new branch.
        commit: Its commit.
        base: The commit that it comes after.
        written: The paths that differ.
        said: What `furrow` said of it.
    """

    branch: str
    commit: str
    base: str
    written: tuple[str, ...]
    said: tuple[str, ...]


def drafted(
    repo: Path, name: str, files: Mapping[str, str], command: Sequence[str], *, base: str = ""
) -> Draft:
    """Write files after a commit, run a furrow command there, and keep both as a branch.

    Args:
        repo: A folder of the project; of a bare repository, the repository.
        name: Of the branch, behind "draft/".
        files: Texts by path from the project's root.
        command: What is run there, behind `furrow`: compile, or an addition.
        base: The revision that it comes after; HEAD if empty.

    Raises:
        DraftError: The name or a path is unfit, or nothing would differ.
        UntrustedError: This is a clone whose code may not run.
        FurrowError: The project does not compile with it; nothing is kept.
    """
    branch = _branch(repo, name)
    if len(files) > _MOST_FILES or sum(len(text) for text in files.values()) > _LARGEST:
        raise DraftError(
            "a draft of more than a person reads",
            hint=f"at most {_MOST_FILES} files of {_LARGEST:,} characters in all",
        )
    wanted = {check_path(path): text for path, text in files.items()}
    require_trust(
        repo, "a draft is compiled, which runs the feature definitions of this repository"
    )
    commit = resolve(repo, base or "HEAD")
    with checkout(repo, commit) as tree:
        for path, text in wanted.items():
            write_bytes(_place(tree.root, path), text.encode("utf-8", "replace"))
        with _data(repo, tree.root):
            said = _furrow(tree.root, command)
        changes = {
            f"{tree.prefix}{path}": content for path, content in _changed(tree.root, wanted).items()
        }
    if not changes:
        raise DraftError("nothing differs: it is there already", hint=f"git show {commit[:10]}")
    message = (
        f"Draft {name}\n\nDrafted with `furrow mcp` after {commit[:10]}: furrow"
        f" {' '.join(command)}\n"
    )
    made = commit_files(repo, branch, commit, changes, message)
    return Draft(branch, made, commit, tuple(sorted(changes)), tuple(said))


def _branch(repo: Path, name: str) -> str:
    if not _BRANCH.fullmatch(name):
        raise DraftError(
            f"{name[:80]!r} is not a name of a draft", hint="lower-case letters, digits, - and _"
        )
    branch = f"{PREFIX}{project_prefix(repo)}{name}"
    if git(repo, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", ok=(0, 1)).strip():
        raise DraftError(
            f"the branch {branch} is there already",
            hint=f"draft under another name, with base={branch} to go on from it",
        )
    return branch


def _place(root: Path, path: str) -> Path:
    """Where a file is written: by no link on the way."""
    place = root / path
    here = place
    while here != root:
        if here.is_symlink():
            raise DraftError(f"{path} is, or lies behind, a link", hint="name the file itself")
        here = here.parent
    return inside(root, path)


@contextmanager
def _data(repo: Path, root: Path) -> Iterator[None]:
    """The raw data of the work tree, as a link, for what looks at them."""
    there = None if is_bare(repo) else project_root(repo) / DATA
    link = root / DATA
    if there is None or not there.is_dir() or os.path.lexists(link):
        yield
        return
    link.symlink_to(there.resolve())
    try:
        yield
    finally:
        if link.is_symlink():
            link.unlink()


def _furrow(root: Path, command: Sequence[str]) -> list[str]:
    """Run a command of furrow in the checkout; what it says in the end."""
    words = [*command, "--json"] if command[0] == "add" else list(command)
    try:
        out = run(python("-m", "furrow", *words), root, open_isolation())
    except CommandError as exc:
        raise _failure(exc, root) from exc
    try:
        found = parse_json(out) if command[0] == "add" else {}
    except ParseError:
        found = {}
    notes = found.get("notes") if isinstance(found, dict) else None
    return [str(note) for note in notes] if isinstance(notes, list) else []


def _failure(exc: CommandError, root: Path) -> FurrowError:
    """What furrow said, without the folder of the checkout."""
    lines = [line.replace(f"{root}/", "").replace(str(root), ".") for line in exc.lines]
    said = [line for line in lines if line.startswith("error: ")]
    start = lines.index(said[-1]) if said else max(0, len(lines) - 5)
    words = [line.strip().removeprefix("error: ") for line in lines[start:]]
    message, hint = (words[0], "; ".join(words[1:4])) if words else (exc.message, "")
    return DraftError(f"it does not compile: {message}", hint=hint)


def _changed(root: Path, wanted: Mapping[str, str]) -> dict[str, bytes | None]:
    """What differs in the checkout from its commit, each where a draft may write."""
    listed = git(root, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", ".")
    prefix = project_prefix(root)
    found: dict[str, bytes | None] = {}
    for entry in os.fsdecode(listed).split("\0"):
        path = entry[3:].removeprefix(prefix) if prefix else entry[3:]
        if not path or (path == DATA and path not in wanted):
            continue
        place = root / path
        if not is_compiled(path):
            check_path(path)
        if place.is_symlink():
            raise DraftError(f"{path} became a link", hint="a draft is of files")
        found[path] = place.read_bytes() if place.is_file() else None
    return found
