"""Which entities a canary answers for.

A salted hash of their keys, so that each stays where it is.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.serving.canary_spec import Canary

__all__ = ["is_canary", "place_of"]


def place_of(salt: str, keys: Mapping[str, Any], by: Sequence[str] = ()) -> float:
    """Where an entity stands between 0 and 1, evenly for all of them and the same on every machine.

    Args:
        salt: Another one draws other entities.
        keys: The entity's keys.
        by: Which of them count; every one, if empty.
    """
    chosen = [[name, keys.get(name)] for name in by or sorted(keys)]
    text = json.dumps([salt, chosen], separators=(",", ":"), default=str)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def is_canary(canary: Canary, keys: Mapping[str, Any]) -> bool:
    """Whether a canary answers for an entity.

    Of a larger share the smaller one is a part, and 0 is nobody.
    """
    return place_of(canary.salt or canary.model, keys, canary.by) < canary.share
