"""Options of the Redis stores in feature_store.yaml: each is used, or refused by its name.

None is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from furrow.features.json_reader import ManifestError
from furrow.features.stored_views import schema_of, stored_name
from furrow.parse import ParseError, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from furrow.features.schema import Manifest
    from furrow.stores.store_api import OnlineStore, ReadStore

__all__ = ["feast_address", "known_options", "open_feast_redis", "open_redis", "positive"]

_STRING = "online_store.connection_string"
_PLACE = {"db", "username", "password", "ssl", "socket_timeout"}
_PASSED = {
    "ssl_ca_certs", "ssl_ca_path", "ssl_ca_data", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_cert_reqs",
    "ssl_check_hostname", "ssl_min_version", "socket_connect_timeout", "socket_keepalive", "client_name",
    "health_check_interval", "max_connections",
}  # fmt: skip
"""What redis-py takes from a URL by the same name."""

_FEASTS = {"connection_string", "redis_type", "client", "sentinel_master"}
_WRITING = {"key_ttl_seconds", "full_scan_for_deletion", "skip_dedup"}
"""What matters to who writes, which is Feast."""


def open_redis(
    manifest: Manifest, folder: Path, options: Mapping[str, Any], *, create: bool
) -> OnlineStore:
    """Open packed records on Redis.

    Raises:
        ManifestError: An option is wrong.
        StoreError: It can't be reached.
    """
    from furrow.stores.redis_store import RedisStore  # noqa: PLC0415 - an extra

    del manifest, folder, create
    known_options(options, {"url", "deadline_ms", "namespace"})
    url, space = options.get("url", "redis://127.0.0.1:6379/0"), options.get("namespace", "furrow")
    deadline = positive(options.get("deadline_ms", 250), "deadline_ms") / 1000
    return RedisStore(str(url), deadline=deadline, namespace=str(space))


def open_feast_redis(
    manifest: Manifest, folder: Path, options: Mapping[str, Any], *, create: bool
) -> ReadStore:
    """Open what Feast's own Redis store holds, to read.

    Raises:
        ManifestError: An option is one that Furrow's client doesn't go by.
        StoreError: It can't be reached.
    """
    from furrow.stores.feast_redis import FeastRedisStore  # noqa: PLC0415 - an extra

    del folder, create
    views = {
        stored_name(manifest, name): (name, schema_of(view))
        for name, view in manifest.views.items()
    }
    url, deadline = feast_address(options)
    return FeastRedisStore(url, manifest.project, views, deadline=deadline)


def positive(value: Any, name: str) -> int:
    """An option that is a positive whole number.

    Raises:
        ManifestError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        field = f"online_store.{name}"
        raise ManifestError(f"{field}: {value!r} should be a positive whole number", field=field)
    return value


def feast_address(options: Mapping[str, Any]) -> tuple[str, float]:
    """Where Feast's own Redis store is, from its options.

    A URL, and the deadline of a read in seconds.

    Args:
        options: As feature_store.yaml has them; `connection_string` is
            host:port,db=0,password=...,ssl=true.

    Raises:
        ManifestError: An option is one that Furrow's client doesn't go by.
    """
    known_options(options, _FEASTS | _WRITING)
    kind = options.get("redis_type", "redis")
    if kind != "redis":
        hint = "name one server: Feast's cluster and sentinel are read by Feast alone"
        raise _refused("online_store.redis_type", f"{kind} is not read by Furrow's client", hint)
    parts = str(options.get("connection_string", "localhost:6379")).split(",")
    nodes = [part for part in parts if "=" not in part]
    if len(nodes) != 1 or not nodes[0]:
        raise _refused(
            _STRING,
            f"it names {len(nodes)} servers, Furrow's client reads one",
            "write host:port,db=0",
        )
    given = {
        name: _value(text) for name, text in (part.split("=", 1) for part in parts if "=" in part)
    }
    known_options(given, _PLACE | _PASSED, field=_STRING)
    host, _, port = nodes[0].partition(":")
    user = ""
    if "password" in given or "username" in given:
        user = f"{_quoted(given.get('username', ''))}:{_quoted(given.get('password', ''))}@"
    scheme = "rediss" if given.get("ssl") in (True, "True") else "redis"
    passed = {name: given[name] for name in sorted(given.keys() & _PASSED)}
    if scheme == "redis" and (unused := [name for name in passed if name.startswith("ssl_")]):
        raise _refused(_STRING, f"{unused[0]} without ssl=true", "write ssl=true, or take it away")
    query = f"?{urlencode(passed)}" if passed else ""
    return (
        f"{scheme}://{user}{host}:{port or 6379}/{_whole(given.get('db', 0), 'db')}{query}",
        _seconds(given),
    )


def known_options(options: Iterable[str], known: set[str], *, field: str = "online_store") -> None:
    """Refuse options that nothing goes by.

    Raises:
        ManifestError: There is one.
    """
    unknown = sorted(set(options) - known)
    if unknown:
        hint = f"take it away; what is gone by: {', '.join(sorted(known))}"
        raise _refused(field, f"{unknown[0]} is not gone by", hint)


def _refused(field: str, what: str, hint: str) -> ManifestError:
    return ManifestError(f"{field}: {what}", field=field, hint=hint)


def _value(text: str) -> Any:
    """A value of the connection string, as Feast reads it."""
    try:
        return parse_json(text)
    except ParseError:
        return text


def _quoted(value: Any) -> str:
    return quote(str(value), safe="")


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _refused(_STRING, f"{name} {value!r} is not a whole number", f"such as {name}=0")
    return value


def _seconds(given: Mapping[str, Any]) -> float:
    """The deadline of a read: Feast's socket_timeout."""
    value = given.get("socket_timeout", 0.25)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise _refused(
            _STRING,
            f"socket_timeout {value!r} is not a number of seconds",
            "such as socket_timeout=0.25",
        )
    return float(value)
