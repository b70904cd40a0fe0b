"""The stages of a DVC project as plain values.

What each reads and writes, and what its lock records.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.layout import DVC_YAML

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Broken", "Dep", "Out", "Params", "Pipeline", "PipelineError", "Source", "Step", "inner"]


class PipelineError(FurrowError):
    """dvc.yaml, dvc.lock or a .dvc file can't be read, or its stages go round in a circle."""


@dataclass(frozen=True)
class Dep:
    """What a stage reads.

    Attributes:
        path: From the project's root; absolute for a local path outside of DVC's; else a URL.
        local: As DVC writes it in dvc.lock.
        md5: What dvc.lock records; empty when it records nothing.
        algorithm: How that was taken: "md5", or "md5-dos2unix" in locks that DVC 2 wrote.
        remote: Whether only the network, or DVC, can tell what it holds now.
        changed: Of a data set that dvc.lock names: whether it is another one.
    """

    path: str
    local: str
    md5: str = ""
    algorithm: str = "md5"
    remote: bool = False
    changed: bool = False


@dataclass(frozen=True)
class Params:
    """Keys that a stage reads of a file, and the values that dvc.lock records (None when it records none)."""

    path: str
    local: str
    keys: tuple[str, ...]
    recorded: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Out:
    """What a stage writes.

    Attributes:
        cached: Whether DVC's cache holds it; else Git does.
        persist: Whether DVC leaves it in place before the command runs.
        figure: Whether it is a metric or a plot.
        ignored: Whether .dvcignore hides it, so that to DVC it is never there.
        remote: Whether it is no local path.
        inside: Whether it lies in DVC's project.
    """

    path: str
    local: str
    md5: str = ""
    algorithm: str = "md5"
    cached: bool = True
    persist: bool = False
    figure: bool = False
    ignored: bool = False
    remote: bool = False
    inside: bool = True

    @property
    def marker(self) -> bool:
        """Whether it only says that its stage has run.

        Neither cached nor removed, always the same bytes.
        """
        return self.persist and not self.cached


@dataclass(frozen=True)
class Step:
    """A stage with its templates filled in, and its entry in dvc.lock.

    Attributes:
        name: As DVC shows it, such as "train@gbm", or "prep/dvc.yaml:clean" for one of a folder's
            own dvc.yaml.
        cmd: The command, or the list of commands; None for an import.
        wdir: Where it runs, from the project's root; "." for the root.
        recorded: Whether dvc.lock has an entry.
        locked_cmd: The command there.
        restated: Whether DVC takes the stage itself for another one than the recorded one.
        frozen: Whether DVC is told never to run it.
        always: Whether DVC is told to run it each time.
        file: The dvc.yaml or .dvc file that declares it.
    """

    name: str
    cmd: Any
    wdir: str
    deps: tuple[Dep, ...]
    params: tuple[Params, ...]
    outs: tuple[Out, ...]
    recorded: bool = False
    locked_cmd: Any = None
    restated: bool = False
    frozen: bool = False
    always: bool = False
    file: str = DVC_YAML

    @property
    def reads(self) -> list[str]:
        """The paths of everything that it reads."""
        return [dep.path for dep in self.deps] + [entry.path for entry in self.params]

    def written(self, path: str) -> str:
        """The path of a file of parameters as DVC writes it in the record of a run.

        From the working folder.
        """
        return path if path.startswith("/") or "://" in path else posixpath.relpath(path, self.wdir)

    @property
    def callback(self) -> bool:
        """Whether it neither reads nor writes anything, so that DVC runs it each time."""
        return bool(self.cmd) and not (self.deps or self.params or self.outs)


@dataclass(frozen=True)
class Source:
    """What a .dvc file tracks.

    Attributes:
        restated: Whether DVC takes the .dvc file itself for changed.
    """

    file: str
    path: str
    md5: str
    algorithm: str = "md5"
    cached: bool = True
    ignored: bool = False
    restated: bool = False


@dataclass(frozen=True)
class Broken:
    """A stage, or a whole file of stages, that DVC can't understand.

    Attributes:
        name: The stage, or the file.
        file: The file.
        why: DVC's words.
        outs: Those of its outputs that are plain to see.
    """

    name: str
    file: str
    why: str
    outs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """A project's stages, each after those that it reads from.

    Attributes:
        steps: By name.
        sources: What .dvc files track.
        dead: What entries of a dvc.lock without a stage write, by name.
        broken: What could not be understood.
        files: The files that it was read from, as far as they lie in the project.
    """

    steps: dict[str, Step]
    sources: tuple[Source, ...]
    dead: dict[str, tuple[str, ...]]
    broken: tuple[Broken, ...] = ()
    files: tuple[str, ...] = ()


def inner(path: str, folder: str) -> str | None:
    """Where a path is inside a folder, both normal and told from one root.

    "" for the folder itself, None outside.
    """
    if path == folder:
        return ""
    if path.startswith(f"{folder}/"):
        return path[len(folder) + 1 :]
    above = folder.split("/")
    if path.startswith("/") or not set(above) <= {".", ".."}:
        return None
    steps = path.split("/")
    return (
        path
        if steps.count("..") < above.count("..") or (folder == "." and ".." not in steps)
        else None
    )
