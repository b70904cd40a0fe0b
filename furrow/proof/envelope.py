"""DSSE: a statement in an envelope with signatures over its type and its very bytes."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import canonical_json
from furrow.parse import ParseError, parse_json

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NAMESPACE", "PAYLOAD_TYPE", "Envelope", "EnvelopeError", "open_envelope", "pae", "seal"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
NAMESPACE = "furrow-statement"
"""What SSH signatures are for: one of a commit or of a file is none of a statement."""
_MOST = 16


class EnvelopeError(FurrowError):
    """What should be an envelope is none."""


@dataclass(frozen=True)
class Envelope:
    """An opened envelope.

    Attributes:
        statement: What it holds, parsed.
        signed: The bytes that signatures are of.
        signatures: In SSH's armor.
    """

    statement: dict[str, Any]
    signed: bytes
    signatures: tuple[str, ...]


def pae(payload: bytes, kind: str = PAYLOAD_TYPE) -> bytes:
    """The bytes to sign.

    DSSE's pre-authentication encoding, in which type and payload can't run into one another.
    """
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def seal(statement: dict[str, Any], sign: Callable[[bytes], str]) -> dict[str, Any]:
    """A statement in an envelope.

    Args:
        statement: An in-toto statement.
        sign: Makes a signature of bytes.
    """
    payload = canonical_json(statement).encode()
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": base64.b64encode(sign(pae(payload)).encode()).decode()}],
    }


def open_envelope(value: Any) -> Envelope:
    """Read an envelope, whoever signed it.

    Raises:
        EnvelopeError: It is malformed, or cut short.
    """
    try:
        if value["payloadType"] != PAYLOAD_TYPE:
            raise EnvelopeError(f"it holds {value['payloadType']!r}, no in-toto statement")
        payload = base64.b64decode(value["payload"], validate=True)
        signatures = value["signatures"]
        if not isinstance(signatures, list) or not 0 < len(signatures) <= _MOST:
            raise EnvelopeError(f"it has no signature, or more than {_MOST}")
        found = tuple(
            base64.b64decode(one["sig"], validate=True).decode("ascii") for one in signatures
        )
        statement = parse_json(payload)
        if not isinstance(statement, dict):
            raise EnvelopeError("it holds no statement")
    except (KeyError, TypeError, binascii.Error, UnicodeDecodeError, ParseError) as exc:
        words = exc.reason if isinstance(exc, ParseError) else f"{type(exc).__name__} {exc}"
        raise EnvelopeError(f"the envelope is malformed or cut short: {words}") from exc
    return Envelope(statement, pae(payload), found)
