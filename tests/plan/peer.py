"""DVC in this process, asked the questions that Furrow answers."""

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dvc.logger
from dvc.exceptions import DvcException
from dvc.repo import Repo

from furrow.errors import FurrowError
from furrow.ground.pipeline import read_pipeline
from furrow.plan import stage_prediction
from furrow.plan.make_plan import make_plan

ODD = (DvcException, OSError, ValueError, TypeError, KeyError, AttributeError, AssertionError)
"""What DVC raises at projects that it does not expect."""


@dataclass(frozen=True)
class Said:
    """What one of the two says of a project.

    Attributes:
        rest: Whether nothing is to be done; None when it refuses the project.
        ran: The stages that run, or would whatever those before them write.
        maybe: Those that would if what they read changes.
        restored: Those that come back from the cache.
        failed: Whether a command or DVC itself failed on the way.
        words: For messages.
    """

    rest: bool | None
    ran: frozenset[str] = frozenset()
    restored: frozenset[str] = frozenset()
    failed: bool = False
    words: str = ""
    maybe: frozenset[str] = frozenset()


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


@contextmanager
def listening() -> Iterator[list[str]]:
    """What DVC logs meanwhile."""
    ear, logger = _Ear(), logging.getLogger("dvc")
    before, handlers = logger.level, logger.handlers[:]
    logger.setLevel(logging.INFO)
    logger.handlers = [ear]
    try:
        yield ear.heard
    finally:
        logger.setLevel(before)
        logger.handlers = handlers


class Peer:
    """A project that DVC and Furrow are asked about.

    Args:
        root: An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        (root / ".dvc/tmp").mkdir(parents=True)
        (root / ".dvc/config").write_text("[core]\n    analytics = false\n    autostage = false\n")
        (root / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
        self._repo: Repo | None = None

    def repo(self) -> Repo:
        """DVC, looking at the project anew."""
        self.close()
        self._repo = Repo(str(self.root))
        return self._repo

    def close(self) -> None:
        if self._repo is not None:
            self._repo.close()
            self._repo = None

    def add(self, paths: list[str]) -> None:
        """`dvc add`."""
        if paths:
            with listening(), suppress(*ODD):
                self.repo().add(paths)

    def run(self) -> Said:
        """`dvc repro --all-pipelines`."""
        with listening() as heard:
            failed, words = False, ""
            try:
                self.repo().reproduce(all_pipelines=True)
            except ODD as exc:
                failed, words = True, f"{type(exc).__name__} {exc} {exc.__cause__!r}"
        text = "\n".join(heard)
        ran = set(re.findall(r"Running stage '([^']+)'", text))
        ran |= set(re.findall(r"Verifying outputs in frozen stage: '([^']+)'", text))
        return Said(
            None,
            frozenset(ran),
            frozenset(re.findall(r"Stage '([^']+)' is cached", text)),
            failed,
            words,
        )

    def status(self) -> Said:
        """`dvc status`."""
        with listening():
            try:
                found = self.repo().status(check_updates=False)
            except ODD as exc:
                return Said(None, words=f"{type(exc).__name__} {exc} {exc.__cause__!r}")
        return Said(not found, words=str(found))

    @contextmanager
    def as_before(self) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Keep the project as it is; what is given puts it back for as long as a block runs."""
        self.close()
        kept, now = (self.root.with_name(f"{self.root.name}-{word}") for word in ("before", "now"))
        shutil.copytree(self.root, kept, symlinks=True)

        @contextmanager
        def before() -> Iterator[None]:
            self.close()
            with standing_in(self.root.parent):
                self.root.rename(now)
                kept.rename(self.root)
            try:
                with standing_in(self.root):
                    yield
            finally:
                with standing_in(self.root.parent):
                    self.root.rename(kept)
                    now.rename(self.root)

        try:
            yield before
        finally:
            removed(kept)

    def written(self) -> dict[tuple[str, str], str]:
        """What each stage's outputs hold by dvc.lock: md5 by stage and path."""
        steps = read_pipeline(self.root).steps
        return {
            (name, out.path): out.md5
            for name, step in steps.items()
            for out in step.outs
            if out.md5
        }

    def plan(self) -> Said:
        """`furrow plan`."""
        try:
            plan = make_plan(self.root, local=False)
        except FurrowError as exc:
            return Said(None, words=str(exc))
        stages = {action: frozenset(each.name for each in plan.stages if each.action == action and each.certain)
                  for action in ("run", "record", "restore")}  # fmt: skip
        maybe = frozenset(
            each.name for each in plan.stages if not each.certain and each.action != "unknown"
        )
        unknown = any(each.action == "unknown" for each in plan.stages)
        words = "; ".join(
            f"{each.name} {each.action} {each.certain} {each.why}" for each in plan.stages
        )
        data = [
            f"{each.name}: {each.why}"
            for each in plan.resources
            if each.kind == "data" and each.action != "unchanged"
        ]
        rest = not plan.stages and not data
        ran = stages["run"] | stages["record"]
        return Said(rest, ran, stages["restore"], unknown, f"{words} {data}", maybe)


@contextmanager
def told(written: Mapping[tuple[str, str], str]) -> Iterator[None]:
    """Let Furrow's prediction know what nothing but running a stage tells: what it writes."""
    guess = stage_prediction._Look._after

    def known(look: Any, out: Any, *, same: bool) -> str:
        return written.get((look.step.name, out.path)) or guess(look, out, same=same)

    stage_prediction._Look._after = known
    try:
        yield
    finally:
        stage_prediction._Look._after = guess


@contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    """The working folder, for as long as the block runs: DVC names stages from there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def removed(folder: Path) -> None:
    """Remove a project, its protected files too."""
    shutil.rmtree(folder, ignore_errors=True)


dvc.logger  # noqa: B018 - loaded before handlers are looked at
