"""Frames: how a prediction log's segment keeps records, so that a kill at any byte costs the torn one alone.

A segment begins with 16 bytes: `FURROWPL`, the format, a seed. A frame is `FR`, a kind, the
payload's length, a CRC-32 of both and the payload. The CRC begins with the segment's seed, so that
no text in a request can look like a frame. What is damaged is passed over, up to the next frame.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from furrow.errors import FurrowError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["NOTE", "RECORD", "Frame", "FrameError", "frame", "new_head", "read_frames", "read_seed"]

FORMAT = 1
RECORD = 1
NOTE = 2
LONGEST = 16 << 20
"""Bytes of a payload; what says that it is longer is damage."""

_MAGIC = b"FURROWPL"
_HEAD = struct.Struct("<8sII")
_MARK = b"FR"
_FRAME = struct.Struct("<2sBxII")
_PIECE = 1 << 20


class FrameError(FurrowError):
    """A segment of another format, or none at all."""


class Frame(NamedTuple):
    """What a segment holds at a place.

    Attributes:
        kind: RECORD or NOTE.
        payload: Its bytes.
        end: Where it ends in the segment: up to there nothing is lost.
        skipped: Bytes before it that are no frame.
    """

    kind: int
    payload: bytes
    end: int
    skipped: int


def new_head() -> tuple[bytes, int]:
    """The first bytes of a new segment, and its seed."""
    seed = int.from_bytes(os.urandom(4), "little")
    return _HEAD.pack(_MAGIC, FORMAT, seed), seed


def read_seed(file: BinaryIO) -> int | None:
    """The seed of a segment that is open at its beginning.

    None if it was killed before its head was written.

    Raises:
        FrameError: It is no segment, or of another format.
    """
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size and _MAGIC.startswith(head[: len(_MAGIC)]):
        return None
    magic, version, seed = _HEAD.unpack(head) if len(head) == _HEAD.size else (head, 0, 0)
    if magic != _MAGIC:
        raise FrameError("this is not a segment of a prediction log")
    if version != FORMAT:
        raise FrameError(
            f"the segment has format {version}, not {FORMAT}",
            hint="read it with the version of Furrow that wrote it",
        )
    return int(seed)


def frame(kind: int, payload: bytes, seed: int) -> bytes:
    """A payload framed.

    Raises:
        FrameError: It is longer than a frame may be.
    """
    if len(payload) > LONGEST:
        raise FrameError(f"a record of {len(payload):,} bytes; at most {LONGEST:,} are logged")
    return _FRAME.pack(_MARK, kind, len(payload), _crc(kind, payload, seed)) + payload


def read_frames(file: BinaryIO, seed: int) -> Iterator[Frame]:
    """The whole frames of a segment, from where the file stands to its end as it is now.

    A torn one at the end is not told of: it may be one that is being written.

    Args:
        file: Open behind the head.
        seed: From `read_seed`.
    """
    held, place, skipped, at = b"", _HEAD.size, 0, 0
    while True:
        piece = file.read(_PIECE)
        held, at = held[at:] + piece, 0
        while True:
            found = _at(held, at, seed)
            if isinstance(found, Frame):
                size = _FRAME.size + len(found.payload)
                at, place = at + size, place + size
                yield found._replace(end=place, skipped=skipped)
                skipped = 0
            elif found or not piece:  # damage; or the end, behind which there may be whole ones yet
                following = held.find(_MARK, at + 1)
                passed = (following if following >= 0 else len(held) - 1) - at
                if passed <= 0:
                    break
                at, place, skipped = at + passed, place + passed, skipped + passed
            else:
                break  # more must be read
        if not piece:
            return


def _at(held: bytes, at: int, seed: int) -> Frame | bool:
    """The frame at a place; True if there is none, False if what is held doesn't tell."""
    if len(held) - at < _FRAME.size:
        return not held.startswith(_MARK[: len(held) - at], at)
    mark, kind, length, crc = _FRAME.unpack_from(held, at)
    if mark != _MARK or length > LONGEST:
        return True
    start = at + _FRAME.size
    if len(held) - start < length:
        return False
    payload = held[start : start + length]
    return Frame(kind, payload, 0, 0) if _crc(kind, payload, seed) == crc else True


def _crc(kind: int, payload: bytes, seed: int) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<BI", kind, len(payload)), seed))
