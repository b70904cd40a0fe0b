"""Feast: its offline and online stores on Furrow's, and the reading of a Feast repository.

Feast's import decorates its classes with typeguard, which parses the source of each module again
for every decorated
class: two thirds of the processor time that `import feast` takes, at every start. Those checks
guard Feast's own callers; the definitions are checked by `furrow compile`. So they are left out
while Feast is imported here.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import typeguard


def _unguarded(target: Any = None, **_: Any) -> Any:
    """Typeguard's decorator, without arguments or with some, as identity."""
    return target if target is not None else _unguarded


def _import_feast_unguarded() -> None:
    """Import Feast with typeguard's decorator as identity, if neither Feast nor that decorator was imported before."""
    if "feast" in sys.modules:
        return
    decorator = typeguard.typechecked
    typeguard.typechecked = _unguarded
    try:
        with warnings.catch_warnings():  # Feast and what it imports set filters
            import feast  # noqa: F401, PLC0415 - only here, while the decorator is replaced
    finally:
        typeguard.typechecked = decorator


_import_feast_unguarded()
