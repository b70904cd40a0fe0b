"""The bench: a clean work tree where one stage at a time runs with what it declares and nothing else.

What DVC keeps lies on a shelf beside the work tree, and is moved into it for the stages that depend
on it. So a stage that reads data without declaring it does not find it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from furrow.ground.dvc import Item
from furrow.ground.git import git
from furrow.ground.pipeline import overlaps
from furrow.ground.process import run_commands, stage_environment
from furrow.replay.inputs import AbsentInputError, Supply, copy
from furrow.replay.trial_stages import read_trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from furrow.ground.dvc import Content, Project, Stage
    from furrow.ground.worktree import Checkout

__all__ = ["Attempt", "Bench"]

_LONG_AGO = (
    946_684_800_000_000_000  # a time of access before any file's content: reading then moves it
)


@dataclass(frozen=True)
class Attempt:
    """One run of a stage.

    Attributes:
        folder: Holds what it wrote, at the same paths as in the work tree.
        code: The exit code.
        seconds: Wall clock.
        log: What it printed.
        opened: What its Python processes opened.
        touched: Tracked files that anything read, where the file system keeps times of access.
        before: Hash of each dependency before the run; parameters as "path:key" with their values.
        after: The same after it.
        outputs: What it wrote of what it declares.
        side: Tracked files that it changed without declaring them.
        fresh: What of `opened` was made or changed after the run began, before it was opened.
        unfinished: Whether it was stopped because its time was over.
    """

    folder: Path
    code: int
    seconds: float
    log: Path
    opened: frozenset[str]
    touched: frozenset[str]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    outputs: Mapping[str, Content | None]
    side: tuple[str, ...]
    fresh: frozenset[str] = frozenset()
    unfinished: bool = False

    def read(self, path: str) -> bytes | None:
        """The bytes of a file that it wrote."""
        whole = self.folder / path
        return whole.read_bytes() if whole.is_file() else None

    def same(self, other: Attempt) -> bool:
        """Whether another run wrote the same."""
        return (
            {path: one and one.md5 for path, one in self.outputs.items()}
            == {path: one and one.md5 for path, one in other.outputs.items()}
            and self.side == other.side
            and all(self.read(path) == other.read(path) for path in self.side)
        )


@dataclass
class Bench:
    """A checkout to run stages in.

    Attributes:
        source: A folder inside the repository that is replayed: its cache, its remote, its work
            tree have the inputs.
        tree: The checkout.
        project: DVC's view of it.
        tainted: Outputs that stand in for recorded ones nobody has, and the stage that gave them.
        renamed: The sha256 of files that are others than recorded and count as equal, and how equal
            they are.
        unkept: Stages of a trial, whose outputs nobody has recorded.
    """

    source: Path
    tree: Checkout
    project: Project
    tainted: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.unkept = read_trial(self.project.stages).unkept
        outs = [
            replace(item, md5="") if stage.name in self.unkept else item
            for stage in self.project.stages.values()
            for item in stage.outs
        ]
        self.items = {**{item.path: item for item in outs}, **self.project.sources}
        self.tracked = self.tree.tracked()
        self.supply = Supply(self.source, self.project, self.tree.room / "recorded")
        self._shelf = self.tree.room / "shelf" / self.tree.prefix
        self._attempts = 0
        self._given: set[str] = set()
        self._fallback: dict[str, tuple[Path, str]] = {}

    def in_git(self, path: str) -> bool:
        """Whether the commit holds a file, or files of a folder."""
        return path in self.tracked or any(name.startswith(f"{path}/") for name in self.tracked)

    def attempt(
        self,
        stage: Stage,
        *,
        extra: Mapping[str, str] | None = None,
        replaced: Mapping[str, Mapping[str, bytes] | Item] | None = None,
        limit: float | None = None,
    ) -> Attempt:
        """Run a stage once, from its declared inputs, and put what it wrote aside.

        Args:
            stage: The stage.
            extra: Environment to set on top.
            replaced: Inputs of another version, by path: the bytes of its files, or what DVC keeps.
            limit: Seconds after which it is stopped.

        Raises:
            AbsentInputError: An input is not to be had.
            CorruptInputError: An input is not what its hash says, wherever it is.
        """
        self._attempts += 1
        folder = (
            self.tree.room / f"attempt-{self._attempts}" / self.tree.prefix
        )  # so that a path with .. stays inside
        log = self.tree.room / f"log-{self._attempts}.txt"
        folder.mkdir(parents=True)
        with self._placed(stage, replaced or {}):
            self._clear(stage)
            before = self._inputs(stage)
            watched = self._age()
            environment = stage_environment(root=self.tree.root, stage=stage.name, extra=extra)
            ended = run_commands(
                stage.commands, self.tree.root / stage.folder, environment, log, limit=limit
            )
            touched = frozenset(
                path for path, was in watched.items() if self._atime(path) not in {was, None}
            )
            after = self._inputs(stage)
            outputs = {
                item.path: self.project.content(item.path, item.algorithm) for item in stage.outs
            }
            side = tuple(
                path
                for path in self.tree.changed()
                if not any(overlaps(path, item.path) for item in stage.outs)
                and path not in (replaced or {})
            )
            self._put_aside([item.path for item in stage.outs if not item.external], side, folder)
        return Attempt(
            folder, ended.code, ended.seconds, log, ended.opened, touched, before, after, outputs, side,
            fresh=ended.fresh, unfinished=ended.unfinished,
        )  # fmt: skip

    def keep(self, stage: Stage, attempt: Attempt, *, good: frozenset[str]) -> None:
        """Let later stages have what a stage gave.

        What is not as recorded only for want of the recorded one.
        """
        for item in stage.outs:
            made = attempt.folder / item.path
            if self.in_git(item.path) or not made.exists():
                continue
            if item.path in good:
                _move(made, self._shelf / item.path)
                self._given.add(item.path)  # nobody else may have it
            else:
                self._fallback[item.path] = (made, stage.name)

    def recorded(self, item: Item, inner: str) -> bytes | None:
        """The recorded bytes of an output (of a folder's file); None when nobody has them."""
        path = f"{item.path}/{inner}" if inner else item.path
        if self.in_git(item.path):
            return self.tree.blob(path)
        md5 = self.supply.listing(item).get(inner) if item.md5 else None
        if not md5:
            return None
        return self.supply.read(md5, path)

    # Inputs

    @contextmanager
    def _placed(
        self, stage: Stage, replaced: Mapping[str, Mapping[str, bytes] | Item]
    ) -> Iterator[None]:
        """Have a stage's inputs in the work tree for as long as the block runs.

        Then clean the tree.
        """
        moved: list[tuple[Path, Path, str]] = []
        if replaced:
            self._clean(bytecode=True)
        try:
            for unit, item in self._units(stage):
                if unit in replaced or item.path in replaced:
                    continue
                self._ensure(unit, item)
                target = self.tree.root / unit
                if (self._shelf / unit).exists():
                    _move(self._shelf / unit, target)
                    moved.append((target, self._shelf / unit, unit))
            for path, version in replaced.items():
                self._replace(path, version)
            hashes = {unit: self.project.content(unit) for _, _, unit in moved}
            yield
        finally:
            for target, home, unit in reversed(moved):
                now = self.project.content(unit)
                if now is not None and now == hashes.get(unit, now):
                    _move(target, home)
            self.tree.restore(sorted(set(self.tree.changed())))
            self._clean(bytecode=bool(replaced))

    def _clean(self, *, bytecode: bool) -> None:
        """Remove what is not the commit's.

        Cached bytecode too once sources were replaced within one second.
        """
        kept = () if bytecode else ("-e", "__pycache__")
        git(self.tree.root, "clean", "-ffdxq", "-e", "/.dvc", *kept)

    def _units(self, stage: Stage) -> list[tuple[str, Item]]:
        """What to place for a stage: outputs and data, or the part of them that it depends on."""
        found: dict[str, Item] = {}
        wanted = [item.path for item in stage.deps if not item.external] + [
            one.path for one in stage.parameters
        ]
        for path in wanted:
            for item in self.items.values():
                if overlaps(item.path, path) and not self.in_git(item.path):
                    found[path if path.startswith(f"{item.path}/") else item.path] = item
        return [(unit, item) for unit, item in sorted(found.items())
                if not any(unit.startswith(f"{other}/") for other in found)]  # fmt: skip

    def _ensure(self, unit: str, item: Item) -> None:
        """Have an input on the shelf, each file checked against its hash."""
        try:
            self._fill(unit, item)
        except AbsentInputError:
            if item.path not in self._fallback:
                raise
            made, stage = self._fallback[item.path]
            self.tainted[item.path] = stage
            target = self._shelf / item.path
            if target.is_dir():
                shutil.rmtree(target)
            copy(made, target)

    def _fill(self, unit: str, item: Item) -> None:
        if (not item.cached or item.path in self._given) and (self._shelf / unit).exists():
            return
        if not item.md5 or not item.cached:
            why = "neither DVC nor Git keeps it" if item.md5 else "dvc.lock records nothing of it"
            remedy = "" if item.md5 else "`dvc repro`, then commit dvc.lock"
            raise AbsentInputError(item.path, item.md5, why=why, remedy=remedy)
        inner = unit.removeprefix(item.path).removeprefix("/")
        for name, md5 in self.supply.listing(item).items():
            if name == inner or not inner or name.startswith(f"{inner}/"):
                target = self._shelf / item.path / name if name else self._shelf / item.path
                if not target.is_file():
                    self.supply.bring(md5, f"{item.path}/{name}".rstrip("/"), target)

    def _replace(self, path: str, version: Mapping[str, bytes] | Item) -> None:
        target = self.tree.root / path
        if isinstance(version, Item):
            inner = path.removeprefix(version.path).removeprefix("/")
            for name, md5 in self.supply.listing(version).items():
                if name == inner or not inner or name.startswith(f"{inner}/"):
                    whole = f"{version.path}/{name}".rstrip("/")
                    self.supply.bring(md5, whole, self.tree.root / whole)
            return
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        for name, content in version.items():
            file = target / name if name else target
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    # Running

    def _clear(self, stage: Stage) -> None:
        for item in stage.outs:
            if item.external:
                continue
            whole = self.tree.root / item.path
            if whole.is_dir():
                shutil.rmtree(whole)
            whole.unlink(missing_ok=True)
            whole.parent.mkdir(parents=True, exist_ok=True)

    def _inputs(self, stage: Stage) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for item in stage.deps:
            if not item.external:
                content = self.project.content(item.path, item.algorithm)
                found[item.path] = content.md5 if content else ""
        for one in stage.parameters:
            for key, value in self.project.parameters(one).items():
                found[f"{one.path}:{key}"] = value
        return found

    def _age(self) -> dict[str, int]:
        """Set the times of access back, so that a read shows.

        Nothing where the file system does not keep them.
        """
        probe = self.tree.room / "probe"
        probe.write_bytes(b"x")
        os.utime(probe, ns=(_LONG_AGO, probe.stat().st_mtime_ns))
        probe.read_bytes()
        if probe.stat().st_atime_ns == _LONG_AGO:
            return {}
        found = {}
        for path in self.tracked:
            with suppress(OSError):
                whole = self.tree.root / path
                os.utime(whole, ns=(_LONG_AGO, whole.stat().st_mtime_ns), follow_symlinks=False)
                found[path] = _LONG_AGO
        return found

    def _atime(self, path: str) -> int | None:
        try:
            return (self.tree.root / path).lstat().st_atime_ns
        except OSError:
            return None

    def _put_aside(self, outs: Sequence[str], side: Sequence[str], folder: Path) -> None:
        for path in outs:
            if (self.tree.root / path).exists():
                _move(self.tree.root / path, folder / path)
        for path in side:
            if (self.tree.root / path).is_file():
                copy(self.tree.root / path, folder / path)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)
