"""Feast's online store on Redis or Valkey.

The same packed records and rules as the embedded one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from feast.repo_config import FeastConfigBaseModel

# pydantic reads them when the class is made
from pydantic import StrictInt, StrictStr  # noqa: TC002

from furrow.ground.feast.online import RecordOnlineStore
from furrow.stores.redis_store import RedisStore

if TYPE_CHECKING:
    from feast import RepoConfig

    from furrow.stores.store_api import OnlineStore as RecordStore

__all__ = ["FurrowRedisOnlineStore", "FurrowRedisOnlineStoreConfig"]


class FurrowRedisOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """Options of the store, under `online_store` in feature_store.yaml."""

    type: Literal["furrow.ground.feast.online_redis.FurrowRedisOnlineStore"] = (
        "furrow.ground.feast.online_redis.FurrowRedisOnlineStore"
    )
    url: StrictStr = "redis://127.0.0.1:6379/0"
    """redis://, rediss:// or unix://; write secrets as ${FURROW_ONLINE_NAME} of the environment."""
    deadline_ms: StrictInt = 250
    """How long a read may take in all."""
    namespace: StrictStr = "furrow"
    """The first part of every key."""


class FurrowRedisOnlineStore(RecordOnlineStore):
    """Feast's online store in Redis."""

    def _open(self, config: RepoConfig, *, create: bool) -> RecordStore:
        del create
        options = config.online_store
        place = f"{options.url} {options.namespace}"
        found = self._opened.get(place)
        if found is None:
            with self._opening:
                found = self._opened.get(place)
                if found is None:
                    found = RedisStore(
                        options.url,
                        deadline=options.deadline_ms / 1000,
                        namespace=options.namespace,
                    )
                    self._opened[place] = found
        return found
