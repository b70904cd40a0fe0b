"""An error as an answer (RFC 9457).

Apart from what errors become one, so that who needs no more loads no more.
"""

from __future__ import annotations

from typing import Any

__all__ = ["TITLES", "Problem"]

TITLES = {
    400: "The request is malformed",
    401: "A token is needed",
    403: "This token, host or origin may not do that",
    404: "There is no such thing here",
    405: "Another method is needed",
    408: "The request came too slowly",
    413: "The request is too large",
    415: "Another content type is needed",
    422: "A row can't be scored as it is",
    424: "Features are absent",
    429: "Too many requests",
    500: "A fault of the server",
    503: "Not now",
    504: "Too late",
}


class Problem(Exception):  # noqa: N818 - the RFC's word
    """What a request ends with when it can't be answered.

    Args:
        status: Of HTTP.
        kind: A short word that a program can tell it by.
        detail: What is wrong, in a sentence.
        row: Which row, from 0.
        field: Which field.
        hint: What to do next.
        retry_after: Seconds after which it may be asked again.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        row: int | None = None,
        field: str = "",
        hint: str = "",
        retry_after: float | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.row = row
        self.field = field
        self.hint = hint
        self.retry_after = retry_after
        self.more_headers = headers

    def body(self) -> dict[str, Any]:
        """The problem as a JSON value."""
        found: dict[str, Any] = {
            "type": f"urn:furrow:problem:{self.kind}",
            "title": TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
        }
        if self.row is not None:
            found["row"] = self.row
        if self.field:
            found["field"] = self.field
        if self.hint:
            found["hint"] = self.hint
        return found

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that come with it."""
        found = [(b"content-type", b"application/problem+json"), *self.more_headers]
        if self.retry_after is not None:
            found.append((b"retry-after", b"%d" % max(1, round(self.retry_after))))
        return found
