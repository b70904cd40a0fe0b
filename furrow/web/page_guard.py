"""What stands before the pages: methods, hosts, origins and tokens.

And the headers that every answer has.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from furrow.serving.access import check_site
from furrow.serving.problem_details import Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from furrow.serving.access import Tokens

__all__ = ["POLICY", "Guard"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""What a page may load: its own script and style, and nothing from elsewhere."""

_HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]
_COOKIE = "furrow_token"


class Guard:
    """Lets through what may be asked.

    Args:
        app: What answers.
        hosts: The names that it may be called by; None for any.
        tokens: Who may read; None for whoever reaches it.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, tokens: Tokens | None) -> None:
        self._app = app
        self._hosts = hosts
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *_HEADERS]
                if b"cache-control" not in known:
                    message["headers"].append((b"cache-control", b"no-cache"))
            await send(message)

        headers = dict(scope["headers"])
        try:
            _check_method(scope["method"])
            check_site(headers, self._hosts)
            _check_sender(headers, scope.get("query_string", b""))
            moved = self._check_token(scope, headers)
        except Problem as exc:
            await _refuse(guarded, exc)
            return
        if moved:
            await _move(guarded, *moved)
            return
        await self._app(scope, receive, guarded)

    def _check_token(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[str, str] | None:
        """See who asks; a token in an address goes into a cookie, and the address is asked for again without it.

        Raises:
            Problem: Nobody who may read.
        """
        if self._tokens is None:
            return None
        query = scope.get("query_string", b"").decode("latin-1")
        pairs = parse_qsl(query, keep_blank_values=True)
        given = next((value for name, value in pairs if name == "token"), "")
        held = headers.get(b"authorization", b"")
        secret = given or _cookie(headers.get(b"cookie", b""))
        self._tokens.check(f"Bearer {secret}".encode() if secret else held, "read")
        if not given:
            return None
        rest = urlencode([(name, value) for name, value in pairs if name != "token"])
        path = "." + scope["path"][scope["path"].rfind("/") :]
        return f"{path}?{rest}" if rest else path, given


def _check_method(method: str) -> None:
    if method not in {"GET", "HEAD"}:
        said = "pages are read with GET; nothing here changes anything"
        raise Problem(405, "method", said)


def _check_sender(headers: dict[bytes, bytes], query: bytes) -> None:
    """See that no other site's page has a browser ask for parts of this one.

    A link from there is no harm; but for one that would have a server of predictions asked, which
    logs what it answers.
    """
    foreign = headers.get(b"sec-fetch-site") in {b"cross-site", b"same-site"}
    asks = any(
        name == "ask" for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    )
    if foreign and (asks or headers.get(b"sec-fetch-mode") != b"navigate"):
        raise Problem(403, "origin", "a page of another site may not ask here")


def _cookie(header: bytes) -> str:
    try:
        found = SimpleCookie(header.decode("latin-1")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


async def _move(send: Send, place: str, secret: str) -> None:
    """Ask for another address, and keep the secret, which is a known token's and so of letters, digits, - and _."""
    text = f"{_COOKIE}={secret}; HttpOnly; Path=/; SameSite=Strict".encode()
    headers = [
        (b"location", place.encode("latin-1", "replace")),
        (b"set-cookie", text),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send, exc: Problem) -> None:
    text = f"{exc.detail}\n{exc.hint}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        *(pair for pair in exc.headers() if pair[0] != b"content-type"),
    ]
    if exc.status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": exc.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
