"""What a checkout needs beside the objects at hand.

Promised objects, submodules, and the clone's own conversions.

A clone may hold less than its commits name (a partial clone), or make files other than they are
stored (filters, line ends). What can be had is brought; what can't is said, for nobody may be
accused of what a checkout lacked.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import GitError, common_dir, git, in_foreign

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "IncompleteError",
    "bring_objects",
    "bring_submodules",
    "conversions",
    "copy_attributes",
    "doubts",
    "reach",
]

_CONVERTS = ("core.autocrlf", "core.eol", "core.attributesfile", "filter.", "lfs.")
_REACHES = ("remote.", "url.", "http.", "credential.", "submodule.")
_POINTER = b"version https://git-lfs.github.com/spec/"
_ROUNDS = 100
_LINK = b"160000"
_NAME = re.compile(r"\w[\w ./+@~-]*")
"""A submodule's name, of which a setting is made: with a "=" it would be another setting, a command's too."""


class IncompleteError(FurrowError):
    """A commit can't be checked out whole; what its stages gave would say nothing of it."""

    def __init__(self, commit: str, because: str, *, hint: str) -> None:
        super().__init__(
            f"commit {commit[:10]} could not be replayed: because {because}", hint=hint
        )
        self.commit = commit
        self.because = because


def conversions(repo: Path) -> tuple[str, ...]:
    """The clone's own settings that say what a stored file is in a work tree, as `-c` arguments."""
    if in_foreign():
        return ()
    found = _settings(repo, _CONVERTS)
    if not any(word.startswith("lfs.storage=") for word in found):
        found += ("-c", f"lfs.storage={common_dir(repo) / 'lfs'}")
    return found


def reach(repo: Path) -> tuple[str, ...]:
    """The clone's own settings by which contents elsewhere are reached, as `-c` arguments.

    Never written down.
    """
    return () if in_foreign() else _settings(repo, _REACHES)


def _settings(repo: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Settings of this clone and its work tree, as `-c` arguments."""
    words = git(repo, "config", "-z", "--show-scope", "--list").split(b"\0")
    found: list[str] = []
    for scope, entry in zip(words[::2], words[1::2], strict=False):
        key, _, value = os.fsdecode(entry).partition("\n")
        if scope in {b"local", b"worktree"} and key.startswith(names) and "=" not in key:
            found += ["-c", f"{key}={value}" if b"\n" in entry else key]
    return tuple(found)


def bring_objects(repo: Path, commit: str) -> None:
    """Have every object of a commit's tree in the clone.

    What it left out is asked of the remote that promised it.

    Raises:
        IncompleteError: Objects are missing, and nobody promised them or the remote doesn't give
            them.
    """
    for _ in range(_ROUNDS):  # a tree that comes may name others that are missing
        listed = git(repo, "rev-list", "--objects", "--no-walk", "--missing=print", commit).split(
            b"\n"
        )
        missing = sorted({line[1:] for line in listed if line.startswith(b"?")})
        if not missing:
            return
        words = (
            f"{len(missing)} of its objects are not in this clone ({missing[0].decode()[:10]} is"
            " one)"
        )
        remotes = _promisors(repo)
        if not remotes:
            raise IncompleteError(
                commit, words, hint="`git fetch --refetch` in a complete clone, or clone again"
            )
        said = ""
        for remote in remotes:
            options = ("-q", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--stdin")
            try:
                git(
                    repo,
                    "-c",
                    "fetch.negotiationAlgorithm=noop",
                    "fetch",
                    *options,
                    remote,
                    stdin=b"\n".join(missing),
                )
                break
            except GitError as exc:
                said = _fatal(exc)
        else:
            raise IncompleteError(
                commit,
                f"{words}, and the remote {remotes[0]}, which promised them, doesn't give them:"
                f" {said}",
                hint=(
                    f"see that `git fetch {remotes[0]}` works here, or replay in a clone without"
                    " --filter"
                ),
            )
    raise IncompleteError(
        commit, "objects of it are missing however often they are fetched", hint="clone again"
    )


def _promisors(repo: Path) -> list[str]:
    """The remotes that promised to give what the clone leaves out."""
    listed = git(repo, "config", "-z", "--get-regexp", r"^remote\..*\.promisor$", ok=(0, 1)).split(
        b"\0"
    )
    pairs = [os.fsdecode(entry).partition("\n") for entry in listed if entry]
    return [
        key.removeprefix("remote.").removesuffix(".promisor")
        for key, _, value in pairs
        if value != "false"
    ]


def bring_submodules(
    store: Path, root: Path, commit: str, settings: tuple[str, ...]
) -> dict[str, str]:
    """Check out the submodules of a checkout, from the clone's own copies or from where they are.

    Args:
        store: The Git directory of the clone, or of a submodule of it.
        root: The checkout.
        commit: Its commit.
        settings: Settings by which remotes are reached.

    Returns:
        Why, by path, for each that could not be had.
    """
    listed = git(root, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")
    links = {
        os.fsdecode(line.split(b"\t", 1)[1]): line.split()[2].decode()
        for line in listed
        if line[:6] == _LINK
    }
    if not links:
        return {}
    names = _submodules(root)
    origin = next(
        (word.partition("=")[2] for word in settings if word.startswith("remote.origin.url=")), ""
    )
    settings = _without_remotes(settings)  # they would be those of the submodule's own clone
    absent: dict[str, str] = {}
    for path, wanted in sorted(links.items()):
        if path not in names:
            absent[path] = f"{path} is a repository of its own that .gitmodules doesn't name"
            continue
        name, url = names[path]
        mine = store / "modules" / name
        own = (*settings, "-c", f"submodule.{name}.update=checkout")
        if mine.is_dir():
            own = (*own, "-c", f"submodule.{name}.url={mine}", "-c", "protocol.file.allow=always")
        elif not any(word.startswith(f"submodule.{name}.url=") for word in settings):
            own = (*own, "-c", f"submodule.{name}.url={_absolute(url, origin)}")
        try:
            git(root, *own, "submodule", "--quiet", "update", "--init", "--", path)
            inner = bring_submodules(
                mine, root / path, wanted, (*settings, "-c", f"remote.origin.url={url}")
            )
        except GitError as exc:
            absent[path] = f"the submodule {path} is not to be had: {_fatal(exc)}"
            continue
        absent |= {f"{path}/{one}": words for one, words in inner.items()}
    return absent


def _fatal(error: GitError) -> str:
    """What Git said was the matter, in one line."""
    lines = [line.strip() for line in error.stderr.splitlines() if line.strip()]
    return next(
        (line for line in lines if line.startswith("fatal:")), lines[0] if lines else error.message
    )


def _submodules(root: Path) -> dict[str, tuple[str, str]]:
    """Name and address of submodules by path, as .gitmodules says."""
    if not (root / ".gitmodules").is_file():
        return {}
    arguments = ("-f", ".gitmodules", "-z", "--get-regexp", r"^submodule\..*\.(path|url)$")
    listed = git(root, "config", *arguments, ok=(0, 1)).split(b"\0")
    told = dict(os.fsdecode(entry).split("\n", 1) for entry in listed if b"\n" in entry)
    names = {
        path: key.removeprefix("submodule.").removesuffix(".path")
        for key, path in told.items()
        if key[-4:] == "path"
    }
    return {
        path: (name, told.get(f"submodule.{name}.url", ""))
        for path, name in names.items()
        if _NAME.fullmatch(name) and ".." not in name.split("/")
    }


def _absolute(url: str, origin: str) -> str:
    """A submodule's address.

    One that starts with ./ or ../ is seen from where the repository itself is.
    """
    if not url.startswith(("./", "../")):
        return url
    base = origin.rstrip("/")
    while url.startswith(("./", "../")):
        if url.startswith("../"):
            base = base.rpartition("/")[0]
        url = url.partition("/")[2]
    return f"{base}/{url}"


def _without_remotes(settings: tuple[str, ...]) -> tuple[str, ...]:
    kept = [word for word in settings[1::2] if not word.startswith("remote.")]
    return tuple(part for word in kept for part in ("-c", word))


def doubts(root: Path, paths: Iterable[str], settings: tuple[str, ...]) -> dict[str, str]:
    """Why, by path, for files of a checkout that may be other than who committed them had them."""
    asked = b"\0".join(os.fsencode(path) for path in paths)
    answers = git(root, *settings, "check-attr", "-z", "--stdin", "filter", stdin=asked).split(
        b"\0"
    )
    known = git(
        root, *settings, "config", "-z", "--name-only", "--get-regexp", r"^filter\.", ok=(0, 1)
    )
    drivers = {
        os.fsdecode(key).removeprefix("filter.").rpartition(".")[0]
        for key in known.split(b"\0")
        if key
    }
    found = {}
    for name, driver in zip(
        map(os.fsdecode, answers[::3]), map(os.fsdecode, answers[2::3]), strict=False
    ):
        if driver in {"unspecified", "unset", "set"}:
            continue
        if driver not in drivers:
            found[name] = f"{name} goes through the filter {driver}, which is not set up here"
        elif _is_pointer(root / name):
            found[name] = (
                f"{name} is only a pointer to its content, which the filter {driver} did not find"
            )
    return found


def _is_pointer(path: Path) -> bool:
    """Whether a file is what Git LFS leaves in place of a content that it doesn't have."""
    try:
        with path.open("rb") as handle:
            return handle.read(len(_POINTER)) == _POINTER
    except OSError:
        return False


def copy_attributes(repo: Path, target: Path) -> None:
    """Give a checkout the attributes that this clone alone has (info/attributes)."""
    own = common_dir(repo) / "info/attributes"
    if own.is_file() and not in_foreign():
        (target / "info").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(own, target / "info/attributes")
