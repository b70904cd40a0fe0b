"""The code of an on-demand view, cut out of its module.

The function and every constant, helper and import it uses.

Serving runs this text on its own, and the digest is taken of it: it is written anew from the syntax
tree, so comments, docstrings, annotations and format leave no trace, and what the function does not
use does not count.
"""

from __future__ import annotations

import ast
import builtins
import math
import symtable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.features.canonical_source import source_text

if TYPE_CHECKING:
    from types import FunctionType

__all__ = ["CodeError", "extract", "prove"]

BUILTINS = frozenset(dir(builtins)) | {"__name__"}


class CodeError(FurrowError):
    """The code of an on-demand view can't stand on its own.

    Args:
        view: The on-demand view.
        why: What is in the way.
        hint: The next step.
    """

    def __init__(self, view: str, why: str, *, hint: str = "") -> None:
        super().__init__(f"on-demand view {view!r}: {why}", hint=hint)
        self.view = view


def extract(function: FunctionType, folder: Path, *, view: str) -> tuple[str, str]:
    """The self-contained source of a function of the features folder.

    Args:
        function: The function, as the definitions hold it.
        folder: The features folder; what is defined in it is copied, what lies outside is imported.
        view: The on-demand view, for errors.

    Returns:
        The source text, and the name that it defines.

    Raises:
        CodeError: The source can't be found, or uses a name that can't be copied.
    """
    extraction = _Extraction(folder.resolve(), view)
    try:
        name = extraction.take_function(function)
    except ValueError as exc:
        raise extraction.error(str(exc), hint="give it a name before the f-string") from exc
    return extraction.render(), name


def prove(code: str, function: str, *, view: str) -> None:
    """Run extracted code on its own, as serving will, and see that it defines its function.

    Args:
        code: The text that `extract` gave.
        function: The name it gave.
        view: The on-demand view, for errors.

    Raises:
        CodeError: The code does not run by itself.
    """
    names: dict[str, Any] = {"__name__": f"features.{view}"}
    try:
        # it ran already, in its module
        exec(compile(code, f"<on-demand view {view}>", "exec"), names)  # noqa: S102
    except Exception as exc:
        hint = "keep what it uses to constants, functions and imports of its module"
        raise CodeError(
            view, f"its code does not run by itself: {type(exc).__name__}: {exc}", hint=hint
        ) from exc
    if not callable(names.get(function)):
        raise CodeError(view, f"its code does not define a function {function!r}")


class _Extraction:
    """One extraction: starts at a function and follows the names it uses, from module to module."""

    def __init__(self, folder: Path, view: str) -> None:
        self.folder = folder
        self.view = view
        self.modules: dict[Path, list[ast.stmt]] = {}
        self.follows: dict[Path, list[Path]] = {}
        self.taken: dict[Path, dict[int, str]] = {}
        self.imports: set[str] = set()
        self.meaning: dict[str, str] = {}
        self.tail: list[str] = []

    def error(self, why: str, *, hint: str = "") -> CodeError:
        return CodeError(self.view, why, hint=hint)

    def take_function(self, function: FunctionType) -> str:
        """Take the function itself; a nested one is lifted to the top, with what it closes over."""
        path = Path(function.__code__.co_filename).resolve()
        if not path.is_file():
            hint = "define the function in a .py file of the features folder"
            raise self.error("its source file can't be found", hint=hint)
        node = self.find(path, function)
        if isinstance(node, ast.FunctionDef) and node in self.modules[path]:
            self.need(path, node.name)
            return node.name
        name, text = (
            ("transform", "transform = ") if isinstance(node, ast.Lambda) else (node.name, "")
        )
        self.tail.append(text + _canonical(node))
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for free, cell in sorted(cells.items()):
            self.take_closure(free, cell.cell_contents)
        for used in sorted(_uses(self.tail[-1]) - cells.keys() - {name}):
            self.need(path, used)
        return name

    def find(self, path: Path, function: FunctionType) -> ast.FunctionDef | ast.Lambda:
        code, found = function.__code__, []
        for statement in self.module(path):
            for node in ast.walk(statement):
                if isinstance(node, ast.FunctionDef | ast.Lambda):
                    lines = [node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]
                    name = node.name if isinstance(node, ast.FunctionDef) else "<lambda>"
                    if min(lines) == code.co_firstlineno and name == code.co_name:
                        found.append(node)
        if len(found) != 1:
            why = (
                f"{path.name}:{code.co_firstlineno} holds {len(found)} functions {code.co_name!r},"
                " not one"
            )
            raise self.error(why, hint="write it as a `def` of its own")
        return found[0]

    def module(self, path: Path) -> list[ast.stmt]:
        if path not in self.modules:
            self.modules[path] = ast.parse(
                path.read_text(encoding="utf-8"), filename=str(path)
            ).body
            self.follows[path] = []
            self.taken[path] = {}
        return self.modules[path]

    def take_closure(self, name: str, value: Any) -> None:
        try:
            self.tail.insert(0, f"{name} = {_literal(value)}")
        except ValueError:
            why = f"its function closes over {name!r}, a {type(value).__name__}"
            raise self.error(
                why, hint="make it a constant of the module, or an argument's default"
            ) from None

    def need(self, path: Path, name: str) -> None:
        """Take every top-level statement that binds a name or changes its value, and what these need in turn."""
        body = self.module(path)
        binding = [index for index, statement in enumerate(body) if name in _binds(statement)]
        if not binding:
            if name in BUILTINS:
                return
            if any(isinstance(s, ast.ImportFrom) and s.names[0].name == "*" for s in body):
                raise self.error(
                    f"{name!r} comes from an `import *`", hint=f"import {name} by its name"
                )
            raise self.error(
                f"{path.name} does not define {name!r}", hint="define it in the same module"
            )
        changing = [index for index, statement in enumerate(body) if name in _changes(statement)]
        for index in sorted({*binding, *changing}):
            statement = body[index]
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.take_import(path, statement, name)
            elif index not in self.taken[path]:
                self.means(name, str(path))
                self.taken[path][index] = text = _canonical(statement)
                for used in sorted(_uses(text)):
                    self.need(path, used)

    def means(self, name: str, meaning: str) -> None:
        if self.meaning.setdefault(name, meaning) != meaning:
            both = sorted(Path(place).name for place in (self.meaning[name], meaning))
            why = f"{name!r} has two meanings: {both[0]} and {both[1]}"
            raise self.error(why, hint="give one of them another name")

    def take_import(self, path: Path, statement: ast.Import | ast.ImportFrom, name: str) -> None:
        alias = next(a for a in statement.names if (a.asname or a.name.split(".")[0]) == name)
        if isinstance(statement, ast.Import):
            file = self.file(alias.name)
            if file is not None:
                hint = f"write `from {alias.name} import ...` with the names it uses"
                why = f"{path.name}:{statement.lineno} imports the whole module {alias.name!r}"
                raise self.error(why, hint=hint)
            self.take_external(name, ast.Import([alias]))
            return
        module = statement.module or ""
        file = self.file(module)
        if file is None and not statement.level:
            if module != "__future__":
                self.take_external(name, ast.ImportFrom(module, [alias], 0))
            return
        if file is None or statement.level or alias.asname not in (None, alias.name):
            why = (
                f"{path.name}:{statement.lineno} imports {name!r} under another name, or relatively"
            )
            raise self.error(why, hint=f"write `from {module or 'module'} import {alias.name}`")
        if file not in self.follows[path]:
            self.follows[path].append(file)
        self.need(file, name)

    def take_external(self, name: str, statement: ast.stmt) -> None:
        text = source_text(statement)
        self.means(name, text)
        self.imports.add(text)

    def file(self, module: str) -> Path | None:
        """The features folder's own file of a module, if it is one."""
        path = (
            self.folder.joinpath(*module.split(".")).with_suffix(".py") if module else self.folder
        )
        return path if path.is_file() else None

    def render(self) -> str:
        """Imports first, then each module's statements in their order, a module after those it imports from."""
        try:
            order = list(TopologicalSorter(self.follows).static_order())
        except CycleError as exc:
            modules = ", ".join(sorted({path.name for path in exc.args[1]}))
            raise self.error(
                f"{modules} import one another", hint="put what they share in one module"
            ) from exc
        body = [text for path in order for _, text in sorted(self.taken.get(path, {}).items())]
        return "\n".join([*sorted(self.imports), *body, *self.tail]) + "\n"


class _Strip(ast.NodeTransformer):
    """Take off what changes no result.

    Docstrings, Feast's decorator, the annotations of functions.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body = [s for s in node.body if not _is_text(s)] or [ast.Pass()]
        node.decorator_list = [d for d in node.decorator_list if not _is_feast(d)]
        node.returns = None
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [s for s in node.body if not _is_text(s)] or [ast.Pass()]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None or not isinstance(node.target, ast.Name):
            return node
        return ast.Assign(targets=[node.target], value=node.value, lineno=node.lineno)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_feast(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return getattr(called, "id", getattr(called, "attr", "")) == "on_demand_feature_view"


def _canonical(node: ast.stmt | ast.expr) -> str:
    copied = ast.parse(source_text(node))
    return source_text(ast.fix_missing_locations(_Strip().visit(copied)))


def _symbols(text: str) -> symtable.SymbolTable:
    return symtable.symtable(text, "<features>", "exec")


def _uses(text: str) -> set[str]:
    """Names that a piece of code takes from its module, by Python's own scope rules."""

    def inner(table: symtable.SymbolTable) -> set[str]:
        names = {s.get_name() for s in table.get_symbols() if s.is_global()}
        return names.union(*map(inner, table.get_children()))

    top = _symbols(text)
    names = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    return names.union(*map(inner, top.get_children()))


def _binds(statement: ast.stmt) -> set[str]:
    """Names that a top-level statement binds in its module."""
    if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
        return set()
    text = source_text(statement)
    return {
        s.get_name() for s in _symbols(text).get_symbols() if s.is_assigned() or s.is_imported()
    }


def _changes(statement: ast.stmt) -> set[str]:
    """Names whose value a top-level statement may change in place.

    `TABLE["x"] = 1`, `TABLE.update(...)`.
    """
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.Delete):
        targets = [statement.target] if isinstance(statement, ast.AugAssign) else statement.targets
        bases = [t.value for t in targets if isinstance(t, ast.Subscript | ast.Attribute)]
        return {n.id for base in bases for n in ast.walk(base) if isinstance(n, ast.Name)}
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return {n.id for n in ast.walk(statement.value) if isinstance(n, ast.Name)}
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return set()
    inner = [part for part in ast.iter_child_nodes(statement) if isinstance(part, ast.stmt)]
    return set().union(*map(_changes, inner))


def _literal(value: Any) -> str:
    """A value as source text, the same for equal values whatever the hash seed.

    Raises:
        ValueError: It is no literal.
    """
    if value is None or isinstance(value, bool | int | str | bytes):
        return repr(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, tuple):
        return f"({''.join(f'{_literal(item)}, ' for item in value)})"
    if isinstance(value, set | frozenset):
        return f"{type(value).__name__}([{', '.join(sorted(map(_literal, value)))}])"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(k)}: {_literal(v)}' for k, v in value.items())}}}"
    raise ValueError(type(value).__name__)
