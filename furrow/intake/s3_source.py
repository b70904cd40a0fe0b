"""Objects of S3: which ones an address means, and each of them as a file for as long as it is read."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import MissingExtraError
from furrow.intake.given_error import GivenError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["is_s3", "s3_object", "s3_objects"]

_LISTING, _COPYING = 60.0, 3600.0
"""Seconds that a store has to say what it holds, and for an object."""
_ROOM, _PIECE = 1 << 30, 64 << 20
_SAID = 500
_HINT = "check the address, the credentials and AWS_ENDPOINT_URL"


def is_s3(place: str) -> bool:
    """Whether a place is an address in S3."""
    return place.startswith("s3://")


def s3_objects(address: str, known: Collection[str]) -> list[str]:
    """The addresses of the objects that an address means.

    One, those of a folder, or those of a pattern.

    Args:
        address: `s3://BUCKET/...`.
        known: The endings of what can be read, in lower case.

    Raises:
        GivenError: There is none, or the store is not to be read.
    """
    with _store(address) as store:
        if re.search(r"[*?\[]", address):
            found = store.glob(address, timeout=_LISTING)
        elif Path(address).suffix.lower() in known and store.isfile(address, timeout=_LISTING):
            found = [address.removeprefix("s3://")]
        else:
            found = store.find(address, timeout=_LISTING)
    held = sorted(f"s3://{one}" for one in found if Path(one).suffix.lower() in known)
    if not held:
        hint = f"furrow reads {', '.join(sorted(known))}"
        raise GivenError(f"no table at {address}", hint=hint)
    return held


@contextmanager
def s3_object(address: str) -> Iterator[Path]:
    """An object in a temporary file.

    Raises:
        GivenError: It is not to be read.
    """
    with tempfile.TemporaryDirectory(prefix="furrow-intake-") as scratch:
        path = Path(scratch) / address.rpartition("/")[2]
        with _store(address) as store:
            store.get_file(address, str(path), callback=_room_for(path), timeout=_COPYING)
        yield path


def _room_for(path: Path) -> Any:
    """What is told of each piece of an object, so that a disk does not fill up."""
    from fsspec.callbacks import (  # type: ignore[import-untyped]  # noqa: PLC0415 - with s3fs
        Callback,
    )

    class _Room(Callback):  # type: ignore[misc]
        since = 0

        def relative_update(self, inc: int = 1) -> None:
            self.since += inc
            if self.since > _PIECE:
                self.since = 0
                if shutil.disk_usage(path.parent).free < _ROOM:
                    raise OSError("it is larger than there is room for")

    return _Room()


@contextmanager
def _store(address: str) -> Iterator[Any]:
    try:
        import s3fs  # noqa: PLC0415 - an extra
        from aiohttp import ClientError  # noqa: PLC0415
        from botocore.exceptions import (  # type: ignore[import-untyped]  # noqa: PLC0415
            BotoCoreError,
        )
        from botocore.exceptions import (  # noqa: PLC0415
            ClientError as BotoError,
        )
    except ImportError as exc:
        raise MissingExtraError("s3", "reading S3") from exc
    try:
        # One client for all objects; listings are asked for anew.
        yield s3fs.S3FileSystem(use_listings_cache=False, endpoint_url=_endpoint())
    except (OSError, ValueError, BotoCoreError, BotoError, ClientError) as exc:
        said = " ".join(str(exc).split())[:_SAID] or "it takes too long"
        raise GivenError(f"{address} can't be read: {said}", hint=_HINT) from exc


def _endpoint() -> str | None:
    """Another server than Amazon's, as its own tools are told of it; a client is kept for each."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
