"""Resolvers that configs may use: those whose value follows from the config alone.

A config is input from outside and its values are pushed with every run. So `${oc.env:...}` would
publish a secret, `${now:...}` would make a run that Git does not declare, and a resolver that some
module registered could do anything.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any

from omegaconf.basecontainer import BaseContainer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PURE", "impure", "place_of", "pure"]

PURE = ("oc.select", "oc.create", "oc.decode", "oc.deprecated", "oc.dict.keys", "oc.dict.values")
"""`oc.create` and `oc.decode` resolve what they are given by the same rule."""

_REFUSED = re.compile(r"Unsupported interpolation type (\S+)")
_lock = RLock()


class _Closed(dict[str, Any]):
    """Resolvers that none is added to: Hydra registers its own whenever it composes."""

    def __setitem__(self, name: str, resolver: Any) -> None:
        """Nothing."""


@contextmanager
def pure() -> Iterator[None]:
    """For as long as the block runs, there are no other resolvers than the pure ones."""
    with _lock:
        before = BaseContainer._resolvers
        BaseContainer._resolvers = _Closed({name: before[name] for name in PURE if name in before})
        try:
            yield
        finally:
            BaseContainer._resolvers = before


def impure(exc: BaseException) -> str:
    """The resolver that an error is about, which is not allowed or not known.

    Empty when it is about another thing.
    """
    seen: BaseException | None = exc
    while seen is not None:
        if found := _REFUSED.search(str(seen)):
            return found[1]
        seen = seen.__cause__ or seen.__context__
    return ""


def place_of(conf: Path | None, resolver: str, key: str) -> str:
    """The file and line of conf/ that uses a resolver for a key.

    Empty when no line looks like it.
    """
    last = key.rsplit(".", 1)[-1].partition("[")[0]
    hits = [
        (last not in line.partition("#")[0], f"{conf.name}/{path.relative_to(conf)}:{number}")
        for path in (sorted(conf.rglob("*.yaml")) if conf else [])
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if f"{resolver}:" in line.replace(" ", "") and conf
    ]
    return min(hits)[1] if hits else ""
