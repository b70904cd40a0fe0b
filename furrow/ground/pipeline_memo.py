"""What DVC read of a project, remembered under the Git directory for as long as none of the files has changed.

To read through DVC takes a second; to see that nothing has changed, milliseconds. The note holds
the content's hash of every file that the reading hung on, and of those that were asked for and
weren't there; the files are looked for again each time in every folder that was looked into, so
that a new one is seen. It lies under the Git directory and not in the work tree, where a commit
could bring a false one, and may be removed at any time.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.files import FileError, write_text
from furrow.ground.exact_json import UnstorableError, pack, unpack
from furrow.ground.pipeline_spec import Broken, Dep, Out, Params, Pipeline, Source, Step
from furrow.ground.project_place import own_git_dir
from furrow.layout import DVC_YAML, FURROW
from furrow.parse import LISTING, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from furrow.ground.hashes import Hasher

__all__ = ["Memo", "stage_files"]

FORMAT = 1
_SKIPPED = {".git", ".hg", ".dvc", FURROW}
_RULES = {DVC_YAML, ".dvcignore", ".gitignore"}


def stage_files(holder: Path, pruned: Iterable[str]) -> list[str]:
    """Every file that could declare a stage or say what is ignored, and every nested .dvc folder.

    More than DVC would read: a file that it ignores is among them, too.

    Args:
        holder: The folder with .dvc.
        pruned: Folders that are not to be looked into.
    """
    skipped, found, todo = set(pruned), [], [str(holder)]
    while todo:
        try:
            entries = list(os.scandir(todo.pop()))
        except OSError:
            continue
        for entry in entries:
            name = entry.name
            if name in _RULES or name.endswith(".dvc"):
                found.append(entry.path)
            if (
                name not in _SKIPPED
                and entry.path not in skipped
                and entry.is_dir(follow_symlinks=False)
            ):
                todo.append(entry.path)
    return sorted(found)


class Memo:
    """The note of one project.

    Args:
        root: The project's root.
        holder: The folder with .dvc.
        hasher: Hashes files; those that it has seen before it doesn't read again.
    """

    def __init__(self, root: Path, holder: Path, hasher: Hasher) -> None:
        self._holder, self._hasher = holder, hasher
        self._git = own_git_dir(root)
        name = sha256(os.fsencode(root.resolve())).hexdigest()[:24]
        self.path = self._git / "furrow/pipelines" / f"{name}.json" if self._git else None

    def _state(self, files: Iterable[str]) -> dict[str, str | None]:
        return {
            path: "folder" if Path(path).is_dir() else self._hasher.md5(path)
            for path in sorted(files)
        }

    def recall(self) -> Pipeline | None:
        """What was read, if nothing that it hangs on has changed since."""
        if self.path is None:
            return None
        try:
            held = parse_json(self.path.read_bytes(), limits=LISTING)
            if held["format"] != FORMAT or held["by"] != _by():
                return None
            if held["found"] != stage_files(self._holder, held["pruned"]):
                return None
            if held["files"] != self._state(held["files"]):
                return None
            return _pipeline(held["pipeline"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, pipeline: Pipeline, files: Iterable[str], pruned: Iterable[str]) -> None:
        """Remember what was read; where that can't be, it is read again next time.

        Args:
            pipeline: What was read.
            files: The files that it was read from, or that were asked for and were not there.
            pruned: The folders that were not looked into.
        """
        if self.path is None:
            return
        kept = sorted(pruned)
        found = stage_files(self._holder, kept)
        more = {path for path in files if Path(path).name not in {".dvc", ".dvcignore"}}
        try:
            value = {
                "format": FORMAT,
                "by": _by(),
                "found": found,
                "files": self._state({*found, *more, *self._settings()}),
                "pruned": kept,
                "pipeline": _packed(pipeline),
            }
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, json.dumps(value))
        except (UnstorableError, FileError, OSError, UnicodeError, ValueError):
            self.path.unlink(missing_ok=True)

    def _settings(self) -> list[str]:
        """What besides says which files Git ignores."""
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "git"
        git = self._git or Path("/")
        try:
            common = git / (git / "commondir").read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            common = git
        own = [common / name for name in ("config", "info/exclude")]
        return [
            str(path)
            for path in (home / "ignore", home / "config", Path.home() / ".gitconfig", *own)
        ]


def _by() -> list[str]:
    """Who read it, and where the settings of that person are."""
    names = (
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_CONFIG_DIRS",
        "DVC_GLOBAL_CONFIG_DIR",
        "DVC_SYSTEM_CONFIG_DIR",
    )
    return [version("dvc"), version("furrow"), *(os.environ.get(name, "") for name in names)]


def _packed(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "steps": [
            {
                **_plain(step),
                "cmd": pack(step.cmd),
                "locked_cmd": pack(step.locked_cmd),
                "deps": [_plain(dep) for dep in step.deps],
                "outs": [_plain(out) for out in step.outs],
                "params": [
                    {
                        **_plain(each),
                        "recorded": None if each.recorded is None else pack(dict(each.recorded)),
                    }
                    for each in step.params
                ],
            }
            for step in pipeline.steps.values()
        ],
        "sources": [_plain(source) for source in pipeline.sources],
        "dead": pipeline.dead,
        "broken": [_plain(bad) for bad in pipeline.broken],
        "files": pipeline.files,
    }


def _plain(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


def _pipeline(held: dict[str, Any]) -> Pipeline:
    steps = {}
    for step in held["steps"]:
        steps[step["name"]] = Step(
            **{
                **step,
                "cmd": unpack(step["cmd"]),
                "locked_cmd": unpack(step["locked_cmd"]),
                "deps": tuple(Dep(**dep) for dep in step["deps"]),
                "outs": tuple(Out(**out) for out in step["outs"]),
                "params": tuple(
                    Params(
                        each["path"], each["local"], tuple(each["keys"]), unpack(each["recorded"])
                    )
                    for each in step["params"]
                ),
            }
        )
    return Pipeline(
        steps,
        tuple(Source(**source) for source in held["sources"]),
        {name: tuple(outs) for name, outs in held["dead"].items()},
        tuple(Broken(**{**bad, "outs": tuple(bad["outs"])}) for bad in held["broken"]),
        tuple(held["files"]),
    )
