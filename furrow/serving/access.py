"""Access: bearer tokens with scopes and rates, kept as hashes in a file outside Git.

Hosts and origins.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import write_json
from furrow.parse import ParseError, parse_json, read_bytes
from furrow.serving.problem_details import Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SCOPES", "AccessError", "Token", "Tokens", "add_token", "check_site"]

SCOPES = ("predict", "read", "operate")
FORMAT = 1
LOOK_EVERY = 0.5  # seconds between two looks at whether the file has changed
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")


class AccessError(FurrowError):
    """A file of tokens that can't be used."""


@dataclass(frozen=True)
class Token:
    """A token, without its secret.

    Attributes:
        name: Of whom it is; logs name it.
        sha256: Of the secret.
        scopes: What it may: predict, read (metadata, metrics), operate.
        rate: Requests a second, of one process; 0 for any number.
    """

    name: str
    sha256: bytes
    scopes: frozenset[str]
    rate: float = 0.0


@dataclass
class _Bucket:
    """What is left of a token's rate: a second's worth may come at once."""

    left: float
    at: float

    def take(self, rate: float) -> float:
        """Take one; 0, or the seconds until there is one."""
        now = time.monotonic()
        self.left = min(max(rate, 1.0), self.left + (now - self.at) * rate)
        self.at = now
        if self.left >= 1:
            self.left -= 1
            return 0.0
        return (1 - self.left) / rate


class Tokens:
    """The tokens of a file, read again when it changes.

    A change that can't be read leaves those that were.

    Args:
        path: The file.
        workers: How many processes share each token's rate.

    Raises:
        AccessError: It can't be read, or is malformed, or others may write it.
    """

    def __init__(self, path: Path, *, workers: int = 1) -> None:
        refuse_in_git(path)
        self._path = path
        self._workers = workers
        self._buckets: dict[str, _Bucket] = {}
        self._seen = self._stamp()
        self._tokens = read_tokens(path)
        self._looked = time.monotonic()
        self.fault = ""

    def check(self, header: bytes, scope: str) -> Token:
        """Whose request it is.

        Args:
            header: The header Authorization; empty, if there is none.
            scope: What is asked for.

        Raises:
            Problem: 401 without a known token, 403 where it may not, 429 where it may not so often.
        """
        self._look()
        kind, _, secret = header.partition(b" ")
        if kind.lower() != b"bearer" or not secret:
            raise _unknown("give a token: Authorization: Bearer TOKEN")
        digest = hashlib.sha256(secret.strip()).digest()
        token = None
        for one in self._tokens:
            if hmac.compare_digest(one.sha256, digest):
                token = one
        if token is None:
            raise _unknown("this token is not known here")
        if scope not in token.scopes:
            said = f"the token {token.name} lacks the scope {scope}"
            raise Problem(403, "scope", said)
        if token.rate:
            rate = token.rate / self._workers
            bucket = self._buckets.setdefault(token.name, _Bucket(max(rate, 1.0), time.monotonic()))
            wait = bucket.take(rate)
            if wait:
                said = f"the token {token.name} may ask {token.rate:g} times a second"
                raise Problem(429, "rate", said, retry_after=wait)
        return token

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._tokens = read_tokens(self._path)
            self.fault = ""
        except AccessError as exc:
            self.fault = exc.message

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def read_tokens(path: Path) -> list[Token]:
    """The tokens that a file holds.

    Raises:
        AccessError: It can't be read, or is malformed, or others may write it.
    """
    try:
        found = path.stat()
        content = read_bytes(path)
    except OSError as exc:
        hint = f"make one: furrow serve --new-token NAME --tokens {path}"
        raise AccessError(f"cannot read the tokens in {path}: {exc.strerror}", hint=hint) from exc
    if found.st_uid not in (os.getuid(), 0) or stat.S_IMODE(found.st_mode) & 0o022:
        raise AccessError(f"others may write {path}", hint=f"chmod go-w {path}")
    try:
        value = parse_json(content, path)
    except ParseError as exc:
        raise AccessError(f"{path}: {exc.reason}", hint="restore it") from exc
    entries = (
        value.get("tokens") if isinstance(value, dict) and value.get("format") == FORMAT else None
    )
    if not isinstance(entries, dict):
        raise AccessError(f"{path} is not a file of tokens of format {FORMAT}", hint="restore it")
    return [_token(path, name, entry) for name, entry in entries.items()]


def _token(path: Path, name: str, entry: Any) -> Token:
    facts = entry if isinstance(entry, dict) else {}
    digest, scopes, rate = facts.get("sha256"), facts.get("scopes"), facts.get("rate", 0)
    right = (
        _NAME.fullmatch(name)
        and isinstance(digest, str)
        and _HASH.fullmatch(digest)
        and isinstance(scopes, list)
        and all(one in SCOPES for one in scopes)
        and type(rate) in (int, float)
        and 0 <= rate < 1e9
    )
    if not right:
        said = f"{path}: the token {name[:64]!r} is malformed"
        raise AccessError(said, hint='{"sha256": HEX, "scopes": ["predict"], "rate": 100}')
    return Token(name, bytes.fromhex(str(digest)), frozenset(scopes or ()), float(rate))


def add_token(path: Path, name: str, scopes: list[str], rate: float = 0.0) -> str:
    """Put a new token into a file, which only its owner may read; one of the same name goes.

    Returns:
        The secret, 256 random bits, which is written nowhere.

    Raises:
        AccessError: The name or a scope is none, or the file can't be used.
    """
    if not _NAME.fullmatch(name):
        raise AccessError(f"{name!r} is not a name for a token", hint="letters, digits, . _ and -")
    refuse_in_git(path)
    unknown = next((one for one in scopes if one not in SCOPES), None)
    if unknown is not None or not scopes:
        raise AccessError(f"{unknown!r} is not a scope", hint=f"there are: {', '.join(SCOPES)}")
    known = {one.name: one for one in read_tokens(path)} if path.exists() else {}
    secret = secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).digest()
    known[name] = Token(name, digest, frozenset(scopes), rate)
    entries = {
        one.name: {"sha256": one.sha256.hex(), "scopes": sorted(one.scopes), "rate": one.rate}
        for one in known.values()
    }
    write_json(path, {"format": FORMAT, "tokens": entries})
    path.chmod(0o600)
    return secret


def refuse_in_git(path: Path) -> None:
    """Refuse a file of tokens that a commit could take along.

    Raises:
        AccessError: It lies in the work tree of a repository.
    """
    for folder in path.absolute().parents:
        if (folder / ".git").exists():
            raise AccessError(
                f"the tokens {path} would lie in the Git work tree {folder}",
                hint="keep them outside of it, such as ~/.config/furrow/tokens",
            )


def check_site(headers: dict[bytes, bytes], hosts: frozenset[str] | None) -> None:
    """See that a request is meant for this server, and that no other site's page sent it.

    Args:
        headers: By their names.
        hosts: The names that it may be called by; None for any.

    Raises:
        Problem: It is not.
    """
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if hosts is not None and _bare(host) not in hosts:
        said = f"this server is not called {ascii(host)[:80]}"
        raise Problem(403, "host", said, hint="--allow-host NAME lets it be called so")
    origin = headers.get(b"origin")
    if origin is not None:
        _, _, place = origin.decode("latin-1").lower().partition("://")
        if place != host:
            raise Problem(
                403, "origin", f"a page of {ascii(place or 'null')[:80]} may not ask here"
            )


def _bare(host: str) -> str:
    """A host without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _unknown(detail: str) -> Problem:
    return Problem(401, "token", detail, headers=((b"www-authenticate", b'Bearer realm="furrow"'),))
