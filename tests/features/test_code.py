"""The code of an on-demand view is cut out whole, and nothing but it."""

import importlib.util
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from furrow.features.udf_source import CodeError, extract, prove


def load(folder: Path, files: dict[str, str], module: str = "m", name: str = "f") -> FunctionType:
    """Run files as modules of a folder, and take a function of one."""
    for file, text in files.items():
        (folder / f"{file}.py").write_text(text)
    sys.path.insert(0, str(folder))
    before = set(sys.modules)
    try:
        spec = importlib.util.spec_from_file_location(module, folder / f"{module}.py")
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
    finally:
        sys.path.remove(str(folder))
        for added in set(sys.modules) - before:
            del sys.modules[added]
    return vars(loaded)[name]


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two texts of one length within one second would share their compiled file."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def cut(folder: Path, files: dict[str, str], module: str = "m", name: str = "f") -> str:
    code, function = extract(load(folder, files, module, name), folder, view="v")
    prove(code, function, view="v")
    return code


def run(code: str, name: str, *arguments: Any) -> Any:
    names: dict[str, Any] = {}
    exec(code, names)
    return names[name](*arguments)


def test_a_function_alone(tmp_path: Path) -> None:
    """What it does not use is left behind; comments, docstrings and annotations too."""
    text = '''
import os
OTHER = os.sep
def f(x: int, *, by: int = 2) -> int:
    """Twice."""
    y: int = x  # the same
    return y * by
def g():
    return OTHER
'''
    assert cut(tmp_path, {"m": text}) == "def f(x, *, by=2):\n    y = x\n    return y * by\n"


def test_constants_helpers_and_imports_come_along(tmp_path: Path) -> None:
    """Each name that is used, directly or by a helper, is defined in the text, before its use."""
    text = """
from math import pi as circle, e
import json as j, os
A = B = 2
C = A + 1
(D, E) = (j.loads("4"), 5)
def helper(x):
    return x + C + D
class Scale:
    '''A scale.'''
    by: int = A
    def of(self, x):
        return x * self.by * circle
def f(x):
    return Scale().of(helper(x))
"""
    code = cut(tmp_path, {"m": text})
    assert run(code, "f", 1) == load(tmp_path, {"m": text})(1)
    assert "os" not in code
    assert "import e" not in code
    assert code.startswith("from math import pi as circle\nimport json as j\n")


def test_helpers_of_other_modules_are_copied_in(tmp_path: Path) -> None:
    """A module of the folder is copied, and comes before what uses it."""
    files = {
        "m": "from helpers import twice, LIMIT\nTOP = LIMIT + 1\ndef f(x):\n    return min(twice(x), TOP)\n",
        "helpers": "from base import ONE\nLIMIT = ONE * 9\ndef twice(x):\n    return 2 * x * ONE\n",
        "base": "ONE = 1\nUNUSED = 2\n",
    }
    code = cut(tmp_path, files)
    assert "import" not in code
    assert "UNUSED" not in code
    assert [run(code, "f", x) for x in (1, 100)] == [2, 10]


def test_values_changed_in_place_come_along(tmp_path: Path) -> None:
    """A constant is what it is after the module has run."""
    text = """
T = {"a": 1}
T["b"] = 2
T.update(c=3)
N = [0]
for i in range(3):
    N.append(i)
if True:
    LATE = 1
else:
    LATE = 2
def f():
    return T, N, LATE
"""
    code = cut(tmp_path, {"m": text})
    assert run(code, "f") == ({"a": 1, "b": 2, "c": 3}, [0, 0, 1, 2], 1)


def test_names_are_followed_by_pythons_own_rules(tmp_path: Path) -> None:
    """A local name hides a global one only where it is local; recursion and comprehensions are no trap."""
    text = """
x = 10
y = 20
def f(n):
    def inner():
        x = 1
        return x
    if n:
        return f(n - 1)
    return inner() + x + sum(y for y in range(3)) + [z for z in (y,)][0]
"""
    code = cut(tmp_path, {"m": text})
    assert run(code, "f", 2) == 1 + 10 + 3 + 20


def test_closures_give_their_values(tmp_path: Path) -> None:
    """A function made by another carries what it closes over, the same text whatever the hash seed."""
    text = """
SCALE = 3
def make(by, names):
    def inner(x):
        '''Scaled.'''
        return x * by * SCALE, sorted(names)
    return inner
f = make(2.5, frozenset({"b", "a", "c"}))
"""
    code = cut(tmp_path, {"m": text})
    assert run(code, "inner", 2) == (15.0, ["a", "b", "c"])
    assert "by = 2.5" in code
    assert "frozenset(['a', 'b', 'c'])" in code
    other = cut(tmp_path, {"m": text.replace("2.5", "3.5")})
    assert other != code


def test_a_lambda_will_do(tmp_path: Path) -> None:
    """It gets a name."""
    assert run(cut(tmp_path, {"m": "K = 4\nf = lambda x: x + K\n"}), "transform", 1) == 5


def test_feasts_decorator_is_taken_off_and_others_stay(tmp_path: Path) -> None:
    """The decorator that made the view is no part of its code."""
    text = """
import functools
class feast:
    @staticmethod
    def on_demand_feature_view(**_):
        return lambda function: function
def twice(function):
    @functools.wraps(function)
    def inner(x):
        return 2 * function(x)
    return inner
def f(x):
    return g(x)
@twice
def g(x):
    return x
"""
    assert run(cut(tmp_path, {"m": text}), "f", 4) == 8
    decorated = '''
class feast:
    @staticmethod
    def on_demand_feature_view(**_):
        return lambda function: function
@feast.on_demand_feature_view(
    name="x",
)
def f(x):
    """Plain."""
    return x
'''
    assert cut(tmp_path, {"m": decorated}) == "def f(x):\n    return x\n"


@pytest.mark.parametrize(
    ("files", "said", "hint"),
    [
        (
            {"m": "import h\ndef f(x):\n    return h.g(x)\n", "h": "g = abs\n"},
            "whole module 'h'",
            "from h import",
        ),
        (
            {"m": "from h import g as k\ndef f(x):\n    return k(x)\n", "h": "g = abs\n"},
            "another name",
            "from h import g",
        ),
        (
            {"m": "from math import *\ndef f(x):\n    return sqrt(x)\n"},
            "comes from an `import *`",
            "import sqrt",
        ),
        ({"m": "def f(x):\n    return nowhere(x)\n"}, "does not define 'nowhere'", "define it"),
        (
            {
                "m": "from h import g\nK = 1\ndef f(x):\n    return g(x) + K\n",
                "h": "K = 2\ndef g(x):\n    return x + K\n",
            },
            "'K' has two meanings: h.py and m.py",
            "another name",
        ),
        (
            {
                "m": "def make(o):\n    def inner(x):\n        return o\n    return inner\nf = make(object())\n"
            },
            "closes over 'o', a object",
            "constant",
        ),
        (
            {"m": "f = (lambda x: x) if 1 else (lambda x: -x)\n"},
            "holds 2 functions",
            "a `def` of its own",
        ),
    ],
)
def test_what_cannot_be_copied_is_refused(
    tmp_path: Path, files: dict[str, str], said: str, hint: str
) -> None:
    """The message names the view, the place and the name; the hint says what to write."""
    with pytest.raises(CodeError) as caught:
        cut(tmp_path, files)
    assert caught.value.message.startswith("on-demand view 'v': ")
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_code_without_a_file_is_refused(tmp_path: Path) -> None:
    """A function typed at a prompt has no source."""
    names: dict[str, Any] = {}
    exec("def f(x):\n    return x\n", names)
    with pytest.raises(CodeError, match="source file can't be found"):
        extract(names["f"], tmp_path, view="v")


def test_proof_runs_the_code() -> None:
    """Code that does not run by itself, or defines nothing of the name, is refused before it is served."""
    with pytest.raises(CodeError, match="NameError"):
        prove("X = Y\n", "f", view="v")
    with pytest.raises(CodeError, match="does not define a function 'f'"):
        prove("g = 1\n", "f", view="v")
