"""Addresses of PostgreSQL.

What may be written down of them, and the names of tables behind the #.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from furrow.intake.given_error import GivenError

__all__ = [
    "fragment_of",
    "host_of",
    "is_postgres",
    "name_parts",
    "plain_or_quoted",
    "quoted_name",
    "without_password",
]

_SCHEMES = ("postgres://", "postgresql://")
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_ENCODE = "the password's characters other than letters and digits must be percent-encoded"


def is_postgres(place: str) -> bool:
    """Whether a place is an address of a PostgreSQL server."""
    return place.startswith(_SCHEMES)


def without_password(address: str) -> tuple[str, str]:
    """An address that may be written down, and the password that stood in it.

    Args:
        address: `postgres://...`, without a fragment.

    Raises:
        GivenError: It is no address, which may be because of the password: it is not repeated.
    """
    try:
        parts = urlsplit(address)
        user, password, _ = parts.username, parts.password, parts.port
    except ValueError:
        raise GivenError("the address of PostgreSQL can't be read", hint=_ENCODE) from None
    if address.count("@") > parts.netloc.count("@") or parts.netloc.count("@") > 1:
        raise GivenError("the address of PostgreSQL has an @ out of its place", hint=_ENCODE)
    asked = parse_qsl(parts.query, keep_blank_values=True)
    if any(name == "sslpassword" for name, _ in asked):
        hint = "say it in a service file, and give postgres://?service=NAME"
        raise GivenError("the address of PostgreSQL holds an sslpassword", hint=hint)
    said = [value for name, value in asked if name == "password"]
    if password is None and not said:
        return address, ""
    rest = urlencode([pair for pair in asked if pair[0] != "password"], quote_via=quote)
    host = parts.netloc.rpartition("@")[2]
    place = host if user is None else f"{user}@{host}"
    bare = urlunsplit((parts.scheme, place, parts.path, rest, ""))
    if not place:  # a socket's: urlunsplit would leave the slashes out
        bare = f"{parts.scheme}://{parts.path}{'?' if rest else ''}{rest}"
    return bare, unquote(password) if password else said[-1] if said else ""


def fragment_of(table: str) -> str:
    """A table's name as it stands behind the # of an address."""
    return re.sub("[%#@]", lambda found: f"%{ord(found[0]):02X}", table)


def host_of(address: str) -> str:
    """The server of an address, in words."""
    return urlsplit(address).hostname or "the server"


def name_parts(table: str) -> tuple[str, str]:
    """Schema (empty for what is on the search path) and name of a table as SQL writes it."""
    parts = [one.replace('""', '"') if one else two for one, two in _PART.findall(table)]
    return ("", parts[0]) if len(parts) == 1 else (parts[0], parts[-1]) if parts else ("", table)


def plain_or_quoted(name: str) -> str:
    """A name with quotes where it needs them."""
    return name if re.fullmatch(r"[^\W\d]\w*", name) else quoted_name(name)


def quoted_name(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'
