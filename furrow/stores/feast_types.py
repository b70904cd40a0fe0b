"""The names of Feast's types ("Int64", "Array(Struct({a: Int64}))"), read into trees.

Which of them are served.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from furrow.errors import FurrowError

__all__ = ["KEYS", "SCALARS", "FeastType", "UnservedTypeError", "parse_type", "served_types"]

NUMBERS = ("Int32", "Int64", "Float32", "Float64", "Bool")
TEXTS = ("String", "Json", "Uuid", "TimeUuid")
BINARIES = ("Bytes", "PdfBytes", "ImageBytes")
SCALARS = (
    *NUMBERS,
    *TEXTS,
    *BINARIES,
    "UnixTimestamp",
    "ZonedTimestamp",
    "Decimal",
    "Map",
    "ScalarMap",
)
KEYS = ("String", "Bytes", "Int32", "Int64", "UnixTimestamp")
"""What a join key can be: what Feast itself can serialize in a key."""

_SET_ITEMS = (*NUMBERS, "String", "Bytes", "UnixTimestamp", "Uuid", "TimeUuid", "Decimal")
_ARRAY_ITEMS = (*_SET_ITEMS, "Map", "Json")
_FIELD = re.compile(r"([^:,(){}]+): ")
_WORD = re.compile(r"\w+")


class UnservedTypeError(FurrowError):
    """A type that can't be served as it was trained."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is not a type of Feast's that is served", hint=f"it can be {served_types()}"
        )
        self.name = name


@dataclass(frozen=True, slots=True)
class FeastType:
    """One type.

    Attributes:
        kind: A scalar's name, "Array", "Set" or "Struct".
        item: Of an array or a set.
        fields: Of a struct, in their order.
    """

    kind: str
    item: FeastType | None = None
    fields: tuple[tuple[str, FeastType], ...] = ()

    @property
    def leaf(self) -> FeastType:
        """What an array or a set, however deep, is made of; the type itself if it is neither."""
        return self if self.item is None else self.item.leaf


def served_types() -> str:
    """The types that are served, in words."""
    return (
        f"{', '.join(SCALARS)}; Array({' | '.join(_ARRAY_ITEMS)} | Struct | Array | Set); "
        f"Set({' | '.join(_SET_ITEMS)} | Array | Set); Struct of any of these"
    )


@lru_cache(maxsize=1024)
def parse_type(name: str) -> FeastType:
    """Read a type's name, as `str` of Feast's type gives it.

    Raises:
        UnservedTypeError: It is no type of Feast's, or none that is served.
    """
    reader = _Reader(name)
    found = reader.type()
    if reader.rest:
        reader.fail()
    return found


class _Reader:
    """Reads a name from left to right."""

    def __init__(self, name: str) -> None:
        self.name = self.rest = name

    def fail(self) -> NoReturn:
        raise UnservedTypeError(self.name)

    def take(self, text: str) -> bool:
        if self.rest.startswith(text):
            self.rest = self.rest[len(text) :]
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            self.fail()

    def type(self) -> FeastType:
        for kind, items in (("Array", _ARRAY_ITEMS), ("Set", _SET_ITEMS)):
            if self.take(f"{kind}("):
                item = self.type()
                self.expect(")")
                nested = ("Array", "Set", "Struct") if kind == "Array" else ("Array", "Set")
                if item.kind not in (*items, *nested):
                    self.fail()
                return FeastType(kind, item)
        if self.take("Struct({"):
            return FeastType("Struct", fields=tuple(self.fields()))
        word = _WORD.match(self.rest)
        if word is None or word[0] not in SCALARS:
            self.fail()
        self.expect(word[0])
        return FeastType(word[0])

    def fields(self) -> list[tuple[str, FeastType]]:
        found: dict[str, FeastType] = {}
        while True:
            name = _FIELD.match(self.rest)
            if name is None or name[1] in found:
                self.fail()
            self.expect(name[0])
            found[name[1]] = self.type()
            if not self.take(", "):
                self.expect("})")
                return list(found.items())
