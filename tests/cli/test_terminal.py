"""One place writes for commands, and what it writes is harmless."""

import ast
import io
from pathlib import Path

import pytest

from furrow.cli import render, terminal
from furrow.cli.terminal import Ink, say, say_block

ROOT = Path(__file__).parents[2] / "furrow"
WRITERS = {"cli/terminal.py", "cli/render.py"}
"""Those that write for others."""
ALLOWED = {
    "ground/dvcdirs.py": {
        "print",
        "sys.stderr",
    },  # a program of its own; what it prints goes through safe_text
    "ground/project_modules.py": {"sys.stderr"},  # where what a definition prints is led to
    "ground/jail.py": {
        "sys.stdout",
        "sys.stderr",
    },  # a program of its own, of the standard library alone, inside the jail
    "ground/jail_watch.py": {"sys.stderr"},  # likewise; its words are Furrow's own
    "stages/command.py": {
        "sys.stdout",
        "sys.stderr",
    },  # the edge of a stage: what it says goes through safe_text
    "cli/main.py": {"sys.stdout", "sys.stderr"},  # sets the streams up and takes them away
    "cli/runs_list.py": {"sys.stdout", "sys.stderr"},  # asks for width and encoding
}
WORDS = {"print", "pprint"}
CLICK = {"echo", "secho", "style", "echo_via_pager"}


def found(tree: ast.AST) -> set[str]:
    """Ways to write that stand in a module."""
    seen = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in WORDS or (name.split(".")[0] == "click" and name.split(".")[-1] in CLICK):
                seen.add(name)
            if name in {
                "Console",
                "rich.print",
                "logging.info",
                "logging.warning",
                "logging.error",
            }:
                seen.add(name)
            if name.endswith((".console.print", "drawing.print")):
                seen.add(name)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.stdout", "sys.stderr"}:
            seen.add(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom) and node.module in {"html", "click"}:
            seen |= {
                f"{node.module}.{name.name}"
                for name in node.names
                if name.name in {"escape", *CLICK}
            }
    return seen


def test_the_rule_sees():
    """Each way to write is seen."""
    for text in (
        "print(1)", "click.echo(1)", "click.style(1)", "sys.stdout.write('')", "from click import echo",
        "Console()", "bar.console.print('x')", "from html import escape", "import sys\nx = sys.stderr",
    ):  # fmt: skip
        assert found(ast.parse(text)), text


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_nothing_else_prints(path):
    """Only the terminal module and the renderer write; the others say what they have to say through them."""
    name = str(path.relative_to(ROOT))
    if name in WRITERS or name == "safe_text.py":
        return
    known = ALLOWED.get(name, set())
    left = found(ast.parse(path.read_text(encoding="utf-8"))) - known
    assert not left, f"{name} writes by itself: say it with furrow.cli.terminal"


def test_a_line_can_not_command(capsys):
    """Escapes, line breaks and directions are shown, not obeyed."""
    say("a\x1b[31m\nfake: passed\u202e", Ink("\x9b2J", "red"), " end")
    assert capsys.readouterr().out == "a\ufffd[31m fake: passed\ufffd\ufffd2J end\n"


def test_a_block_can_not_command(capsys):
    """Of many lines, likewise; line feeds stay."""
    say_block("one\n\x1b]0;title\x07two\tthree\u2028\n", err=True)
    assert capsys.readouterr().err == "one\n\ufffd]0;title\ufffdtwo\tthree\ufffd\n"


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_ink_shows_on_a_terminal_alone(monkeypatch, capsys):
    """A pipe gets no colour; a terminal does, unless it is asked not to."""
    say(Ink("x", "green", bold=True))
    assert capsys.readouterr().out == "x\n"
    monkeypatch.delenv("NO_COLOR", raising=False)
    for setting, text in (("", "\033[32;1mx\033[0m\n"), ("1", "x\n")):
        if setting:
            monkeypatch.setenv("NO_COLOR", setting)
        monkeypatch.setattr("sys.stdout", screen := Screen())
        say(Ink("x", "green", bold=True))
        assert screen.getvalue() == text


def test_over_writes_over(monkeypatch):
    """On a terminal a line can take the place of another; only Furrow's own code does so."""
    monkeypatch.setattr("sys.stderr", screen := Screen())
    say("\r\x1b[Kgone", err=True, end="", over=True)
    terminal.clear()
    assert screen.getvalue() == "\r\033[K \ufffd[Kgone\r\033[K"


def test_tables_bars_and_json_can_not_command(capsys):
    """A table's title, headings and cells, and JSON."""
    render.table([["a\x1b[2J", 1]], ["h\u202e", "n"], title="[red]t\x9b")
    render.echo_json({"a": "\x9b\u202e"})
    out = capsys.readouterr().out
    assert "[red]t\ufffd" in out
    assert not {"\x1b", "\x9b", "\u202e"} & set(out)
    assert '"\\u009b\\u202e"' in out
