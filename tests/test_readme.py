"""What the README and docs/ show can be typed, and says what they say it says.

Cheap here: Python that names nothing undefined; commands, options, links and files that there are; the
list of runs. The whole README is typed from top to bottom in a fresh clone by `make search`.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import os
import pwd
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from furrow.cli.group import cli
from tests.cli.terminals import INK, said

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = "\n".join(path.read_text() for path in FILES)
BLOCKS = re.findall(r"```(sh|text|python)\n(.*?)```", README, re.DOTALL)
PLACES = re.compile(r"`((?:conf|docs|features|furrow|pipelines|tests|tools|benchmarks)/[\w/.-]+)`")
THERE = {"conf/metrics.yaml"}
"""Files of a project that this one does not need."""
COMMANDS = sorted({
    found.rstrip("\\").strip()
    for found in re.findall(r"(?:^    |`)(furrow [a-z][^`\n]*)", PAGES, re.MULTILINE)
})  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_snippets_name_nothing_undefined(path: Path) -> None:
    """Read from top to bottom, each name was imported or made before, and each import is there."""
    made = set(dir(builtins))
    for snippet in re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL):
        assert _used(ast.parse(snippet), made) <= made, snippet


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Of links and pictures; and each file of this repository that is named is there."""
    text = path.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (path.parent / target).exists(), target
    for place in PLACES.findall(text):
        if not re.search(r"[A-Z]{2}|\*", place.removesuffix(".md")):
            assert (ROOT / place.split("::")[0]).exists() or place in THERE, place


def test_each_output_follows_what_it_is_of() -> None:
    kinds = [kind for kind, _ in BLOCKS]
    assert kinds.count("sh") >= 8
    assert kinds.count("text") >= 4
    assert all(before != "text" for before, kind in itertools.pairwise(kinds) if kind == "text")


def test_the_list_of_runs_is_this_commits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a terminal of 80 columns `furrow runs` says what stands in the README."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "furrow")], check=True)
    monkeypatch.chdir(tmp_path / "furrow")
    shown = said(monkeypatch, "runs", width=80, NO_COLOR="1").out
    says(shown, BLOCKS[[text for _, text in BLOCKS].index("furrow runs\n") + 1][1])


def says(shown: str, expected: str) -> None:
    """Each expected line is in what was said, in order; dots stand for a commit's id."""
    rest = [" ".join(INK.sub("", line).split()) for line in shown.splitlines()]
    for line in expected.splitlines():
        words = " ".join(line.split())
        pattern = re.compile(re.escape(words).replace(re.escape(".") * 10, "[0-9a-f]{10}"))
        at = next((n for n, one in enumerate(rest) if pattern.search(one)), None)
        assert at is not None, f"{line!r} is not in\n{shown}"
        rest = rest[at:]


@pytest.mark.long
def test_the_whole_of_it_as_pasted(tmp_path: Path) -> None:
    """In a fresh clone called furrow, at a terminal of 80 columns, one block after another: each works and says what is shown."""
    place = tmp_path / "furrow"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(place)], check=True)
    python, shown, own = "", "", str(tmp_path / "environment")
    cache = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache/uv"
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment = {"UV_CACHE_DIR": str(cache), **kept, "COLUMNS": "80", "NO_PAGER": "1"}
    for kind, text in BLOCKS:
        if kind == "text":
            says(shown, text)
            continue
        if kind == "python":
            python += text
            script = f"python - <<'END'\n{python}\nEND"
        else:
            script = as_here(text)
        keep = f"pwd > {tmp_path}/place; export -p > {own}"
        whole = f"set -eu\n[ -f {own} ] && . {own}\n{script}\n{keep}\n"
        (tmp_path / "block.sh").write_text(whole)
        done = subprocess.run(
            ["script", "-qec", f"bash {tmp_path}/block.sh", "/dev/null"],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        shown = done.stdout
        assert done.returncode == 0, f"{text}\n{shown}"
        place = Path((tmp_path / "place").read_text().strip())
    assert place.name == "shop"


def as_here(text: str) -> str:
    """A block with what is known here: uv installs from its cache what pip would download each time."""
    uv = f"{Path(sys.executable).parent}/uv"
    return text.replace("pip install -q", f"{uv} pip install -q")


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
    if words[:1] == ["help"]:
        return
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
