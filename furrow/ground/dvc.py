"""DVC's view of a work tree.

Its stages in order, what dvc.lock says of them, hashes as DVC takes them, remotes.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile.hash import file_md5
from dvc_data.hashfile.hash_info import HashInfo

from furrow.errors import FurrowError
from furrow.ground import dvcignore
from furrow.ground.pipeline import overlaps
from furrow.layout import DVC_YAML
from furrow.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Content", "DvcError", "Item", "Parameters", "Project", "Stage"]


class DvcError(FurrowError):
    """DVC can't read a project, or can't bring a file."""


@dataclass(frozen=True)
class Item:
    """A path that a stage reads or writes, and what dvc.lock (or the .dvc file) says it holds.

    Attributes:
        path: From the repository's root, with slashes.
        md5: DVC's name for the content, ".dir" at its end for a folder; empty when nothing is
            recorded.
        algorithm: "md5", or "md5-dos2unix" in locks that DVC 2 wrote.
        cached: Whether DVC keeps it; else Git does.
        external: Whether it lies outside the repository, where nothing is checked.
    """

    path: str
    md5: str = ""
    algorithm: str = "md5"
    cached: bool = False
    external: bool = False


@dataclass(frozen=True)
class Parameters:
    """Keys of a file that a stage depends on, and the values that dvc.lock records."""

    path: str
    keys: tuple[str, ...]
    recorded: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A stage of dvc.yaml with its templates filled in, and its entry in dvc.lock.

    Attributes:
        name: As DVC shows it, such as "train@gbm".
        commands: Its command lines.
        folder: Where they run, from the repository's root.
        deps: The files and folders that it reads.
        parameters: The keys that it reads.
        outs: What it writes.
        recorded: Whether dvc.lock holds an entry.
        restated: Whether the command in dvc.lock is another one.
        frozen: Whether DVC is told never to run it.
    """

    name: str
    commands: tuple[str, ...]
    folder: str
    deps: tuple[Item, ...]
    parameters: tuple[Parameters, ...]
    outs: tuple[Item, ...]
    recorded: bool
    restated: bool
    frozen: bool


@dataclass(frozen=True)
class Content:
    """What a path holds now.

    Attributes:
        md5: As DVC would name it.
        files: md5 by path inside, for a folder; for a file its own under "".
    """

    md5: str
    files: Mapping[str, str]


class Project:
    """The DVC project of a work tree.

    Args:
        root: The project: the folder of its .dvc, or one inside it. Paths and names are told from
            there; stages of other folders above it are theirs: what they write is known as what
            .dvc files track.
        scratch: Where DVC keeps what it remembers of the project; by default the machine's folder
            for that, where it would stay after a temporary work tree is gone.

    Raises:
        DvcError: There is no DVC project, or its files can't be read.
    """

    def __init__(self, root: Path, *, scratch: Path | None = None) -> None:
        self.root = root
        config = {"core": {"site_cache_dir": str(scratch)}} if scratch else None
        try:
            self._repo = Repo(str(root), config=config)
            for remote in self._repo.config["remote"].values():
                remote["verify"] = True  # else DVC believes a remote, whoever wrote there
            stages = list(self._repo.index.stages)
        except DvcException as exc:
            raise DvcError(
                f"{root.name}: {_words(exc)}", hint="`dvc status` shows the same; mend it"
            ) from exc
        own = [one for one in stages if self._runs(one)]
        others = [one for one in stages if not self._runs(one)]
        self.sources = {item.path: item for one in others for item in map(self._item, one.outs)}
        """What .dvc files track, and what stages of other projects write, by path."""
        self.stages = _ordered([self._stage(one) for one in own])
        """The stages by name, each after those whose outputs it reads."""

    def _runs(self, stage: Any) -> bool:
        """Whether a stage runs something, and is the project's own."""
        return bool(stage.cmd) and not self._near(stage.path).startswith("../")

    def _near(self, path: str) -> str:
        """A path inside DVC's project, as it is from the root."""
        return Path(os.path.relpath(path, self.root.resolve())).as_posix()

    def _path(self, entry: Any) -> str:
        inside = self._repo.fs.isin_or_eq(str(entry.fs_path), self._repo.root_dir)
        return self._near(entry.fs_path) if inside else str(entry.fs_path)

    def _item(self, entry: Any) -> Item:
        inside = bool(entry.is_in_repo) and entry.protocol == "local"
        name = entry.hash_info.value if entry.hash_info else None
        return Item(
            path=self._path(entry) if inside else str(entry.fs_path),
            md5=name if isinstance(name, str) else "",
            algorithm=entry.hash_name,
            cached=bool(entry.use_cache),
            external=not inside,
        )

    def _stage(self, stage: Any) -> Stage:
        items = [one for one in stage.deps if one.hash_name != "params"]
        named = [one for one in stage.deps if one.hash_name == "params"]
        commands = stage.cmd if isinstance(stage.cmd, list) else stage.cmd.splitlines()
        return Stage(
            name=_name(stage, self._near(stage.path)),
            commands=tuple(commands),
            folder=self._near(stage.wdir),
            deps=tuple(self._item(one) for one in items),
            parameters=tuple(
                Parameters(self._path(one), tuple(one.params), dict(one.hash_info.value or {}))
                for one in named
            ),
            outs=tuple(self._item(one) for one in stage.outs),
            recorded=any(one.hash_info for one in (*stage.outs, *items))
            or any(one.hash_info for one in named),
            restated=bool(stage.cmd_changed),
            frozen=bool(stage.frozen),
        )

    def content(self, path: str, algorithm: str = "md5") -> Content | None:
        """Hash a file or folder as DVC does, .dvcignore included, with no cache of hashes in between.

        Args:
            path: From the root.
            algorithm: As the item names it.

        Returns:
            None when there is nothing at that path.
        """
        whole = self.root / path
        if whole.is_file():
            md5 = _md5(whole, algorithm)
            return Content(md5, {"": md5})
        if not whole.is_dir():
            return None
        base = Path(os.path.normpath(self.root.resolve() / path))
        with time_limit(dvcignore.LONGEST, f"{path}: finding what .dvcignore leaves of it"):
            found = list(self._repo.dvcignore.find(self._repo.fs, str(base)))
        files = {
            Path(name).relative_to(base).as_posix(): _md5(Path(name), algorithm)
            for name in sorted(found)
        }
        listing = [
            {"md5": md5, "relpath": name}
            for name, md5 in sorted(files.items(), key=lambda pair: pair[0])
        ]
        return Content(
            hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest() + ".dir",
            files,
        )

    def parameters(self, wanted: Parameters) -> dict[str, Any]:
        """The values that a file of parameters holds now, for the keys that a stage depends on.

        Raises:
            DvcError: The file can't be parsed.
        """
        for stage in self._repo.index.stages:
            for dep in stage.deps:
                if (
                    dep.hash_name == "params"
                    and self._path(dep) == wanted.path
                    and tuple(dep.params) == wanted.keys
                ):
                    try:
                        return dict(dep.read_params())
                    except DvcException as exc:
                        raise DvcError(
                            f"{wanted.path}: {_words(exc)}", hint="mend the file"
                        ) from exc
        return {}

    def fetch(self, names: Iterable[str]) -> None:
        """Bring contents from the default remote to the cache, by their hashes.

        Args:
            names: md5s; a folder's (".dir") brings its list alone.

        Raises:
            DvcError: There is no remote, or it lacks them.
        """
        wanted = [HashInfo("md5", name) for name in names]
        try:
            result = self._repo.cloud.pull(wanted)
        except (DvcException, OSError, FileNotFoundError) as exc:
            raise DvcError(
                f"nothing was fetched: {_words(exc)}", hint="`dvc remote list`, `dvc fetch`"
            ) from exc
        if result.failed:
            raise DvcError(
                f"the remote lacks {len(result.failed)} of the files",
                hint="`dvc push` where they are",
            )

    def close(self) -> None:
        """Let go of the project's files."""
        self._repo.close()


def _name(stage: Any, file: str) -> str:
    """A stage's name from the root: its file in front, unless that is the dvc.yaml there."""
    return str(stage.name if file == DVC_YAML else f"{file}:{stage.name}")


def _words(exc: BaseException) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__


def _md5(path: Path, algorithm: str) -> str:
    if algorithm == "md5-dos2unix":
        found: str = file_md5(str(path), name=algorithm)
        return found
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _ordered(stages: list[Stage]) -> dict[str, Stage]:
    """Stages sorted so that each comes after those it reads from; else as dvc.yaml has them."""
    place = {stage.name: at for at, stage in enumerate(stages)}
    before: dict[str, set[str]] = {stage.name: set() for stage in stages}
    for stage in stages:
        read = [item.path for item in stage.deps] + [entry.path for entry in stage.parameters]
        for other in stages:
            if other.name != stage.name and any(
                overlaps(out.path, path) for out in other.outs for path in read
            ):
                before[stage.name].add(other.name)
    ready = [at for at, stage in enumerate(stages) if not before[stage.name]]
    heapq.heapify(ready)
    done: dict[str, Stage] = {}
    while ready:
        stage = stages[heapq.heappop(ready)]
        done[stage.name] = stage
        for name, waits in before.items():
            if stage.name in waits:
                waits.discard(stage.name)
                if not waits:
                    heapq.heappush(ready, place[name])
    return done
