"""What the README and docs/ show can be typed: Python that names nothing undefined, commands and options that there are."""

from __future__ import annotations

import ast
import builtins
import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest

from furrow.cli.group import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = "\n".join([README, *(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))])
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = sorted({
    found.rstrip("\\").strip()
    for found in re.findall(r"(?:^    |`)(furrow [a-z][^`\n]*)", PAGES, re.MULTILINE)
})  # fmt: skip


def test_snippets_name_nothing_undefined() -> None:
    """Read from top to bottom, each name was imported or made before, and each import is there."""
    made = set(dir(builtins))
    for snippet in SNIPPETS:
        assert _used(ast.parse(snippet), made) <= made, snippet


def _used(tree: ast.Module, made: set[str]) -> set[str]:
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = import_module(str(node.module))
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"
                made.add(alias.asname or alias.name)
        elif isinstance(node, ast.Import):
            made |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef):
            made |= {node.name, *(one.arg for one in node.args.args)}
        elif isinstance(node, ast.Name):
            (made if isinstance(node.ctx, ast.Store) else used).add(node.id)
    return used


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_there(line: str) -> None:
    """Each command and each of its options exists; [..] and | of a synopsis are left out."""
    words = shlex.split(re.sub(r"[\[\]|]", " ", line.partition("   ")[0]), comments=True)[1:]
    if words[:2] == ["--project", "FOLDER"]:
        words = words[2:]
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            break
        command, words = found, words[1:]
    assert command is not cli or words[:1] == ["COMMAND"], line
    known = {name for option in command.params for name in option.opts}
    if isinstance(command, click.Group):
        listed = command.get_command(click.Context(command), "list")
        known |= {name for option in (listed.params if listed else ()) for name in option.opts}
    if line.startswith("furrow predict"):
        known |= {"--carrier", "--flight", "--origin", "--dest", "--tailnum"}
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= known, line
