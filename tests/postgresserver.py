"""A PostgreSQL server of a test's own: on loopback, on a free port, as a user that is not root, ended by its own id."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PASSWORD", "PostgresServer", "postgres_server"]

PASSWORD = "k:9/é@#? %zq"


class PostgresServer:
    """A server that runs.

    Attributes:
        port: Where it listens.
        address: Of its only database, without a password; `shop` is the user's name.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"postgres://shop@127.0.0.1:{port}/postgres"

    def run(self, *statements: str) -> list[Any]:
        """Run statements; the rows of the last one."""
        import psycopg  # noqa: PLC0415 - not everywhere

        with psycopg.connect(self.address, password=PASSWORD, autocommit=True) as db:
            for statement in statements:
                found = db.execute(statement)
            return found.fetchall() if found.description else []


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start one in a folder of its own; skip the test where there is none to start, but not in CI."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb, server = (
        next((str(one / name) for one in programs if (one / name).is_file()), shutil.which(name))
        for name in ("initdb", "postgres")
    )
    if not (initdb and server) and not os.environ.get("CI"):
        pytest.skip("postgresql is not installed")
    assert initdb
    assert server
    who: dict[str, Any] = {"cwd": "/", "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}}
    folder = Path(tempfile.mkdtemp(prefix="furrow-postgres-"))
    if os.getuid() == 0:  # the server refuses root
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        who |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    try:
        (folder / "password").write_text(PASSWORD + "\n", encoding="utf-8")
        (folder / "password").chmod(0o644)
        made = [initdb, "-D", f"{folder}/data", "-U", "shop", "-E", "UTF8", "--no-sync",
                "--auth=scram-sha-256", f"--pwfile={folder}/password"]  # fmt: skip
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, **who)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [server, "-D", f"{folder}/data", *options], stdout=log, stderr=log, **who
            )
        try:
            found = PostgresServer(port)
            _wait(found, process, folder / "log")
            yield found
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    finally:
        shutil.rmtree(folder)


def _wait(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it answers, as long as it runs."""
    import psycopg  # noqa: PLC0415 - not everywhere

    while True:
        try:
            server.run("SELECT 1")
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
        else:
            return
