"""Projects brought to rest in the test's own process: DVC decides what runs; each stage's function is called, not started.

`dvc repro` starts a Python for each stage, and that costs seconds of imports each time. Here DVC's
own code reads the project, compares, restores from its cache, runs and locks, and only the start of
the command is left out.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dvc.stage.run
import pygit2
from dvc.repo import Repo

from furrow.plan.compile import compile_repository, write

if TYPE_CHECKING:
    import pytest

COMMAND = re.compile(r"python -m furrow(?:\.stages\.(\w+)| compile)((?: \w+)*)")
FUNCTIONS = {"evaluate": "judge", "training_set": "build"}
IGNORED = "/build/\n/data/\n/.furrow/\n__pycache__\n"
WHO = pygit2.Signature("Ada Test", "ada@example.com", 1_700_000_000, 0)


def run_here(root: Path, command: str) -> None:
    """What a stage's command does, in this process."""
    match = COMMAND.fullmatch(command)
    assert match, f"{command} is no stage of Furrow's"
    if match[1] is None:
        write(root, compile_repository(root))
        return
    module = importlib.import_module(f"furrow.stages.{match[1]}")
    code = getattr(module, FUNCTIONS.get(match[1], match[1]))(root, *match[2].split())
    assert not code, f"{command} ended with {code}"


def repro(root: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """`dvc repro`: the stages that ran."""
    ran: set[str] = set()

    def run(stage: Any, dry: bool = False, run_env: Any = None) -> None:
        ran.add(stage.addressing)
        run_here(Path(stage.repo.root_dir), stage.cmd)

    with monkeypatch.context() as patch:
        patch.chdir(root)
        patch.setattr(dvc.stage.run, "cmd_run", run)
        repo = Repo(str(root))
        try:
            repo.reproduce()
        finally:
            repo.close()
    return ran


def commit(root: Path, message: str) -> str:
    """Commit everything; returns the commit's id."""
    repo = pygit2.Repository(str(root))
    repo.index.add_all()
    repo.index.write()
    parents = [] if repo.head_is_unborn else [repo.head.target]
    ref = "refs/heads/main" if repo.head_is_unborn else repo.head.name
    return str(repo.create_commit(ref, WHO, WHO, message, repo.index.write_tree(), parents))


def status(root: Path) -> dict[str, int]:
    """What differs from the last commit."""
    return dict(pygit2.Repository(str(root)).status(untracked_files="all", ignored=False))


def track(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dvc add data`."""
    with monkeypatch.context() as patch:
        patch.chdir(root)
        _add(root)


def _add(root: Path) -> None:
    repo = Repo(str(root))
    try:
        repo.add("data")
    finally:
        repo.close()


def plant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a project's files as a repository of its own, with every stage run, committed."""
    (folder / ".gitignore").write_text(IGNORED)
    pygit2.init_repository(str(folder), initial_head="main")
    Repo.init(str(folder)).close()
    track(folder, monkeypatch)
    repro(folder, monkeypatch)
    commit(folder, "run")
    return folder
