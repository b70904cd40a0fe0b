"""The digest of code.

An entry point and every module of the project, and of furrow, that it imports.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from furrow.errors import FurrowError
from furrow.files import sha256_bytes, sha256_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["CodeError", "code_digest", "import_closure"]

INSTALLED = Path(__file__).resolve().parents[2]
"""Where the furrow that runs is: in the project, as in its own repository, or installed."""


_INNER = ("body", "orelse", "handlers", "finalbody", "cases")
"""Where statements hold statements: an import stands nowhere else."""


_FOLLOWS = ("ctx", "type_comment")
"""Fields of a syntax tree that follow from where a node stands, or are comments."""


class _Source(NamedTuple):
    """What is known of a file.

    Attributes:
        shape: Digest of its syntax tree without docstrings.
        imports: Level, module and names of each import; of `import a, b`, a level of -1.
    """

    shape: str
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]


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
    own = _has_furrow(root)
    for one in (entry, *also):
        closure = import_closure(root, one)
        if one not in closure:
            raise CodeError(f"there is no module {one}", hint=f"write {one.replace('.', '/')}.py")
        for name, path in closure.items():
            if name not in shapes:
                shapes[name] = _source(path, _stamp(path)).shape
            if not own and name.partition(".")[0] == "furrow":  # wherever its environment lies
                shapes["furrow.__version__"] = version("furrow")
    return sha256_json(shapes)


def import_closure(root: Path, entry: str) -> dict[str, Path]:
    """Modules of this project, and of furrow, that an entry point imports, itself included, sorted by name.

    Imports under `if TYPE_CHECKING` don't count; imports inside functions do.
    """
    found: dict[str, Path] = {}
    root = root.resolve()
    missing: set[str] = set()
    todo = [entry]
    while todo:
        name = todo.pop()
        if name in found or name in missing:
            continue
        above = name.rpartition(".")[0]
        inside = not above or above in missing or above not in found or _is_package(found[above])
        path = _locate(root, name) if inside else None
        if path is None:
            missing.add(name)
            continue
        found[name] = path
        package = name if _is_package(path) else above
        todo.extend(_names(_source(path, _stamp(path)).imports, package))
        todo.extend(".".join(name.split(".")[:depth]) for depth in range(1, name.count(".") + 1))
    return dict(sorted(found.items()))


def _has_furrow(root: Path) -> bool:
    """Whether a project brings a furrow of its own."""
    return (root / "furrow/__init__.py").is_file()


def _is_package(path: Path) -> bool:
    return path.name == "__init__.py"


def _locate(root: Path, name: str) -> Path | None:
    parts = name.split(".")
    place = root
    if parts[0] == "furrow" and not _has_furrow(root):
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
def _source(path: Path, stamp: tuple[int, int]) -> _Source:
    """Parse a file, once for each of its states."""
    del stamp
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError) as exc:
        raise CodeError(
            f"cannot read the code of {path}: {exc}", hint="mend it, then run again"
        ) from exc
    imports = tuple(_imports(tree))
    return _Source(_shape(tree), imports)


def _names(imports: Iterable[tuple[int, str, tuple[str, ...]]], package: str) -> Iterator[str]:
    """All that imports may mean, relative ones within the package.

    What is a module shows by its file.
    """
    parts = package.split(".")
    for level, module, names in imports:
        if level < 0:
            yield from names
            continue
        above = parts[: len(parts) - level + 1] if level else []
        base = ".".join([*above, *([module] if module else [])])
        yield from (f"{base}.{name}" for name in names)
        yield base


def _imports(node: ast.AST) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    for part in _INNER:
        for child in getattr(node, part, ()):
            if isinstance(child, ast.Import):
                yield -1, "", tuple(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield child.level, child.module or "", tuple(alias.name for alias in child.names)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                yield from _imports(ast.Module(child.orelse, []))
            else:
                yield from _imports(child)


def _shape(tree: ast.Module) -> str:
    """Digest of a module's syntax tree without docstrings, which are taken out of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    parts: list[str] = []
    _write(tree, parts)
    return sha256_bytes("".join(parts).encode())


def _write(value: Any, parts: list[str]) -> None:
    """A syntax tree as text: as `ast.dump`, without what is empty or follows from the rest.

    The text is the same for each version of Python that parses it to the same meaning: newer ones
    add fields, and leave out others.
    """
    if isinstance(value, ast.Constant):
        parts.append(f"({value.value!r})")
    elif isinstance(value, ast.AST):
        parts.append(f"{type(value).__name__}(")
        for name in value._fields:
            found = getattr(value, name, None)
            if found is not None and found != [] and name not in _FOLLOWS:
                parts.append(f"{name}=")
                _write(found, parts)
        parts.append(")")
    elif isinstance(value, list):
        parts.append("[")
        for one in value:
            _write(one, parts)
        parts.append("]")
    else:
        parts.append(f"{value!r},")
