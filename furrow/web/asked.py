"""What is asked of a page: the state that its address holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from furrow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LONGEST", "Asked", "asked_of"]

LONGEST = 16_000
"""Characters of an address's state."""


@dataclass(frozen=True)
class Asked:
    """The state in an address; names may come several times."""

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def one(self, name: str, default: str = "") -> str:
        """A value; the default where it is absent or empty."""
        return next((text for text in self.values.get(name, ()) if text), default)

    def many(self, name: str) -> tuple[str, ...]:
        """Every value of a name, each once, in order."""
        return tuple(dict.fromkeys(text for text in self.values.get(name, ()) if text))

    def words(self, name: str) -> tuple[str, ...]:
        """A list with commas."""
        return tuple(word.strip() for word in self.one(name).split(",") if word.strip())

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.one(name) in {"1", "on", "true", "yes"}

    def whole(self, name: str, default: int, *, least: int = 1, most: int = 1000) -> int:
        """A whole number between bounds.

        Raises:
            UsageError: It is none.
        """
        text = self.one(name)
        if not text:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise UsageError(f"{name}={text[:40]!r} is no whole number", hint=f"{name}={default}")
        return min(max(int(text), least), most)

    def but(self, **changes: str | Sequence[str] | None) -> dict[str, str | Sequence[str]]:
        """The state with changes, for a link; None takes a name away."""
        found: dict[str, str | Sequence[str]] = {
            name: texts[0] if len(texts) == 1 else texts
            for name, texts in self.values.items()
            if any(texts)
        }
        for name, value in changes.items():
            found.pop(name, None)
            if value:
                found[name] = value
        return found


def asked_of(state: Mapping[str, str | Sequence[str]]) -> Asked:
    """What the state of a link asks for."""
    return Asked(
        {name: (some,) if isinstance(some, str) else tuple(some) for name, some in state.items()}
    )
