"""The server of pages: uvicorn in this process, until SIGTERM or SIGINT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from furrow.errors import MissingExtraError, UsageError
from furrow.serving.access import Tokens
from furrow.serving.serve_settings import LOOPBACK
from furrow.web.page_app import build

try:
    from uvicorn import Config

    from furrow.serving.server import GuardedProtocol, alone
except ImportError as exc:
    raise MissingExtraError("ui", "furrow ui") from exc

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from furrow.web.site import Site

__all__ = ["PageSettings", "serve_pages"]


@dataclass(frozen=True)
class PageSettings:
    """How pages are served.

    Attributes:
        address: Where it listens.
        hosts: More names that it may be called by.
        tokens: The file of tokens; without it whoever is on this machine may read.
    """

    address: str = "127.0.0.1"
    hosts: frozenset[str] = frozenset()
    tokens: Path | None = None

    def check(self) -> None:
        """See that nobody from elsewhere reads without a token.

        Raises:
            UsageError: It listens beyond this machine, and there are no tokens.
        """
        if self.address not in LOOPBACK and self.tokens is None:
            raise UsageError(
                f"--host {self.address}: others could read this repository",
                hint=(
                    "furrow serve --new-token NAME --scope read --tokens FILE makes one; then"
                    " furrow ui --tokens FILE"
                ),
            )

    @property
    def names(self) -> frozenset[str] | None:
        """The names that it may be called by.

        None for any, where a token is asked for and no name was given.
        """
        return self.hosts | LOOPBACK if self.hosts or self.address in LOOPBACK else None


def serve_pages(site: Site, settings: PageSettings, taken: socket.socket) -> None:
    """Serve until a signal; return when running requests have ended.

    Args:
        site: What is shown.
        settings: How.
        taken: A socket that is bound.

    Raises:
        AccessError: The tokens can't be read.
    """
    tokens = Tokens(settings.tokens) if settings.tokens else None
    app = build(site, settings.names, tokens)
    config = Config(
        app, http=GuardedProtocol, ws="none", lifespan="off", access_log=False, log_level="warning",
        proxy_headers=False, server_header=False, timeout_graceful_shutdown=5,
    )  # fmt: skip
    try:
        alone(config, taken)
    finally:
        taken.close()
