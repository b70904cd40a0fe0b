"""The registry of online stores: each type means one kind, and the tree names no store's class elsewhere."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from furrow.features.json_reader import ManifestError
from furrow.features.manifest import load
from furrow.features.online_kinds import ONLINE_KINDS, online_kind
from furrow.features.open_store import open_reader, open_store
from furrow.features.schema import OnlineStore

SAMPLE = Path(__file__).parent / "samples/manifest_1.json"
LMDB, REDIS, FEASTS = ONLINE_KINDS


def manifest(kind: str, **options: object):
    return replace(load(SAMPLE), online_store=OnlineStore(kind, dict(options)))


@pytest.mark.parametrize(
    ("kind", "options", "meant"),
    [
        ("lmdb", {}, LMDB),
        ("furrow.ground.feast.online.FurrowOnlineStore", {"path": "x"}, LMDB),
        ("redis", {"url": "redis://x"}, REDIS),
        ("redis", {}, REDIS),
        ("redis", {"connection_string": "x:1"}, FEASTS),
        ("feast.infra.online_stores.redis.RedisOnlineStore", {}, FEASTS),
        ("furrow.ground.feast.online_redis.FurrowRedisOnlineStore", {}, REDIS),
        ("sqlite", {}, None),
    ],
)
def test_a_type_means_one_kind(kind, options, meant):
    """A short name that two kinds share is told apart by its options."""
    assert online_kind(manifest(kind, **options)) is meant
    assert sum(one.claims(kind, options) for one in ONLINE_KINDS) == (meant is not None)


def test_what_each_names_is_there():
    """The function that opens it, and the class that Feast loads."""
    for kind in ONLINE_KINDS:
        module, _, function = kind.opens.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
        place, _, name = kind.types[-1].rpartition(".")
        assert hasattr(importlib.import_module(place), name)


def test_an_embedded_store_opens_and_others_are_refused(tmp_path):
    """By type and folder; a type that nobody knows, and one that is only read, name those that can be written."""
    with open_store(manifest("lmdb", path="online"), tmp_path, create=True):
        pass
    with open_reader(manifest("lmdb", path="online"), tmp_path):
        pass
    for opened, what in (
        (manifest("sqlite"), "'sqlite' is not a store"),
        (manifest(FEASTS.types[-1]), "is not a store"),
    ):
        with pytest.raises(ManifestError, match=what) as caught:
            open_store(opened, tmp_path, create=True)
        assert LMDB.types[-1] in caught.value.hint
        assert REDIS.types[-1] in caught.value.hint
    with pytest.raises(ManifestError, match="limit"):
        open_store(manifest("lmdb", limit=0.5), tmp_path, create=True)


def test_classes_of_stores_are_named_in_the_registry_alone():
    """A new store is one file and one line there; a class names itself, for Feast."""
    furrow = Path(__file__).parents[2] / "furrow"
    names = [kind.types[-1] for kind in ONLINE_KINDS]
    said = {
        path.relative_to(furrow).as_posix()
        for path in furrow.rglob("*.py")
        if any(f'"{name}"' in path.read_text() for name in names)
    }
    assert said <= {
        "features/online_kinds.py",
        "ground/feast/online.py",
        "ground/feast/online_redis.py",
    }, said
