"""Asking a server by HTTP, whoever it is: within a time in all, some bytes, and from no other host than was meant."""

from __future__ import annotations

import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
)

from furrow.ground.timed_socket import TimedSocket

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ask"]


def ask(request: Request, *, seconds: float, most: int, elsewhere: bool = True) -> bytes:
    """What a server answers, or its first bytes.

    Args:
        request: To an http:// or https:// address.
        seconds: That it may take in all.
        most: Bytes that are read of the answer.
        elsewhere: Whether another path of the same server, which it names in place of an answer, is
            asked then.

    Raises:
        OSError: It refuses, can't be reached, takes longer, or answers what HTTP does not allow.
    """
    until = time.monotonic() + seconds
    opener = build_opener(_Plain(until), _Closed(until), _SameHost(follow=elsewhere))
    try:
        with opener.open(request, timeout=seconds) as answer:
            found: bytes = answer.read(most)
    except HTTPError as exc:
        exc.close()  # it holds the connection
        raise
    except (HTTPException, ValueError, OverflowError) as exc:
        said = " ".join(str(exc).split())[:100] or type(exc).__name__
        raise OSError(f"the answer is none of HTTP's: {said}") from exc
    return found


class _SameHost(HTTPRedirectHandler):
    """What is asked, and the credentials with it, goes where it was said, and nowhere else."""

    def __init__(self, *, follow: bool) -> None:
        self._follow = follow

    def redirect_request(  # noqa: PLR0917 - as the library calls it
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if not self._follow:
            return None
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            said = f"it names another server in its place, {new.scheme}://{new.hostname}"
            raise HTTPError(req.full_url, code, said, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _timed(kind: type[HTTPConnection], until: float) -> Callable[..., HTTPConnection]:
    class _Connection(kind):  # type: ignore[misc, valid-type]
        def connect(self) -> None:
            super().connect()
            self.sock: Any = TimedSocket(self.sock, until - time.monotonic())

    return _Connection


class _Plain(HTTPHandler):
    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    def http_open(self, req: Request) -> Any:
        return self.do_open(_timed(HTTPConnection, self._until), req)


class _Closed(HTTPSHandler):
    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    def https_open(self, req: Request) -> Any:
        return self.do_open(_timed(HTTPSConnection, self._until), req)
