"""Envelopes: a type and its bytes are sealed as one, and what is no envelope is said to be none."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.proof.envelope import EnvelopeError, open_envelope, pae, seal


@settings(max_examples=60)
@given(st.text(), st.text(), st.text(), st.text())
def test_types_and_bytes_do_not_run_into_one_another(
    one: str, two: str, three: str, four: str
) -> None:
    """DSSE's encoding is one of one pair of type and payload."""
    same = (one, two) == (three, four)
    assert (pae(two.encode(), one) == pae(four.encode(), three)) is same


@settings(max_examples=80)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["payload", "payloadType", "signatures", "sig", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_anything_that_is_no_envelope_is_said_to_be_none(value: Any) -> None:
    with pytest.raises(EnvelopeError):
        open_envelope(value)


def test_an_envelope_opens_to_what_was_sealed() -> None:
    opened = open_envelope(seal({"a": "ä"}, lambda data: f"signature of {len(data)}"))
    assert opened.statement == {"a": "ä"}
    assert opened.signatures == (f"signature of {len(opened.signed)}",)
