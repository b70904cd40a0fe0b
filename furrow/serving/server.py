"""The server's processes: uvicorn with uvloop and httptools, one worker or several behind one port.

A worker that dies is started again by the process that started it; workers whose parent is gone end
by themselves. SIGTERM lets running requests end and takes no new ones.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError, MissingExtraError
from furrow.ground.start_python import child_environment
from furrow.serving.log_lines import LOGGING

try:
    from uvicorn import Config, Server
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    from uvicorn.supervisors import Multiprocess
except ImportError as exc:
    raise MissingExtraError("serve", "a server of predictions") from exc

if TYPE_CHECKING:
    import asyncio

    from furrow.serving.app import App
    from furrow.serving.serve_settings import Served, ServeSettings

__all__ = ["AppFactory", "GuardedProtocol", "ListenError", "alone", "end_with", "listen", "run"]

LOGGER = logging.getLogger("furrow.serving")
GRACE = 25
"""Seconds that running requests have after SIGTERM; SageMaker and Kubernetes kill after 30."""


class ListenError(FurrowError):
    """The address can't be listened on."""


@dataclass(frozen=True)
class AppFactory:
    """Makes a worker's application.

    What that takes is loaded in the worker, after it can say that it lives.

    Attributes:
        served: What it serves.
        settings: How.
        parent: The process without which it ends; 0 for none.
    """

    served: Served
    settings: ServeSettings
    parent: int = 0

    def __call__(self) -> App:
        """The application.

        Raises:
            FurrowError: Features, log or tokens can't be opened.
        """
        from furrow.serving.serve_worker import build_app  # noqa: PLC0415 - see above

        end_with(self.parent)
        GuardedProtocol.seconds = self.settings.limits.receive
        GuardedProtocol.most = self.settings.limits.connections
        return build_app(self.served, self.settings)


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a time for the head of a request and a bound on connections."""

    seconds = 10.0
    most = 1024
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or close it at once if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the timer go with the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A head begins, and has its time."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """It is whole."""
        self._stop_waiting()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(self.seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()


def listen(address: str, port: int) -> socket.socket:
    """A socket that is bound; port 0 takes a free one.

    Raises:
        ListenError: The port is taken, or may not be.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = socket.socket(family)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((address, port))
    except OSError as exc:
        found.close()
        raise ListenError(
            f"cannot listen on {address}:{port}: {exc.strerror}",
            hint="name another --port, or 0 for a free one",
        ) from exc
    found.set_inheritable(True)
    return found


def run(served: Served, settings: ServeSettings, taken: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; return when running requests have ended.

    Args:
        served: What to serve.
        settings: How.
        taken: From `listen`.

    Raises:
        FurrowError: It could not be started.
    """
    # a worker's Python takes no module from the folder that it stands in
    clean = child_environment(os.environ)
    os.environ.pop("PYTHONPATH", None)
    os.environ.update({**clean, "PYTHONSAFEPATH": "1"})
    state = Path(tempfile.mkdtemp(prefix="furrow-serve-"))
    settings = replace(settings, state=state)
    several = settings.workers > 1
    parent = os.getpid() if several else settings.asked_by
    config = Config(
        AppFactory(served, settings, parent),
        factory=True,
        http=GuardedProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=LOGGING,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE,
        timeout_worker_healthcheck=30,
        workers=settings.workers,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )
    try:
        if several:
            supervisor = Multiprocess(config, [taken])  # from here on it heeds SIGTERM
            end_with(settings.asked_by)
            supervisor.run()
        else:
            alone(config, taken)
    finally:
        taken.close()
        shutil.rmtree(state, ignore_errors=True)


def alone(config: Config, taken: socket.socket) -> None:
    """Serve in this process.

    Uvicorn raises the signal that ended it again, which means nothing more then.
    """
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: None)
    server = Server(config)
    server.run([taken])
    if not server.started:
        raise FurrowError("the server could not be started", hint="its log says why, above")


def end_with(parent: int) -> None:
    """End this process, as by SIGTERM, when its parent is gone, however that one ended.

    Args:
        parent: The process that started it; 0 for whoever it may be.
    """
    if parent:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    """End this process when its parent is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
