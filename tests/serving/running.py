"""`furrow serve` in a process of its own, for tests; each stops what it started by its pid."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.servingworld import ROW

ADDRESS = re.compile(r"on (http://127\.0\.0\.1:\d+)")


class Running:
    """`furrow serve` in a process of its own, with workers."""

    def __init__(self, world, folder: Path, *options: str, log: Path | None = None, **how) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = log or folder / "log"
        self.said = folder / "said"
        command = [sys.executable, "-m", "furrow", "serve", str(world.bundle("binary")), "--port", "0", "--features",
                   str(world.features), "--log", str(self.log), *options]  # fmt: skip
        with self.said.open("wb") as out, (folder / "errors").open("wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, cwd=folder, **how)
        self.errors = folder / "errors"
        self.address = self._address()
        self.wait_until_ready()

    def _address(self) -> str:
        while self.process.poll() is None:
            found = ADDRESS.search(self.said.read_text())
            if found:
                return found[1]
            time.sleep(0.05)
        raise AssertionError(self.errors.read_text())

    def wait_until_ready(self) -> None:
        for _ in range(1800):
            assert self.process.poll() is None, self.errors.read_text()
            try:
                if httpx.get(f"{self.address}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError("it is never ready")

    def workers(self) -> list[int]:
        """The processes that answer, by their parent."""
        found = []
        for place in Path("/proc").glob("[0-9]*/stat"):
            try:
                head, _, rest = place.read_text().rpartition(") ")
            except OSError:
                continue
            spawned = b"spawn_main" in (place.parent / "cmdline").read_bytes()
            if int(rest.split()[1]) == self.process.pid and spawned:
                found.append(int(head.split()[0]))
        return found

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def predict(self, row=ROW, *, timeout: float = 30.0) -> httpx.Response:
        """The answer to one row."""
        return httpx.post(f"{self.address}/predict", json={"rows": [row]}, timeout=timeout)

    def counted(self, name: str) -> float:
        """A number of /metrics."""
        text = httpx.get(f"{self.address}/metrics", timeout=30).text
        return sum(float(one.split()[-1]) for one in text.splitlines() if one.startswith(name))
