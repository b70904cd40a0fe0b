"""Frames: whatever a kill leaves of a segment, its whole frames are read."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.serving.log_frames import LONGEST, FrameError, frame, new_head, read_frames, read_seed

PAYLOADS = st.lists(st.binary(max_size=60) | st.just(b"FR") | st.just(b"FR" * 40), max_size=8)


def segment(payloads):
    head, seed = new_head()
    return head, [frame(1, one, seed) for one in payloads]


def read(content):
    file = io.BytesIO(content)
    seed = read_seed(file)
    return [] if seed is None else list(read_frames(file, seed))


@settings(max_examples=40, deadline=None)
@given(PAYLOADS, st.integers(0, 10_000), st.binary(max_size=30) | st.just(bytes(40)))
def test_a_kill_at_any_byte_costs_the_torn_frame_alone(payloads, cut, garbage):
    """What was written whole before the cut is read, whatever stands behind it."""
    head, frames = segment(payloads)
    whole = head + b"".join(frames)
    cut = len(head) + cut % (len(whole) - len(head) + 1)
    ends, end = [], len(head)
    for each in frames:
        end += len(each)
        ends.append(end)
    expected = [one for one, end in zip(payloads, ends, strict=True) if end <= cut]
    found = read(whole[:cut] + (garbage if cut < len(whole) else b""))
    assert [one.payload for one in found[: len(expected)]] == expected
    assert len(found) == len(expected)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=8), st.data())
def test_a_damaged_byte_costs_one_frame(payloads, data):
    """The frames behind a damaged one are read, and the bytes of the damaged one are counted."""
    head, frames = segment(payloads)
    which = data.draw(st.integers(0, len(frames) - 1))
    hurt = bytearray(frames[which])
    place = data.draw(
        st.integers(0, len(hurt) - 1).filter(lambda place: place != 3)
    )  # 3 is padding
    hurt[place] ^= data.draw(st.integers(1, 255))
    found = read(head + b"".join([*frames[:which], bytes(hurt), *frames[which + 1 :]]))
    assert [one.payload for one in found] == [*payloads[:which], *payloads[which + 1 :]]
    if which < len(frames) - 1:
        assert found[which].skipped == len(hurt)


def test_bytes_in_a_payload_are_never_taken_for_a_frame():
    """Who sends a frame as text, of another segment's seed, forges nothing where a frame is torn."""
    head, seed = new_head()
    forged = frame(1, b"forged", seed ^ 1)
    torn = frame(1, forged + b"and more", seed)[:-1]
    assert [one.payload for one in read(head + torn + frame(1, b"true", seed))] == [b"true"]


@pytest.mark.parametrize("cut", range(17))
def test_a_head_that_is_cut_off_is_an_empty_segment(cut):
    assert read(new_head()[0][:cut]) == []


def test_another_file_and_another_format_are_refused():
    with pytest.raises(FrameError, match="not a segment"):
        read(b"PAR1" + bytes(40))
    with pytest.raises(FrameError, match="format 9"):
        read(b"FURROWPL" + (9).to_bytes(4, "little") + bytes(4))


def test_what_is_too_long_is_refused():
    with pytest.raises(FrameError, match="at most"):
        frame(1, bytes(LONGEST + 1), 0)


def test_frames_longer_than_a_piece_are_read():
    """Reading goes in pieces of a megabyte; a frame may be longer, or lie across."""
    payloads = [bytes(700_000), b"x" * 900_000, b"", b"y" * 2_500_000, b"z"]
    head, frames = segment(payloads)
    assert [one.payload for one in read(head + b"".join(frames))] == payloads
