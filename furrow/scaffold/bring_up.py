"""From written files to judged runs.

Git, DVC, landed data, compiled declarations, every stage, the project's tests.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.data.contract import load_contract
from furrow.data.raw_files import table_files
from furrow.files import write_text
from furrow.ground.dvc_setup import init_dvc, track
from furrow.ground.git import GitError, git, toplevel
from furrow.ground.repro import ReproError, run_tool
from furrow.ground.start_python import stage_python
from furrow.ground.virtual_environments import ignore_environments
from furrow.layout import BUILD, CONTRACT, DATA, DVC_CONFIG, FURROW, INGEST_PY
from furrow.plan.apply_lock import apply_lock
from furrow.plan.compile import compile_repository, write
from furrow.plan.stage_file import write_stages
from furrow.scaffold.conf_schemas import write_schemas
from furrow.scaffold.template_base import keep_base
from furrow.scaffold.texts import LANDED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Step", "bring_up", "compile_project"]

_STAGES = 3  # compile, validate, select
_OF_AN_EXPERIMENT = 2  # train, evaluate


@dataclass(frozen=True)
class Step:
    """What happens now.

    Attributes:
        what: In words.
        total: How many steps there are, where that is known by now.
    """

    what: str
    total: int = 0


def bring_up(root: Path, watch: Callable[[Step], None], *, train: bool = True) -> bool:
    """Make a written project run; what is done already is left alone.

    Args:
        root: The project.
        watch: Told what happens.
        train: Run the stages; else end when everything is compiled.

    Returns:
        Whether the project's tests ran; they don't where pytest is not installed.

    Raises:
        FurrowError: A step failed; the next init goes on from there.
    """
    _repository(root, watch)
    keep_base(root)
    with apply_lock(root) as (owner, dead, _):
        if dead is not None:
            watch(Step("what a killed init began is taken up"))
        _data(root, watch)
        total = compile_project(root, watch)
        if not train:
            return False
        watch(Step("training", total))
        for line in run_tool(root, "dvc", ["repro"], token=owner.token):
            if line.kind != "text":
                watch(Step(line.stage))
        if importlib.util.find_spec("pytest") is None:
            return False
        watch(Step("the project's tests"))
        _run(
            root,
            *stage_python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_project.py"),
        )
    return True


def compile_project(root: Path, watch: Callable[[Step], None]) -> int:
    """Write dvc.yaml's stages, resolved configs and the manifest.

    Args:
        root: The project.
        watch: Told what happens.

    Returns:
        How many stages there are.
    """
    watch(Step("compile"))
    compiled = compile_repository(root, check=False)
    write_stages(root, compiled.stages)
    write(root, compiled)
    write_schemas(root)
    return _STAGES + len(compiled.stages) + _OF_AN_EXPERIMENT * len(compiled.experiments)


def _repository(root: Path, watch: Callable[[Step], None]) -> None:
    """A Git repository with DVC in it."""
    try:
        top = toplevel(root).resolve()
    except GitError:
        watch(Step("git init"))
        git(root, "init", "-q", "-b", "main")
        top = root.resolve()
    inside = [root.resolve(), *root.resolve().parents]
    if not any((folder / DVC_CONFIG).is_file() for folder in inside[: inside.index(top) + 1]):
        watch(Step("dvc init"))
        half = (root / ".dvc").is_dir()  # one that was killed
        init_dvc(root, subdir=top != root.resolve(), again=half)
    ignored = f"{BUILD}/" in _text(root / ".gitignore")
    for folder in () if ignored else (BUILD, FURROW):  # a .gitignore that was there stays as it is
        if not (root / folder / ".gitignore").exists():
            write_text(root / folder / ".gitignore", "*\n")
    if hidden := ignore_environments(root):
        watch(Step(f".gitignore: {', '.join(hidden)}"))


def _data(root: Path, watch: Callable[[Step], None]) -> None:
    """Landed tables, and DVC's pointer to them."""
    tables = load_contract(root / CONTRACT).tables
    if not all(table_files(root / DATA, table) for table in tables.values()):
        watch(Step("land the data"))
        _run(root, *stage_python(INGEST_PY))
    if not (root / DATA / f"{LANDED}.dvc").is_file():
        watch(Step("dvc add data/landed"))
        track(root, f"{DATA}/{LANDED}")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _run(root: Path, tool: str, *arguments: str) -> None:
    try:
        for _ in run_tool(root, tool, arguments):
            pass
    except ReproError as exc:
        raise ReproError(
            exc.message, hint="mend that, then run `furrow init` again: it goes on from there"
        ) from exc
