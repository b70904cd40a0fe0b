"""The small files of a run as flat columns."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.history import flatten
from furrow.history.flatten import (
    config_section,
    config_sections,
    flat_config,
    flat_record,
    model_family,
    record_section,
    record_sections,
)

KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,8}", fullmatch=True)
WORDS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "yes",
            "No",
            "null",
            "~",
            "1e5",
            "1.5",
            "0x1F",
            "017",
            "1:30",
            "2013-01",
            "2013-01-01",
            "a: b",
        ]
    ),
    st.sampled_from(
        ["# c", "a #b", "- a", "[a]", "{}", "'q'", '"q"', "x" * 120, "two  spaces", "é", "a" * 64]
    ),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    WORDS,
    st.lists(st.one_of(WORDS, st.integers()), max_size=4),
)
CONFIGS = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8),
    max_size=6,
)


def by_section(text: str) -> dict[str, flatten.Scalar] | None:
    found: dict[str, flatten.Scalar] = {}
    for section in config_sections(text):
        try:
            found |= config_section(section)
        except flatten.NotAloneError:
            return None
    return found


@settings(max_examples=200, deadline=None)
@given(CONFIGS, st.sampled_from([60, 100, 10_000]))
def test_sections_say_what_the_whole_says(config: dict[str, object], width: int) -> None:
    """Whatever YAML writes, reading it by lines and sections gives what the parser gives."""
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=width)
    found = by_section(text)
    if found is not None:
        assert found == flat_config(text)


def test_plain_yaml_needs_no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """A config as Furrow writes it is read line by line."""
    text = yaml.safe_dump(
        {
            "name": "gbm",
            "features": {"keys": ["origin", "dest"], "digest": "0" * 63 + "a"},
            "model": {"_target_": "sklearn.X", "rate": 0.1, "deep": {"down": True, "none": None}},
            "search": None,
            "seed": 7,
        },
        sort_keys=False,
    )
    expected = flat_config(text)
    monkeypatch.delattr(flatten, "flat_config")
    assert by_section("# a comment\n" + text) == expected
    assert expected["model.deep.down"] is True
    assert expected["features.keys"] == "origin dest"


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=8),
        st.one_of(LEAVES, st.dictionaries(KEYS, LEAVES, max_size=3)),
        max_size=6,
    )
)
def test_records_by_section_say_what_the_whole_says(record: dict[str, object]) -> None:
    """A record.json as Furrow writes it, cut at its keys, gives what JSON gives."""
    text = json.dumps(record, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    found: dict[str, flatten.Scalar] = {}
    for section in record_sections(text):
        try:
            found |= record_section(section)
        except flatten.NotAloneError:
            return
    assert found == flat_record(text)


@pytest.mark.parametrize(
    "text", ["- a\n- b\n", "just text", "a: [1,\n", "a: &x 1\nb: *y\n", "!!python/object:os.x {}"]
)
def test_no_mapping_is_a_known_error(text: str) -> None:
    """A config that is no plain mapping is refused, and never runs anything."""
    with pytest.raises((ValueError, TypeError)):
        flat_config(text)


def test_the_kind_of_model() -> None:
    """By name if the config has one, else told from the class."""
    assert (
        model_family({"model._target_": "sklearn.ensemble.HistGradientBoostingClassifier"}) == "gbm"
    )
    assert model_family({"model._target_": "sklearn.svm.SVC"}) == "SVC"
    assert model_family({"model.name": "mine", "model._target_": "x.Y"}) == "mine"
    assert model_family({}) is None
