"""The registry of online stores.

What `type` in feature_store.yaml means, and which function opens it.

A new kind is a function that opens it, in a file of its own, and one line of ONLINE_KINDS. The
functions are named by path and loaded when they are called: who uses one store needs no other's
libraries.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from furrow.features.schema import Manifest

__all__ = ["MANIFEST_TYPES", "ONLINE_KINDS", "OnlineKind", "online_kind"]


@dataclass(frozen=True)
class OnlineKind:
    """One kind of online store.

    Attributes:
        types: As feature_store.yaml writes it: a short name, and the class that Feast loads.
        opens: The function that opens it, as "package.module:function": of the manifest, the folder
            that its paths start from, its options filled in, and whether to make it.
        writes: Whether Furrow writes it, too.
        embedded: Whether it is a file of this machine.
        given: An option that a store of this kind has, where another kind has the same short name.
        lacks: One that it has not.
    """

    types: tuple[str, ...]
    opens: str
    writes: bool = True
    embedded: bool = False
    given: str = ""
    lacks: str = ""

    def open(
        self, manifest: Manifest, folder: Path, options: Mapping[str, Any], *, create: bool
    ) -> Any:
        """Open a store of this kind."""
        module, _, function = self.opens.partition(":")
        return getattr(importlib.import_module(module), function)(
            manifest, folder, options, create=create
        )

    def claims(self, name: str, options: Mapping[str, Any]) -> bool:
        """Whether a type with its options means this kind."""
        if name not in self.types or (self.lacks and self.lacks in options):
            return False
        return not self.given or "." in name or self.given in options


ONLINE_KINDS = (
    OnlineKind(
        ("lmdb", "furrow.ground.feast.online.FurrowOnlineStore"),
        "furrow.features.lmdb_options:open_lmdb",
        embedded=True,
    ),
    OnlineKind(
        ("redis", "furrow.ground.feast.online_redis.FurrowRedisOnlineStore"),
        "furrow.features.redis_options:open_redis",
        lacks="connection_string",
    ),
    OnlineKind(
        ("redis", "feast.infra.online_stores.redis.RedisOnlineStore"),
        "furrow.features.redis_options:open_feast_redis",
        writes=False,
        given="connection_string",
    ),
)


MANIFEST_TYPES = {
    ONLINE_KINDS[0].types[-1]: ONLINE_KINDS[0].types[0],
    "redis": ONLINE_KINDS[2].types[-1],
}
"""What a manifest calls a type of feature_store.yaml; `redis` there is Feast's own short name for its own layout."""


def online_kind(manifest: Manifest) -> OnlineKind | None:
    """The kind of a manifest's online store; None for one that Furrow does not know."""
    store = manifest.online_store
    return next((kind for kind in ONLINE_KINDS if kind.claims(store.type, store.options)), None)
