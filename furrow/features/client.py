"""The client for serving code.

Fresh features from the online store, by the manifest, without Feast.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from furrow.errors import FurrowError
from furrow.features.batch import Batch
from furrow.features.decode import decode, decode_feast
from furrow.features.json_reader import ManifestError
from furrow.features.manifest import Manifest, load, parse
from furrow.features.open_store import open_reader
from furrow.features.read_plan import Plan, make_plan
from furrow.layout import MANIFEST_JSON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from furrow.stores.store_api import Held, ReadStore

__all__ = ["AsyncFeatureClient", "FeatureClient", "ManifestMismatchError"]

_INLINE = 256
"""Up to so many rows, an embedded read is shorter than handing it to a thread."""


class ManifestMismatchError(FurrowError):
    """The manifest isn't the one that was expected, or the store holds records of other definitions."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)


class FeatureClient:
    """Answers for feature services. One client serves any number of threads.

    Args:
        manifest: The definitions.
        store: The online store.
        trusted: The services whose on-demand code may run.

    Example:
        >>> features = FeatureClient.open("features")  # doctest: +SKIP
        >>> features.get("full", [{"origin": "JFK"}]).to_dict()  # doctest: +SKIP
    """

    def __init__(self, manifest: Manifest, store: ReadStore, *, trusted: frozenset[str]) -> None:
        self.manifest = manifest
        self.store = store
        self._trusted = trusted
        self._packed = store.layout == "furrow"
        self._decode = decode if self._packed else decode_feast
        self._plans: dict[tuple[str, bool | None], Plan] = {}
        self._agreed: dict[tuple[str, bool | None], Mapping[str, Held]] = {}

    @classmethod
    def open(
        cls,
        place: str | Path,
        *,
        digest: str | None = None,
        expect: Mapping[str, str] | None = None,
        folder: str | Path | None = None,
        timeout: float = 10.0,
    ) -> Self:
        """Open a client.

        Args:
            place: The features folder, a manifest file, or its http(s) URL.
            digest: Accept only the manifest of this digest. A manifest from a URL, or of a clone
                that is not trusted, runs its on-demand code only if this, or the service's digest
                in `expect`, is given.
            expect: Digests that services must have, by name: a model's bundle names the one it was
                trained on.
            folder: Where the manifest's paths start; the manifest's folder, or ./features for a
                URL.
            timeout: Seconds to wait for a URL.

        Raises:
            ManifestError: The manifest is missing or can't be trusted.
            ManifestMismatchError: It isn't the one expected.
            StoreError: The online store can't be opened.
        """
        text, path = str(place), Path(place)
        remote = text.startswith(("http://", "https://"))
        if remote:
            manifest = parse(_fetch(text, timeout), origin=text)
            root = Path(folder) if folder else Path("features")
        else:
            path = path / MANIFEST_JSON if path.is_dir() else path
            manifest = load(path)
            root = Path(folder) if folder else path.parent
        if digest is not None and manifest.digest != digest:
            raise ManifestMismatchError(
                f"{text} has digest {manifest.digest[:12]}, expected {digest[:12]}",
                hint="deploy the manifest and the model of one commit",
            )
        pinned = (
            digest is not None
            or not (remote or manifest.on_demand)
            or (not remote and _is_ours(path.parent))
        )
        trusted = frozenset(manifest.services) if pinned else frozenset(expect or ())
        own = not remote and root.resolve() == path.parent.resolve()
        client = cls(manifest, open_reader(manifest, root, expand=own), trusted=trusted)
        try:
            for service, wanted in (expect or {}).items():
                client.require(service, wanted)
        except FurrowError:
            client.close()
            raise
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def require(self, service: str, digest: str) -> None:
        """Refuse to serve a model that was trained on other features.

        Raises:
            ManifestMismatchError: The service has another digest.
            UnknownServiceError: There is no such service.
        """
        plan = self.manifest.services.get(service)
        if plan is None:
            make_plan(self.manifest, service, run_code=False, full_names=False)
        elif plan.digest != digest:
            raise ManifestMismatchError(
                f"feature service {service} has digest {plan.digest[:12]}, the model was trained on"
                f" {digest[:12]}",
                hint="serve the features of the model's commit, or train the model again",
            )

    def get(
        self,
        service: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        at: datetime | None = None,
        full_feature_names: bool | None = None,
    ) -> Batch:
        """The newest features of some rows.

        Args:
            service: The feature service.
            rows: For each row its join keys, and what on-demand features ask of the request. A key
                that is None is a missing entity.
            at: The moment to answer for: ttl counts from it, and events after it are not used; now,
                if None. The store keeps the newest event of each entity only: for earlier moments,
                join the offline tables.
            full_feature_names: Name features VIEW__FEATURE; if None, that is done only in a service
                where two features would have one name, as its training set does.

        Raises:
            UnknownServiceError: There is no such service.
            RequestError: A row lacks a field, or its type is wrong.
            ManifestMismatchError: The store holds records of other definitions.
            StoreError: The store can't be read.
        """
        plan = self.plan(service, full_names=full_feature_names)
        if at is None:
            moment, newest = time.time_ns() // 1000, None
        else:
            aware = at.replace(tzinfo=UTC) if at.tzinfo is None else at
            moment = newest = round(aware.timestamp() * 1_000_000)
        keys = [spec.keys(rows) if self._packed else spec.feast_keys(rows) for spec in plan.specs]
        held, records = self.store.read([(part.stored, keys[part.spec]) for part in plan.parts])
        if held is not self._agreed.get((service, full_feature_names)):
            self._agree(plan, held)
            self._agreed[service, full_feature_names] = held
        return Batch(plan, rows, records, moment=moment, newest=newest, decode=self._decode)

    def plan(self, service: str, *, full_names: bool | None = None) -> Plan:
        """How a service is answered, worked out once."""
        found = self._plans.get((service, full_names))
        if found is None:
            run_code = service in self._trusted
            found = make_plan(self.manifest, service, run_code=run_code, full_names=full_names)
            self._plans[service, full_names] = found
        return found

    def _agree(self, plan: Plan, held: Mapping[str, Held]) -> None:
        """Check that the store's records are of this manifest's definitions.

        Raises:
            ManifestMismatchError: They aren't.
        """
        for part in plan.parts:
            entry = held[part.stored]
            if entry.schema.digest != part.layout.schema.digest:
                wanted = ", ".join(f"{name} {dtype}" for name, dtype in part.layout.schema.features)
                there = ", ".join(f"{name} {dtype}" for name, dtype in entry.schema.features)
                raise ManifestMismatchError(
                    f"view {part.view}: the manifest says ({wanted}), {self.store.place} holds"
                    f" ({there})",
                    hint="bring the store up to the manifest: furrow features materialize",
                )
            if entry.digest is not None and entry.digest != part.digest:
                raise ManifestMismatchError(
                    f"view {part.view}: the manifest has digest {part.digest[:12]}, "
                    f"{self.store.place} was filled from {entry.digest[:12]}",
                    hint="bring the store up to the manifest: furrow features materialize",
                )


class AsyncFeatureClient:
    """The client for asynchronous serving code.

    The same answers, and the event loop is not held up.
    """

    def __init__(self, client: FeatureClient) -> None:
        self._client = client

    @classmethod
    async def open(cls, place: str | Path, **options: Any) -> Self:
        """Open a client; options and errors as of `FeatureClient.open`."""
        return cls(await asyncio.to_thread(lambda: FeatureClient.open(place, **options)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the store."""
        await asyncio.to_thread(self._client.close)

    @property
    def manifest(self) -> Manifest:
        """The manifest in use."""
        return self._client.manifest

    def require(self, service: str, digest: str) -> None:
        """Refuse a model that was trained on other features; as `FeatureClient.require`."""
        self._client.require(service, digest)

    async def get(
        self,
        service: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        at: datetime | None = None,
        full_feature_names: bool | None = None,
    ) -> Batch:
        """The newest features of some rows; as `FeatureClient.get`.

        A short read of an embedded store happens here and now; anything longer in a thread.
        """
        if self._client.store.embedded and len(rows) <= _INLINE:
            return self._client.get(service, rows, at=at, full_feature_names=full_feature_names)
        return await asyncio.to_thread(
            self._client.get, service, rows, at=at, full_feature_names=full_feature_names
        )


def _is_ours(folder: Path) -> bool:
    # asks Git, and only where there is code to run
    from furrow.ground.trust import is_trusted  # noqa: PLC0415

    return is_trusted(folder)


def _fetch(url: str, timeout: float) -> bytes:
    """A manifest from a URL.

    Raises:
        ManifestError: It can't be had.
    """
    # takes 30 ms, and most clients read a file
    from urllib.request import Request  # noqa: PLC0415

    from furrow.ground.bounded_http import ask  # noqa: PLC0415 - the same

    try:
        # the caller has checked the scheme
        return ask(Request(url), seconds=timeout, most=16_000_001)  # noqa: S310
    except (OSError, ValueError) as exc:
        raise ManifestError(
            f"cannot fetch {url}: {exc}", hint="check the address, or open a local manifest"
        ) from exc
