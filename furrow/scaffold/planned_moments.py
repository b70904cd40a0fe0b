"""Moments by their names: those that lie ahead and are known all the same, those of a life, those of a record."""

from __future__ import annotations

__all__ = ["is_of_a_life", "is_planned", "is_recorded"]

_PLANNED = {
    "due", "deadline", "limit", "estimated", "expected", "promised", "planned", "scheduled", "appointment", "expiry",
    "expires", "expiration", "maturity", "eta",
}  # fmt: skip

_LIFE = {
    "birth", "birthday", "birthdate", "dob", "born", "founded", "built", "geburt", "geburtsdatum", "geburtstag",
    "geboren", "naissance", "nacimiento", "nascita", "nascimento", "geboortedatum",
}  # fmt: skip
_RECORD = {
    "created", "registered", "updated", "modified", "recorded", "entered", "inserted", "added", "joined", "since",
    "signup", "enrolled", "registration", "angelegt", "erstellt", "registriert", "seit", "registrierung",
}  # fmt: skip


def is_of_a_life(name: str) -> bool:
    """Whether a column of moments is named as when somebody was born, or something built."""
    return bool(_LIFE & set(name.split("_")))


def is_recorded(name: str) -> bool:
    """Whether a column of moments is named as when a row was written."""
    return bool(_RECORD & set(name.split("_")))


def is_planned(name: str) -> bool:
    """Whether a column of moments is named as what is planned, rather than as what happened."""
    return bool(_PLANNED & set(name.split("_")))
