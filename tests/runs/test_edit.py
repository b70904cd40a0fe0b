"""Edited declarations say what they must, and every character that was not meant stays."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from furrow.ground.overrides import Setting
from furrow.trials.edit import EditError, with_entry, with_settings

TEXT = """# @package _global_
defaults:
  - override /model: gbm   # the usual one

# who
name: gbm   # its name
features: {service: full, keys: [a]}
model:
  depth: 3   # deep
  # rate is not said
description: |
  two
  lines
"""


def value(key: str, what: object) -> Setting:
    return Setting(key=key, value=what, group=False, add=False)


def option(key: str, what: str, *, add: bool = False) -> Setting:
    return Setting(key=key, value=what, group=True, add=add)


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (value("model.depth", 5), "depth: 3   # deep", "depth: 5   # deep"),
        (value("model.rate", 0.1), "depth: 3   # deep\n", "depth: 3   # deep\n  rate: 0.1\n"),
        (value("features.service", "some"), "service: full", "service: some"),
        (value("features.more", [1]), "keys: [a]}", "keys: [a], more: [1]}"),
        (value("description", "one"), "|\n  two\n  lines", "one"),
        (value("new.er", None), "  lines\n", "  lines\nnew:\n  er: null\n"),
        (value("model", {"x": 1}), "\n  depth: 3", " {x: 1}"),
        (option("model", "forest"), "/model: gbm ", "/model: forest "),
        (
            option("engine", "far"),
            "# the usual one\n",
            "# the usual one\n  - override /engine: far\n",
        ),
        (
            option("extra", "one", add=True),
            "# the usual one\n",
            "# the usual one\n  - /extra: one\n",
        ),
    ],
)
def test_one_change_is_one_change(change: Setting, old: str, new: str) -> None:
    assert old in TEXT
    if change.key == "model" and not change.group:  # a whole mapping given: its comments go with it
        assert yaml.safe_load(with_settings(TEXT, [change], where="x"))["model"] == {"x": 1}
        return
    assert with_settings(TEXT, [change], where="x") == TEXT.replace(old, new)


def test_a_file_without_defaults_gets_them_above_its_keys() -> None:
    assert with_settings("# top\nname: a\n", [option("model", "forest")], where="x") == (
        "# top\ndefaults:\n  - override /model: forest\nname: a\n"
    )


def test_an_entry_goes_under_the_last_one() -> None:
    text = "# top\nexperiments:\n  a: {service: x}   # one\n  b: {service: y}   # two\n# below\nother: 1\n"
    after = with_entry(text, "c", "z", where="x")
    assert after == text.replace("# two\n", "# two\n  c: {service: z}\n")
    assert with_entry(after, "b", "q", where="x") == after.replace("service: y", "service: q")
    assert with_entry("experiments: {a: {service: x}}", "b", "y", where="x").strip() == (
        "experiments: {a: {service: x}, b: {service: y}}"
    )


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "", "experiments: 3\n"])
def test_a_file_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(EditError):
        with_entry(text, "a", "x", where="x")


def test_a_value_is_no_mapping() -> None:
    with pytest.raises(EditError, match="'name' is a value"):
        with_settings(TEXT, [value("name.x", 1)], where="x")


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
)
KEYS = st.from_regex(r"[a-z]{1,3}", fullmatch=True)


@given(
    st.lists(
        st.tuples(st.lists(KEYS, min_size=1, max_size=3), LEAVES | st.lists(LEAVES, max_size=2)),
        max_size=6,
    )
)
def test_whatever_is_set_is_said(changes: list[tuple[list[str], object]]) -> None:
    """Random keys and values: the edited text parses to what a mapping would hold after the same assignments."""
    wanted: dict = yaml.safe_load(TEXT)
    text = TEXT
    for path, what in changes:
        node: object = wanted
        for part in path[:-1]:
            if not isinstance(node, dict):
                break
            if node.get(part) is None:
                node[part] = {}
            node = node[part]
        if not isinstance(node, dict):
            with pytest.raises(EditError):
                with_settings(text, [value(".".join(path), what)], where="x")
            return
        node[path[-1]] = what
        text = with_settings(text, [value(".".join(path), what)], where="x")
    assert yaml.safe_load(text) == wanted
