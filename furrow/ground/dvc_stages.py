"""The stages of a DVC project as DVC itself reads them.

Templates, working folders, locks and .dvc files of any form.

Each stage is read by itself: one that DVC can't understand is told of, and the others are read all
the same. Nothing is written: no lock of DVC's is taken, and none of its caches is opened.
"""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dvc.config import Config
from dvc.dependency import ParamsDependency
from dvc.dvcfile import Lockfile, ProjectFile, is_valid_filename, load_file
from dvc.exceptions import DvcException
from dvc.fs import LocalFileSystem
from dvc.parsing import FOREACH_KWD, MATRIX_KWD, DataResolver
from dvc.repo import Repo
from dvc.schema import COMPILED_MULTI_STAGE_SCHEMA
from dvc.stage.loader import StageLoader
from dvc.utils.objects import cached_property
from dvc.utils.serialize import parse_yaml
from voluptuous import Invalid

from furrow.ground import dvcignore
from furrow.ground.parameters import check_bounds
from furrow.ground.pipeline_spec import Broken, Dep, Out, Params, PipelineError, Source, Step
from furrow.layout import DVC_YAML
from furrow.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["MOST_STAGES", "Reading", "read_stages"]

MOST_STAGES = 10_000
"""That one project may declare, `foreach` and `matrix` written out."""
_LONGEST_TEXT = 1_000_000
_EXPRESSION = re.compile(r"(?<!\\)\$\{(.*?)\}")
# What DVC raises at files that it does not expect: errors of its own, and bare ones of Python.
_ODD = (
    DvcException,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    AssertionError,
    RecursionError,
)


@dataclass
class Reading:
    """What was read, and what it was read from.

    Attributes:
        steps: The stages by name; those of all the project's files, in no particular order.
        sources: What .dvc files track.
        broken: What could not be understood.
        locked: What each entry of a dvc.lock writes, by the name of its stage.
        files: The files that were read or asked for.
        pruned: The folders that were not looked into: outputs, and what Git or DVC ignores.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    locked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    pruned: set[str] = field(default_factory=set)


class _Watched(LocalFileSystem):  # type: ignore[misc] # DVC has no types
    """The local files, with a note of each that is opened or asked for.

    None is opened that is beyond bounds.
    """

    def __init__(self, seen: set[str]) -> None:
        super().__init__()
        self.seen = seen

    def open(self, path: Any, *arguments: Any, **named: Any) -> Any:
        self.seen.add(os.path.abspath(path))
        if not os.path.isfile(path) and os.path.exists(path):
            raise OSError(errno.EINVAL, f"{os.path.basename(path)} is not a regular file")
        if str(path).endswith((".yaml", ".yml", ".lock", ".dvc")):
            with super().open(path, encoding="utf-8") as handle:
                check_bounds(handle.read(), os.path.basename(path))
        return super().open(path, *arguments, **named)

    def exists(self, path: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(path, str):
            self.seen.add(os.path.abspath(path))
        return super().exists(path, *arguments, **named)


class _Repo(Repo):  # type: ignore[misc] # as above
    """A DVC repository that is only read.

    It makes no folder, takes no lock and opens no cache of hashes.
    """

    def __init__(self, root: Path, fs: LocalFileSystem) -> None:
        self._holder = root
        super().__init__(str(root), fs=fs, uninitialized=True)

    def _get_repo_dirs(self, *_: Any, **__: Any) -> tuple[str, str | None]:
        return str(self._holder), None

    @cached_property  # type: ignore[untyped-decorator]
    def config(self) -> Config:
        folder = self._holder / ".dvc"
        return Config(
            str(folder) if folder.is_dir() else None, fs=self.fs, local_dvc_dir=str(folder)
        )


def read_stages(holder: Path, root: Path, locks: Mapping[str, str] | None = None) -> Reading:
    """Read every stage of a DVC project.

    Args:
        holder: The folder with .dvc.
        root: The folder that names and paths are told from: the same one, or one inside it.
        locks: Texts of dvc.lock files to take instead of those on disk, by their path from `root`.

    Raises:
        PipelineError: The project's settings can't be read.
        TooLongError: It takes longer than any honest project.
    """
    found = Reading()
    fs = _Watched(found.files)
    try:
        repo = _Repo(holder, fs)
        found.files |= set(repo.config.files.values())
    except DvcException as exc:
        raise PipelineError(
            f"{holder.name}: {words(exc)}", hint="`dvc config -l` shows the same; mend it"
        ) from exc
    reader = _Reader(repo, root, found, locks or {})
    with time_limit(dvcignore.LONGEST, f"{holder.name}: reading its stages and ignored files"):
        for path in _stage_files(repo, found):
            reader.read(path)
    return found


def words(exc: BaseException) -> str:
    """What DVC says, in one line, with what lies behind it."""
    said = " ".join(str(exc).split()) or type(exc).__name__
    cause = exc.__cause__
    if isinstance(exc, Invalid) or (
        cause is not None and type(cause).__module__.startswith(("ruamel", "voluptuous"))
    ):
        said += f": {' '.join(str(cause or exc).split())}" if cause else ""
    return said


def _stage_files(repo: Repo, found: Reading) -> Iterator[str]:
    """The files of stages, as DVC collects them.

    Not inside outputs, nor where Git or .dvcignore ignores them.

    A folder's own stages are read before it is gone into, so that their outputs are known.
    """
    scm, fs = repo.scm, repo.fs
    for folder, folders, files in os.walk(repo.root_dir):
        kept, names = repo.dvcignore(folder, folders, files)
        for name in (".dvcignore", ".gitignore"):
            if name in files:
                found.files.add(f"{folder}/{name}")
        for name in sorted(filter(is_valid_filename, files)):
            path = fs.join(folder, name)
            found.files.add(path)
            if name in names and not scm.is_ignored(path):
                yield path
        gone_into = [
            name
            for name in sorted(kept)
            if (whole := f"{folder}{fs.sep}{name}") not in found.pruned
            and not scm.is_ignored(f"{whole}{fs.sep}")
        ]
        found.pruned |= {f"{folder}{fs.sep}{name}" for name in set(folders) - set(gone_into)}
        folders[:] = gone_into


class _Reader:
    def __init__(self, repo: Repo, root: Path, found: Reading, locks: Mapping[str, str]) -> None:
        self.repo, self.root, self.found, self.locks = repo, root, found, locks
        self.stages = 0

    def near(self, path: str) -> str:
        """A path as it is from the root, with slashes."""
        return Path(os.path.relpath(path, self.root)).as_posix()

    def read(self, path: str) -> None:
        file, name = load_file(self.repo, path), self.near(path)
        if not os.path.isfile(path):
            self.found.broken.append(Broken(name, name, f"{name} is not a regular file"))
            return
        try:
            if isinstance(file, ProjectFile):
                self._project(file, name)
            else:
                self._single(file, name)
        except PipelineError as exc:
            self.found.broken.append(Broken(name, name, exc.message))
        except (Invalid, *_ODD) as exc:
            self.found.broken.append(Broken(name, name, f"{name} is malformed: {words(exc)}"))

    def _single(self, file: Any, name: str) -> None:
        if b"<<<<<<< " in Path(file.path).read_bytes():
            raise PipelineError(f"{name} holds a merge conflict: take the side whose data you want")
        stage = file.stage
        self.found.pruned |= {out.fs_path for out in stage.outs if out.protocol == "local"}
        if stage.cmd is None and (stage.frozen or not stage.deps):
            restated = bool(stage.changed_stage())
            self.found.sources += [
                Source(
                    name,
                    self._path(out),
                    _md5(out),
                    out.hash_name,
                    bool(out.use_cache),
                    _ignored(out),
                    restated,
                )
                for out in stage.outs
            ]
        else:
            self.found.steps[name] = self._step(name, name, stage, recorded=bool(stage.md5))

    def _project(self, file: ProjectFile, name: str) -> None:
        content = self._content(file, name)
        lock = self._lock(file, f"{name.removesuffix('.yaml')}.lock")
        file.__dict__["contents"] = content
        resolver = DataResolver(self.repo, self.repo.fs.parent(file.path), content)
        file.__dict__["resolver"] = resolver
        for group, definition in resolver.definitions.items():
            prefix = self._named(name, group)
            try:
                keys = self._keys(group, definition, content["stages"][group])
            except _ODD as exc:
                self._break(prefix, name, exc, content["stages"][group])
                continue
            for key in keys:
                self._stage(file, name, key, lock)
        dark = [bad.name for bad in self.found.broken if bad.file == name]
        for key, entry in lock.items():
            stage = self._named(name, key)
            if stage not in self.found.steps and not any(
                stage == bad or stage.startswith(f"{bad}@") for bad in dark
            ):
                folder = Path(file.path).parent
                self.found.locked[stage] = tuple(
                    self.near(str(folder / out["path"]))
                    for out in entry.get("outs") or []
                    if isinstance(out, dict)
                )

    def _keys(self, group: str, definition: Any, body: dict[str, Any]) -> list[str]:
        """The names of the stages that a definition stands for.

        An error where they, or their texts, have no end.
        """
        over = {FOREACH_KWD, MATRIX_KWD} & body.keys()
        self._fits_in(definition.context, {key: body[key] for key in over})
        longest = self._fits_in(
            definition.context, {key: each for key, each in body.items() if key not in over}, body
        )
        if not over:
            number, names = 1, [group]
        elif MATRIX_KWD in body:
            number, names = prod(len(axis) for axis in definition.resolved_iterable.values()), []
        else:
            number, names = len(definition.resolved_iterable), []
        self.stages += number
        if self.stages > MOST_STAGES:
            raise ValueError(f"more than {MOST_STAGES:,} stages")
        if longest * number > _LONGEST_TEXT * 64:
            raise ValueError(f"more than {_LONGEST_TEXT * 64:,} characters once filled in")
        return names or list(definition.get_generated_names())

    @staticmethod
    def _fits_in(
        context: Any, body: dict[str, Any], whole: Mapping[str, Any] = MappingProxyType({})
    ) -> int:
        """How long the text of a stage is at most, once its templates are filled in.

        An error if that is too long.
        """
        text = str(body)
        longest = max(
            (len(str(each)) for each in (*whole.get(FOREACH_KWD, ()), *context.data.values())),
            default=0,
        )
        total = len(text)
        for expression, times in Counter(_EXPRESSION.findall(text)).items():
            try:
                total += times * len(str(context.select(expression.strip(), unwrap=True)))
            except (DvcException, ValueError, KeyError):
                total += times * longest  # `item`, or a part of it
        if total > _LONGEST_TEXT:
            raise ValueError(f"more than {_LONGEST_TEXT:,} characters once filled in")
        return total

    def _named(self, file: str, stage: str) -> str:
        return stage if file == DVC_YAML else f"{file}:{stage}"

    def _stage(self, file: ProjectFile, name: str, key: str, lock: Mapping[str, Any]) -> None:
        full = self._named(name, key)
        try:
            resolved = file.resolver.resolve_one(key)[key]
            stage = StageLoader.load_stage(file, key, resolved, lock.get(key, {}))
            self.found.pruned |= {out.fs_path for out in stage.outs if out.protocol == "local"}
            locked = lock.get(key)
            command = None if locked is None else locked["cmd"]
            step = self._step(full, name, stage, recorded=locked is not None, locked_cmd=command)
        except _ODD as exc:
            group = key.rsplit("@", 1)[0] if key not in file.contents["stages"] else key
            self._break(full, name, exc, file.contents["stages"].get(group))
            return
        self.found.steps[full] = step

    def _break(self, stage: str, file: str, exc: BaseException, definition: Any) -> None:
        """Note a stage that can't be understood, with those of its outputs that are plain to see."""
        body = definition.get("do", definition) if isinstance(definition, dict) else {}
        folder = f"{Path(file).parent.as_posix()}/{body.get('wdir', '.') if isinstance(body, dict) else '.'}"
        outs = []
        for kind in ("outs", "metrics", "plots"):
            for out in (body.get(kind) if isinstance(body, dict) else None) or []:
                text = next(iter(out), "") if isinstance(out, dict) else out
                if isinstance(text, str) and "${" not in f"{folder}{text}":
                    outs.append(os.path.normpath(f"{folder}/{text}"))
        self.found.broken.append(Broken(stage, file, words(exc), tuple(outs)))

    def _content(self, file: ProjectFile, name: str) -> dict[str, Any]:
        """What a dvc.yaml holds, without the stages that DVC would refuse."""
        self.found.files.add(file.path)
        text = Path(file.path).read_text(encoding="utf-8")
        check_bounds(text, name)
        content: dict[str, Any] = parse_yaml(text, file.path)
        try:
            COMPILED_MULTI_STAGE_SCHEMA(content)
        except Invalid:
            stages = content.get("stages") if isinstance(content, dict) else None
            if not isinstance(stages, dict):
                raise
            content = {
                **content,
                "stages": {
                    key: body for key, body in stages.items() if self._fits(name, key, body)
                },
            }
            COMPILED_MULTI_STAGE_SCHEMA(content)
        return content

    def _fits(self, file: str, key: Any, body: Any) -> bool:
        try:
            COMPILED_MULTI_STAGE_SCHEMA({"stages": {key: body}})
        except Invalid as exc:
            self._break(self._named(file, str(key)), file, exc, body)
            return False
        return True

    def _lock(self, file: ProjectFile, name: str) -> dict[str, Any]:
        path = Path(file.path).with_suffix(".lock")
        self.found.files.add(str(path))
        text = self.locks.get(name)
        if text is None and path.is_file() and b"<<<<<<< " in path.read_bytes():
            raise PipelineError(
                f"{name} holds a merge conflict: take either side, then run `furrow plan` again"
            )
        try:
            if text is None:
                held: Any = Lockfile(self.repo, str(path)).load()
            else:
                held = Lockfile.validate(parse_yaml(text, name), name) if text.strip() else {}
            return dict(held.get("stages") or {})
        except _ODD as exc:
            raise PipelineError(f"{name} is malformed: {words(exc)}") from exc

    def _path(self, entry: Any) -> str:
        """The path of a dependency or output: from the root, or absolute outside of the project.

        Else a URL.
        """
        if entry.protocol != "local" or entry.fs_path is None:
            return str(entry.def_path)
        inside = self.repo.fs.isin_or_eq(entry.fs_path, str(self.repo.root_dir))
        return self.near(entry.fs_path) if inside else str(entry.fs_path)

    def _step(
        self, name: str, file: str, stage: Any, *, recorded: bool, locked_cmd: Any = None
    ) -> Step:
        plain = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
        return Step(
            name=name,
            cmd=stage.cmd,
            wdir=self.near(stage.wdir),
            deps=tuple(self._dep(dep) for dep in plain),
            params=tuple(
                Params(
                    self._path(dep),
                    dep.def_path,
                    tuple(dict.fromkeys(dep.params)),
                    dict(dep.hash_info.value) if isinstance(dep.hash_info.value, dict) else None,
                )
                for dep in stage.params
            ),
            outs=tuple(self._out(out) for out in stage.outs),
            recorded=recorded,
            locked_cmd=locked_cmd,
            frozen=bool(stage.frozen),
            always=bool(stage.always_changed),
            restated=bool(stage.changed_stage()),
            file=file,
        )

    def _dep(self, dep: Any) -> Dep:
        remote = dep.protocol != "local" or type(dep).__name__ in {"RepoDependency", "DbDependency"}
        if type(dep).__name__ == "DatasetDependency":  # its lock is in dvc.lock: DVC tells at once
            return Dep(
                str(dep.def_path), str(dep.def_path), remote=True, changed=bool(dep.status())
            )
        return Dep(self._path(dep), dep.def_path, _md5(dep), algorithm=dep.hash_name, remote=remote)

    def _out(self, out: Any) -> Out:
        return Out(
            path=self._path(out),
            local=out.def_path,
            md5=_md5(out),
            algorithm=out.hash_name,
            cached=bool(out.use_cache),
            persist=bool(out.persist),
            figure=bool(out.metric or out.plot),
            ignored=_ignored(out),
            remote=out.protocol != "local",
            inside=bool(out.is_in_repo),
        )


def _md5(entry: Any) -> str:
    value = entry.hash_info.value if entry.hash_info else None
    return value if isinstance(value, str) else ""


def _ignored(out: Any) -> bool:
    """Whether .dvcignore hides an output, which to DVC then never exists."""
    with suppress(AttributeError):
        return bool(out._is_path_dvcignore(out.fs_path))
    return False
