"""Strict reading of JSON from outside.

Every value is checked, errors name file, field and value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from furrow.errors import FurrowError
from furrow.parse import Limits, ParseError
from furrow.parse import parse_json as parse_json_within

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ManifestError", "Node", "parse_json"]

MAX_TEXT = 100_000
MAX_ITEMS = 10_000
REMOTE_SCHEMES = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "hdfs", "http", "https"}
)
NAME = re.compile(r"\w[\w.@\-]{0,199}\Z")  # letters of any script: columns are named in them
DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class ManifestError(FurrowError):
    """A manifest that can't be trusted: malformed, out of bounds, or not what its digests say.

    Args:
        message: What is wrong, beginning with the file and the field.
        field: The field's dotted path.
        hint: The next step.
    """

    def __init__(
        self, message: str, *, field: str = "", hint: str = "write it anew with `furrow compile`"
    ) -> None:
        super().__init__(message, hint=hint)
        self.field = field


def parse_json(text: str | bytes, *, origin: str, limit: int = 16_000_000) -> Any:
    """Parse JSON, refusing what `json.loads` lets through.

    Repeated keys, NaN, deep nesting, huge files.

    Args:
        text: The JSON text.
        origin: What errors call it: a path or a URL.
        limit: The most bytes accepted.

    Returns:
        The value.

    Raises:
        ManifestError: It is too long, not JSON, or repeats a key.
    """
    if len(text) > limit:
        raise ManifestError(
            f"{origin}: {len(text)} bytes is more than the {limit} that a manifest may have"
        )

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ManifestError(
                f"{origin}: the key {twice[:80]!r} stands twice in one mapping", field=twice
            )
        return value

    def constant(word: str) -> NoReturn:
        raise ManifestError(f"{origin}: {word} is not a JSON number")

    try:
        return parse_json_within(
            text, limits=Limits(size=limit), object_pairs_hook=unique, parse_constant=constant
        )
    except ParseError as exc:
        raise ManifestError(f"{origin} is not valid JSON: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value with its place, so that each check can say where it failed.

    Attributes:
        value: The JSON value.
        origin: The file or URL it came from.
        field: Its dotted path in there.
    """

    value: Any
    origin: str
    field: str = ""

    def fail(self, why: str) -> NoReturn:
        """Raise a ManifestError about this value."""
        shown = repr(self.value)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        raise ManifestError(
            f"{self.origin}: {self.field or 'the whole file'}: {shown} {why}", field=self.field
        )

    def child(self, key: str | int, value: Any) -> Node:
        """A value inside this one."""
        return Node(value, self.origin, f"{self.field}.{key}" if self.field else str(key))

    def mapping(self) -> dict[str, Any]:
        """The value as a mapping of bounded size."""
        if not isinstance(self.value, dict):
            self.fail("should be a mapping")
        if len(self.value) > MAX_ITEMS:
            self.fail(f"has {len(self.value)} entries, more than {MAX_ITEMS}")
        return self.value

    def fields(self, *names: str, optional: tuple[str, ...] = ()) -> dict[str, Node]:
        """The mapping's fields.

        All of `names`, maybe those of `optional` (null when absent), no others.
        """
        value = self.mapping()
        for name in names:
            if name not in value:
                self.fail(f"lacks the field {name!r}")
        for name in value:
            if name not in names and name not in optional:
                self.child(name, value[name]).fail("is a field this version does not know")
        return {name: self.child(name, value.get(name)) for name in (*names, *optional)}

    def entries(self) -> Iterator[tuple[str, Node]]:
        """The mapping's entries, each key checked to be a name."""
        for key, value in self.mapping().items():
            yield self.child(key[:80], key).name(), self.child(key, value)

    def items(self) -> list[Node]:
        """The value as a list of bounded length."""
        if not isinstance(self.value, list):
            self.fail("should be a list")
        if len(self.value) > MAX_ITEMS:
            self.fail(f"has {len(self.value)} items, more than {MAX_ITEMS}")
        return [self.child(index, item) for index, item in enumerate(self.value)]

    def text(self, limit: int = MAX_TEXT) -> str:
        """The value as a text of bounded length, without NUL."""
        if not isinstance(self.value, str):
            self.fail("should be a text")
        if len(self.value) > limit or "\0" in self.value:
            self.fail(f"should be at most {limit} characters, none of them NUL")
        return self.value

    def name(self) -> str:
        """The value as a name: letters of any script, digits, _; and . - @ after the first character."""
        if not NAME.match(self.text(200)):
            self.fail("is not a name (letters, digits, '_', '.', '-')")
        return str(self.value)

    def digest(self) -> str:
        """The value as a hex sha256."""
        if not DIGEST.match(self.text(64)):
            self.fail("is not a sha256 in hex")
        return str(self.value)

    def whole(self, low: int, high: int) -> int:
        """The value as an integer between two bounds, both included."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self.fail("should be a whole number")
        if not low <= self.value <= high:
            self.fail(f"should lie between {low} and {high}")
        return self.value

    def truth(self) -> bool:
        """The value as true or false."""
        if not isinstance(self.value, bool):
            self.fail("should be true or false")
        return self.value

    def texts(self) -> dict[str, str]:
        """The value as a mapping of text to text."""
        return {
            key: self.child(key[:80], value).text()
            for key, value in self.mapping().items()
            if self.key(key)
        }

    def key(self, key: str) -> bool:
        """Check that a free key has a bounded length."""
        return bool(self.child("(key)", key).text(1000)) or True

    def scalar(self) -> str | int | float | bool | None:
        """The value as a scalar of bounded size."""
        if isinstance(self.value, str):
            return self.text(4000)
        if self.value is None or isinstance(self.value, bool):
            return self.value
        if not isinstance(self.value, int | float):
            self.fail("should be a text, a number, true, false or null")
        if abs(self.value) > 2**53:
            self.fail("is too large a number")
        return self.value

    def path(self, depth: int) -> str:
        """The value as a remote URI, or a path from the manifest's folder that stays inside the repository.

        Args:
            depth: How many folders the manifest's folder lies below the root of the repository.
        """
        text = self.text(4000)
        try:
            scheme = urlsplit(text).scheme if "://" in text else ""
        except ValueError as exc:
            self.fail(f"is not an address: {exc}")
        if scheme:
            if scheme not in REMOTE_SCHEMES:
                self.fail(
                    f"has the scheme {scheme!r}; remote sources are"
                    f" {', '.join(sorted(REMOTE_SCHEMES))}"
                )
            return text
        if not text or text.startswith(("/", "~")) or "\\" in text or re.match(r"[A-Za-z]:", text):
            self.fail("should be a path relative to the manifest's folder")
        level = depth
        for part in text.split("/"):
            level += -1 if part == ".." else 0 if part in ("", ".") else 1
            if level < 0:
                self.fail("leads out of the repository")
        return text
