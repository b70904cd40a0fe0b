"""What comes from outside is parsed in one place, within bounds."""

import ast
import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from furrow.errors import FurrowError
from furrow.files import read_json
from furrow.ground.dvc_stages import MOST_STAGES
from furrow.ground.hydra import ConfigError, compose
from furrow.ground.parameters import ParameterError, parse_text
from furrow.ground.pipeline import read_pipeline
from furrow.parse import (
    LIMITS,
    Limits,
    ParseError,
    check_yaml,
    compose_yaml,
    parse_first_json,
    parse_json,
    parse_toml,
    parse_yaml,
    parse_yaml_12,
    read_yaml,
)

ROOT = Path(__file__).parents[1] / "furrow"
ALLOWED = {"parse.py", "ground/jail.py", "plan/stage_file.py", "installed_from.py"}
"""The place that parses; the jail, which reads an argument of Furrow's own with the standard library alone; what
writes dvc.yaml with its comments, which holds it within the bounds first; and what an installer wrote beside Furrow
itself, which the lowest layer reads."""
PARSERS = {
    "yaml.load", "yaml.safe_load", "yaml.load_all", "yaml.safe_load_all", "yaml.full_load", "yaml.compose", "yaml.parse",
    "yaml.scan", "json.load", "json.loads", "json.JSONDecoder", "tomllib.load", "tomllib.loads", "OmegaConf.load", "YAML",
    "OmegaConf.create", "pickle.load", "pickle.loads",
}  # fmt: skip


def bomb(width: int = 9, depth: int = 12) -> str:
    """Aliases of aliases: few bytes, 9^12 nodes."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth)]
    return "\n".join(lines)


HOSTILE = {
    "flow": "[" * 200_000,
    "block": "- " * 200_000 + "x",
    "mappings": "{a: " * 200_000,
    "keys": "? " * 200_000,
    "bomb": bomb(),
    "merge bomb": "a0: &a0 {x: 1}\n" + "\n".join(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)),
    "inside itself": "a: &a [*a]",
    "inside itself, deeper": "a: &a {b: {c: [*a]}}",
    "digits": "x: " + "9" * 100_000,
    "hex": "x: 0x" + "f" * 100_000,
    "base 60": "x: " + "1:" * 100_000 + "1",
    "bytes": b"\xff\xfe\x00",
    "control": "x: \x00",
    "a date that is none": "x: 2020-13-45",
    "code": "!!python/object/apply:os.system [id]",
    "two documents": "a: 1\n---\nb: 2",
    "unhashable": "? {a: b}\n: c",
    "no such alias": "a: *b",
    "many": "- a\n" * (LIMITS.nodes + 1),
}  # fmt: skip


@pytest.mark.attack
@pytest.mark.parametrize("kind", HOSTILE)
def test_yaml_that_is_beyond_bounds(kind):
    """A known error with the file's name, after a bounded time, whoever asks."""
    late = {"a date that is none", "code", "unhashable", "many", "two documents", "no such alias"}
    for function in (parse_yaml,) if kind in late else (parse_yaml, compose_yaml, check_yaml):
        with pytest.raises(ParseError, match=r"^some\.yaml is ") as caught:
            function(HOSTILE[kind], "some.yaml")
        assert isinstance(caught.value, FurrowError)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 700


@pytest.mark.attack
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "[" * 80 + "]" * 80, "9" * 10_000, "{", '"\ud800']
)
def test_json_that_is_beyond_bounds(text):
    """Likewise JSON, as text and as bytes."""
    for content in (text, text.encode("utf-8", "surrogatepass")):
        with pytest.raises(ParseError, match=r"^x is "):
            parse_json(content, "x")
    with pytest.raises(ParseError, match="more than 10 bytes"):
        parse_json("[" + "1," * 10 + "1]", "x", limits=Limits(size=10))


@pytest.mark.attack
@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a" + ".b" * 500 + " = 1", "a = 1\na = 2"]
)
def test_toml_that_is_beyond_bounds(text):
    """Likewise TOML."""
    with pytest.raises(ParseError, match=r"^x is "):
        parse_toml(text, "x")


LEAF = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"))
)
VALUE = st.recursive(
    LEAF,
    lambda of: (
        st.lists(of, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), of, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUE)
def test_what_is_within_bounds_is_what_it_was(value):
    """YAML and JSON come back as the parsers read them."""
    assert parse_json(json.dumps(value), "x") == value
    dumped = yaml.safe_dump(value)
    assert parse_yaml(dumped, "x") == yaml.safe_load(dumped)


def nodes(value) -> int:
    if isinstance(value, dict):
        return 1 + sum(nodes(key) + nodes(inner) for key, inner in value.items())
    return 1 + (sum(map(nodes, value)) if isinstance(value, list) else 0)


@given(st.data())
def test_aliases_count_as_often_as_they_stand(data):
    """The bound lies exactly where the written-out document has that many nodes."""
    shared = [data.draw(VALUE)]
    for _ in range(data.draw(st.integers(0, 4))):
        picked = data.draw(st.lists(st.sampled_from(range(len(shared))), max_size=4))
        shared.append([shared[at] for at in picked] + [data.draw(LEAF)])
    text = yaml.safe_dump(shared, width=10**9)
    size = nodes(yaml.safe_load(text))
    parse_yaml(text, "x", limits=Limits(nodes=size))
    with pytest.raises(ParseError, match="more than"):
        parse_yaml(text, "x", limits=Limits(nodes=size - 1))


@given(
    st.binary(max_size=200)
    | st.text(st.sampled_from("[]{}-:&*!|>'\"# \n\tab1.<?,%@`\x85"), max_size=80)
)
def test_any_bytes(content):
    """Whatever comes, it is a value or a known error."""
    for function in (parse_yaml, parse_json):
        try:
            function(content, "x")
        except ParseError as exc:
            assert str(exc).startswith("x is ")  # noqa: PT017 - either is right


@pytest.mark.attack
@pytest.mark.parametrize("kind", sorted(set(HOSTILE) - {"bytes", "many"}))
def test_yaml_as_dvc_reads_it(kind):
    """YAML 1.2 is held to the same bounds."""
    try:
        parse_yaml_12(HOSTILE[kind], "x")
    except ParseError as exc:
        assert str(exc).startswith("x is ")  # noqa: PT017 - either is right


@pytest.mark.attack
@pytest.mark.parametrize("text", ["", "x", "[" * 100_000, "[1", '{"a":' * 100_000, "1" * 5_000])
def test_json_with_a_tail(text):
    """What follows the first value is left alone, and a hostile one is a known error."""
    assert parse_first_json('{"a": [1]} and so on') == {"a": [1]}
    with pytest.raises(ParseError, match="x is"):
        parse_first_json(text, "x")


def test_a_file_is_read_no_further_than_the_bound(tmp_path):
    """A huge file is refused without being read whole."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as handle:
        handle.truncate(1 << 40)
    begun = time.perf_counter()
    with pytest.raises(ParseError, match=r"huge\.yaml is beyond bounds: more than"):
        read_yaml(path)
    assert time.perf_counter() - begun < 60
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 5000 + "]" * 5000)
    with pytest.raises(FurrowError, match=r"deep\.json is beyond bounds"):
        read_json(deep)


@pytest.mark.attack
def test_conf_is_held_before_hydra_reads_it(tmp_path):
    """A bomb in any file of conf/ is a known error that names it."""
    (tmp_path / "config.yaml").write_text("x: 1\n")
    assert compose(tmp_path, "config", []) == {"x": 1}
    (tmp_path / "config.yaml").write_text(bomb())
    with pytest.raises(ConfigError, match=r"config\.yaml is beyond bounds: more than"):
        compose(tmp_path, "config", [])


@pytest.mark.attack
@pytest.mark.parametrize("name", ["params.yaml", "params.json", "params.toml"])
def test_parameters_are_held(name):
    """Parameters, dvc.yaml and dvc.lock in each language."""
    text = {"params.yaml": bomb(), "params.json": "[" * 9999, "params.toml": "a = " + "[" * 9999}[
        name
    ]
    with pytest.raises(ParameterError, match=name):
        parse_text(text, name)


@pytest.mark.attack
def test_stages_without_end(tmp_path):
    """`matrix` multiplies: a few bytes are no billion stages; and a template is no text without end."""
    axes = {axis: list(range(100)) for axis in "abcdef"}
    many = {"foreach": list(range(9_000)), "do": {"cmd": "x"}}
    texts = {"cmd": "${x} " * 1_000}

    def refused(**content):
        (tmp_path / "dvc.yaml").write_text(
            yaml.safe_dump({**content, "stages": {"good": {"cmd": "y"}, **content["stages"]}})
        )
        found = read_pipeline(tmp_path)
        assert "good" in found.steps
        return {bad.name: bad.why for bad in found.broken}

    assert (
        f"more than {MOST_STAGES:,} stages"
        in refused(stages={"s": {"matrix": axes, "cmd": "x"}})["s"]
    )
    assert list(refused(stages={"s": many, "t": many})) == ["t"]
    assert (
        "characters once filled in" in refused(vars=[{"x": "y" * 10_000}], stages={"s": texts})["s"]
    )
    items = {"foreach": ["z" * 10_000], "do": {"cmd": "${item} " * 1_000}}
    assert "characters once filled in" in refused(stages={"s": items})["s"]
    assert not refused(vars=[{"x": "y"}], stages={"s": {"cmd": "a ${x} b ${x}${x} \\${z}"}})
    assert read_pipeline(tmp_path).steps["s"].cmd == "a y b yy ${z}"


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_nothing_else_parses(path):
    """A parser that is called past this module is one without bounds."""
    if str(path.relative_to(ROOT)) in ALLOWED:
        return
    called = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert not called & PARSERS, "read it with furrow.parse"
