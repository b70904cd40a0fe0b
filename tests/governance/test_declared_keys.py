"""What a person declares is read strictly, by one reader for all of conf/ that governs."""

import pytest

from furrow.errors import FurrowError
from furrow.governance.declared_keys import declared_keys


class OwnError(FurrowError):
    """The caller's."""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [", "x.yaml is not valid YAML"),
        (b"- a", "x.yaml holds no mapping"),
        (b"a: 1\nc: 2", "x.yaml: there is no key c"),
        (b"1: 2", "x.yaml: there is no key 1"),
    ],
)
def test_what_can_not_be_meant(content: bytes, said: str) -> None:
    with pytest.raises(OwnError, match=said):
        declared_keys(content, "x.yaml", ("a", "b"), OwnError)


def test_known_keys_come_as_they_are() -> None:
    assert declared_keys(b"b: {a: 1}", "x.yaml", ("a", "b"), OwnError) == {"b": {"a": 1}}
    assert declared_keys(b"# nothing yet\n", "x.yaml", ("a",), OwnError) == {}
