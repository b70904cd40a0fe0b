"""The digest of code changes with what is imported and with nothing else."""

import shutil
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.training.code_digest import code_digest, import_closure


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "furrow/__init__.py": '"""Root."""\n',
        "furrow/a.py": "from furrow import b\nfrom furrow.deep import c\n\ndef f():\n    return b.X\n",
        "furrow/b.py": "X = 1\n",
        "furrow/deep/__init__.py": "",
        "furrow/deep/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from furrow import unused\nfrom . import d\n",
        "furrow/deep/d.py": "def g():\n    import furrow.late\n",
        "furrow/late.py": "Y = 2\n",
        "furrow/unused.py": "Z = 3\n",
        "pipelines/__init__.py": "",
        "pipelines/train.py": "import os\nfrom furrow.a import f\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_closure(tree):
    """All that is imported at any depth, relative imports and imports in functions too; types alone don't count."""
    assert list(import_closure(tree, "pipelines.train")) == [
        "furrow", "furrow.a", "furrow.b", "furrow.deep", "furrow.deep.c", "furrow.deep.d", "furrow.late",
        "pipelines", "pipelines.train",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "changes"),
    [
        ("furrow/b.py", "X = 2\n", True),
        ("furrow/late.py", "Y = 3\n", True),
        ("furrow/deep/d.py", "def g():\n    pass\n", True),
        ("furrow/b.py", '"""A docstring."""\n\n# a remark\nX   =   1\n', False),
        ("furrow/unused.py", "Z = 4\n", False),
        ("furrow/other.py", "import furrow.a\n", False),
    ],
)
def test_what_changes_it(tree, name, text, changes):
    """A change of meaning in the closure does; comments, docstrings, layout and other modules don't."""
    before = code_digest(tree, "pipelines.train")
    (tree / name).write_text(text)
    assert (code_digest(tree, "pipelines.train") != before) is changes


def test_the_folder_does_not_count(tree, tmp_path_factory):
    """The same code elsewhere has the same digest."""
    other = tmp_path_factory.mktemp("other") / "copy"
    tree.rename(other)
    before = code_digest(other, "pipelines.train")
    other.rename(tree)
    assert code_digest(tree, "pipelines.train") == before


def test_where_the_environment_lies_does_not_count(tree, monkeypatch):
    """An installed furrow gives one digest inside the project, as README has it, and anywhere else; its version counts."""
    project = tree / "mine"
    (project / "pipelines").mkdir(parents=True)
    (project / "pipelines/train.py").write_text("import os\nfrom furrow.a import f\n")
    found = []
    for place in (tree, project / ".venv/lib/site-packages"):
        if place != tree:
            shutil.copytree(tree / "furrow", place / "furrow")
        monkeypatch.setattr("furrow.training.code_digest.INSTALLED", place)
        found.append(code_digest(project, "pipelines.train"))
    monkeypatch.setattr("furrow.training.code_digest.version", lambda _name: "99")
    assert found[0] == found[1] != code_digest(project, "pipelines.train")


def test_code_that_does_not_parse(tree):
    """A syntax error names the file."""
    (tree / "furrow/b.py").write_text("X = (\n")
    with pytest.raises(FurrowError, match=r"b\.py"):
        code_digest(tree, "pipelines.train")


def test_an_entry_that_is_not_there(tree):
    """A stage without its module is an error that says which file to write."""
    with pytest.raises(FurrowError, match=r"write pipelines/select\.py"):
        code_digest(tree, "pipelines.select")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = None", "x = ..."),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = [None]", "x = []"),
        ("x = {**a}", "x = {}"),
        ("x = {**a, 1: b}", "x = {1: b, **a}"),
        ("f(a)", "f(*a)"),
        ("f(a=b)", "f(**b)"),
        ("def f(a, /): pass", "def f(a): pass"),
        ("def f(a): pass", "def f(*, a): pass"),
        ("def f(*, a=None): pass", "def f(*, a): pass"),
        ("def f(a=1, b=2): pass", "def f(a, b=2): pass"),
        ("x: int", "x: int = None"),
        ("x = a[1:]", "x = a[:1]"),
        ("x = a[None:1]", "x = a[:1]"),
        ("x = f'{a}'", "x = f'{a!r}'"),
        ("x = f'{a:>3}'", "x = f'{a:<3}'"),
        ("from . import a", "from .. import a"),
        ("from a import b", "from a import b as c"),
        ("try: a\nexcept E: b", "try: a\nexcept: b"),
        ("async def f(): pass", "def f(): pass"),
        ("x = a if b else c", "x = c if b else a"),
        ("[a for a in b if c]", "[a for a in b]"),
        ("with a: pass", "with a as b: pass"),
        ("global_ = 'a', 'b'", "global_ = 'ab'"),
    ],
)
def test_code_that_means_something_else(tree, one, other):
    """What differs in meaning differs in its digest, however little of the syntax tree it is."""
    (tree / "furrow/b.py").write_text(one)
    before = code_digest(tree, "pipelines.train")
    (tree / "furrow/b.py").write_text(f"{other}\n\n# longer")
    assert code_digest(tree, "pipelines.train") != before
