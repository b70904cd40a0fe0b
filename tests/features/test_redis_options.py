"""Options of Feast's Redis store: each is used, or refused by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from furrow.features.json_reader import ManifestError
from furrow.features.open_store import open_reader, open_store
from furrow.features.redis_options import feast_address
from furrow.features.schema import Manifest, OnlineStore

FEASTS = "feast.infra.online_stores.redis.RedisOnlineStore"


@pytest.mark.parametrize(
    ("text", "url", "seconds"),
    [
        ("h:1", "redis://h:1/0", 0.25),
        ("h", "redis://h:6379/0", 0.25),
        ("h:1,db=3,password=a@b:c/d,username=u", "redis://u:a%40b%3Ac%2Fd@h:1/3", 0.25),
        ("h:1,password=123", "redis://:123@h:1/0", 0.25),
        ("h:1,password=x=y", "redis://:x%3Dy@h:1/0", 0.25),
        ("h:1,ssl=true,ssl_ca_certs=/c/ca.pem,ssl_certfile=/c/me.pem,ssl_keyfile=/c/me.key,ssl_cert_reqs=none",
         "rediss://h:1/0?ssl_ca_certs=%2Fc%2Fca.pem&ssl_cert_reqs=none&ssl_certfile=%2Fc%2Fme.pem&ssl_keyfile=%2Fc%2Fme.key", 0.25),
        ("h:1,socket_timeout=2,socket_connect_timeout=0.5", "redis://h:1/0?socket_connect_timeout=0.5", 2.0),
        ("h:1,ssl=false,db=1", "redis://h:1/1", 0.25),
    ],
)  # fmt: skip
def test_used(text: str, url: str, seconds: float) -> None:
    """Server, database, user, password, TLS files and timeouts get into the URL."""
    assert feast_address({"connection_string": text}) == (url, seconds)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"connection_string": "a:1,b:2"}, "it names 2 servers"),
        ({"connection_string": "db=1"}, "it names 0 servers"),
        (
            {"connection_string": "h:1,skip_full_coverage_check=true"},
            "skip_full_coverage_check is not gone by",
        ),
        ({"connection_string": "h:1,db=x"}, "db 'x' is not a whole number"),
        ({"connection_string": "h:1,socket_timeout=soon"}, "socket_timeout 'soon' is not a number"),
        ({"connection_string": "h:1,ssl_ca_certs=/ca.pem"}, "ssl_ca_certs without ssl=true"),
        ({"connection_string": "h:1", "redis_type": "redis_cluster"}, "redis_cluster is not read"),
        (
            {"connection_string": "h:1", "redis_type": "redis_sentinel"},
            "redis_sentinel is not read",
        ),
        ({"connection_string": "h:1", "vector_enabled": True}, "vector_enabled is not gone by"),
    ],
)
def test_refused(options: dict[str, Any], said: str) -> None:
    """What the client doesn't go by is told by its name."""
    with pytest.raises(ManifestError, match=said) as caught:
        open_reader(Manifest("p", "", OnlineStore(FEASTS, options)), Path())
    assert caught.value.hint


def test_options_of_writing_are_feasts_business() -> None:
    """How long Feast lets its keys live, and how it writes them, doesn't matter to a reader."""
    options = {
        "connection_string": "h:1",
        "key_ttl_seconds": 60,
        "skip_dedup": True,
        "full_scan_for_deletion": False,
    }
    assert feast_address(options) == ("redis://h:1/0", 0.25)


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("redis", {"url": "redis://h", "key_ttl_seconds": 1}, "key_ttl_seconds"),
        ("lmdb", {"paht": "x"}, "paht"),
    ],
)
def test_furrows_own_stores(kind: str, options: dict[str, Any], said: str) -> None:
    """An option that Furrow's own stores don't have is refused, too."""
    with pytest.raises(ManifestError, match=f"{said} is not gone by"):
        open_store(Manifest("p", "", OnlineStore(kind, options)), Path())
