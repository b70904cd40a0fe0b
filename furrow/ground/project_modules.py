"""Running a Feast repository's Python files without a trace.

No sys.path, no sys.modules, no bytecode, no filters.
"""

from __future__ import annotations

import difflib
import re
import sys
import threading
import traceback
import warnings
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.ground.trust import require_trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType

__all__ = ["DefinitionError", "importable", "repo_modules"]


class DefinitionError(FurrowError):
    """The definitions of a Feast repository are wrong.

    Args:
        message: The file or the definition, and what is wrong with it.
        hint: The next step.
    """


_ALONE = threading.RLock()


class _FreshLoader(SourceFileLoader):
    """Compile the source each time.

    A bytecode cache may be stale, and writing one is a side effect.
    """

    def path_stats(self, path: Any) -> Mapping[str, Any]:
        raise OSError(f"no bytecode for {path}")

    def set_data(self, path: Any, data: Any, *, _mode: int = 0o666) -> None:
        del path, data, _mode


class _RepoFinder(MetaPathFinder):
    """Finds the modules of one Feast repository, named by their path in it, before any others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        base = self.folder.joinpath(*fullname.split("."))
        file = base.with_name(f"{base.name}.py")
        if file.is_file():
            return spec_from_file_location(fullname, file, loader=_FreshLoader(fullname, str(file)))
        if not base.is_dir():
            return None
        init = base / "__init__.py"
        if init.is_file():
            loader = _FreshLoader(fullname, str(init))
            return spec_from_file_location(
                fullname, init, loader=loader, submodule_search_locations=[str(base)]
            )
        if "." not in fullname and not any(base.rglob("*.py")):
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [str(base)]
        return spec


@contextmanager
def importable(folder: Path, files: Sequence[Path]) -> Iterator[None]:
    """Let a folder's modules be imported by their names, and forget them afterwards.

    Warning filters, sys.path, sys.modules and the folder are as before; prints go to stderr
    meanwhile.

    Args:
        folder: The Feast repository.
        files: Its Python files.

    Raises:
        UntrustedError: It is a clone whose code may not run yet.
    """
    require_trust(folder, f"this runs the Python files of {folder.name}/")
    own = {_module_name(file, folder).split(".")[0] for file in files}

    def set_aside() -> dict[str, ModuleType]:
        return {
            name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] in own
        }

    finder = _RepoFinder(folder)
    with _ALONE, warnings.catch_warnings(), redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        before = set_aside()
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
            set_aside()
            sys.modules.update(before)


def repo_modules(folder: Path, files: Sequence[Path]) -> Iterator[tuple[Path, ModuleType]]:
    """Run a folder's files one after the other, inside of `importable`.

    Args:
        folder: The Feast repository.
        files: Its Python files.

    Yields:
        Each file and its module.

    Raises:
        DefinitionError: A file fails to run.
    """
    for file in files:
        yield file, _run(file, folder)


def _module_name(file: Path, folder: Path) -> str:
    return ".".join(file.relative_to(folder).with_suffix("").parts)


def _run(file: Path, folder: Path) -> ModuleType:
    try:
        return import_module(_module_name(file, folder))
    except FurrowError:
        raise
    except Exception as exc:
        raise DefinitionError(
            f"{_place(exc, folder, file)}: {_reason(exc)}", hint=_suggestion(exc)
        ) from exc


def _place(exc: BaseException, folder: Path, file: Path) -> str:
    """Where it happened.

    The innermost of the repository's lines, as the reader's editor finds the file.
    """
    if isinstance(exc, SyntaxError) and exc.filename:
        return f"{_shown(Path(exc.filename), folder)}:{exc.lineno}"
    frames = [
        f
        for f in traceback.extract_tb(exc.__traceback__)
        if Path(f.filename).is_relative_to(folder)
    ]
    if not frames:
        return _shown(file, folder)
    return f"{_shown(Path(frames[-1].filename), folder)}:{frames[-1].lineno}"


def _shown(file: Path, folder: Path) -> str:
    """A file's path from the current folder, where it is below; else from the repository's."""
    above = next((one for one in (Path.cwd(), folder) if file.is_relative_to(one)), file.parent)
    return str(file.relative_to(above))


def _reason(exc: BaseException) -> str:
    said = str(exc).strip() or "failed"
    return f"{type(exc).__name__}: {said.splitlines()[0]}"


def _suggestion(exc: BaseException) -> str:
    """What may have been meant.

    A name like the one not defined, or a feature like the one not there.
    """
    frames = [frame for frame, _ in traceback.walk_tb(exc.__traceback__)]
    wrong, known = "", list[str]()
    if isinstance(exc, NameError) and frames:
        wrong, known = exc.name or "", [*frames[-1].f_globals, *frames[-1].f_locals]
    elif (
        found := re.match(r"Feature (\S+) does not exist in this feature view", str(exc))
    ) and frames:
        wrong, known = (
            found[1],
            [field.name for field in getattr(frames[-1].f_locals.get("self"), "features", [])],
        )
    close = difflib.get_close_matches(wrong, known, n=1)
    return (
        f"did you mean {close[0]}?"
        if close
        else "the definitions must run as `feast apply` runs them"
    )
