"""An addition written into a project and compiled; where that fails, everything is as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.files import write_text
from furrow.layout import DVC_YAML
from furrow.plan.apply_lock import apply_lock
from furrow.plan.compile import compile_repository, write
from furrow.plan.stage_file import depend, write_stages
from furrow.scaffold.additions import AdditionError

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.scaffold.additions import Addition

__all__ = ["write_addition"]


def write_addition(root: Path, addition: Addition) -> list[str]:
    """Write an addition's files, and compile the project with them.

    Args:
        root: The project.
        addition: What is added.

    Returns:
        The paths that were written, what compile wrote among them.

    Raises:
        AdditionError: A file is there already.
        FurrowError: The project does not compile with it; nothing was changed.
    """
    wanted = {**addition.files, **addition.edits}
    with apply_lock(root):
        before = {path: _content(root / path) for path in (*wanted, DVC_YAML)}
        for path, text in addition.files.items():
            if before[path] not in (None, text.encode()):
                raise AdditionError(f"{path} is there already", hint="give another name")
        try:
            for path, text in wanted.items():
                write_text(root / path, text)
            depend(root, "compile", addition.needs)
            compiled = compile_repository(root, check=False)
            write_stages(root, compiled.stages)
            written = write(root, compiled)
        except BaseException:
            for path, content in before.items():
                _put_back(root / path, content)
            raise
        changed = [path for path in before if _content(root / path) != before[path]]
    return [*changed, *written]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _put_back(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif _content(path) != content:
        write_text(path, content.decode())
