"""The digest of code: an entry point and every module of the project, and of furrow, that it imports."""

from __future__ import annotations

import ast
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.files import sha256_bytes, sha256_json

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CodeError", "code_digest", "import_closure"]

INSTALLED = Path(__file__).resolve().parents[2]
"""Where the furrow that runs is: in the project, as in its own repository, or installed."""


class CodeError(FurrowError):
    """A module can't be found or parsed."""


def code_digest(root: Path, entry: str, also: Iterable[str] = ()) -> str:
    """Digest of a module and its import closure; comments, docstrings and layout don't count.

    The closure holds the project's own modules, and furrow's: of the project when it has a folder
    furrow, else of the installed one, which counts by its version, too. What comes from elsewhere
    is held by requirements.lock.

    Args:
        root: The project.
        entry: A module, such as "furrow.stages.train".
        also: Modules that it loads by name, as a task is.

    Raises:
        CodeError: The entry point does not exist, or a file of the closure does not parse.
    """
    shapes: dict[str, str] = {}
    for one in (entry, *also):
        closure = import_closure(root, one)
        if one not in closure:
            raise CodeError(f"there is no module {one}", hint=f"write {one.replace('.', '/')}.py")
        for name, path in closure.items():
            if name not in shapes:
                shapes[name] = _shape(path, _stamp(path))
            if not path.is_relative_to(root.resolve()):
                shapes["furrow.__version__"] = version("furrow")
    return sha256_json(shapes)


def import_closure(root: Path, entry: str) -> dict[str, Path]:
    """Modules of this project, and of furrow, that an entry point imports, itself included, sorted by name.

    Imports under `if TYPE_CHECKING` don't count; imports inside functions do.
    """
    found: dict[str, Path] = {}
    root = root.resolve()
    todo = [entry]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        path = _locate(root, name)
        if path is None:
            continue
        found[name] = path
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        todo.extend(_imported(path, _stamp(path), package))
        todo.extend(".".join(name.split(".")[:depth]) for depth in range(1, name.count(".") + 1))
    return dict(sorted(found.items()))


def _locate(root: Path, name: str) -> Path | None:
    parts = name.split(".")
    place = root
    if parts[0] == "furrow" and not (root / "furrow/__init__.py").is_file():
        place = INSTALLED
    base = place.joinpath(*parts)
    return next(
        (path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None
    )


def _stamp(path: Path) -> tuple[int, int]:
    """A file's state: what is known of it holds until that changes."""
    try:
        found = path.stat()
    except OSError as exc:
        raise CodeError(
            f"cannot read the code of {path}: {exc}", hint="mend it, then run again"
        ) from exc
    return found.st_mtime_ns, found.st_size


@lru_cache(4096)
def _imported(path: Path, stamp: tuple[int, int], package: str) -> tuple[str, ...]:
    del stamp
    return tuple(_imports(_parse(path), package))


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError) as exc:
        raise CodeError(
            f"cannot read the code of {path}: {exc}", hint="mend it, then run again"
        ) from exc


def _imports(tree: ast.AST, package: str) -> list[str]:
    names: list[str] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            names += [name for part in node.orelse for name in _imports(part, package)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            names += _imports(node, package)
    return names


@lru_cache(4096)
def _shape(path: Path, stamp: tuple[int, int]) -> str:
    """Digest of a module's syntax tree without docstrings."""
    del stamp
    tree = _parse(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return sha256_bytes(ast.dump(tree).encode())
