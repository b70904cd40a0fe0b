"""Processes that stop at each moment that matters, once each, so that a test can kill them there and go on.

A moment is a name: "train@gbm: during" from a stage's own script, "dvc: write dvc.lock" from
Python's audit hooks in the tools. Whoever comes to a moment that nobody has seen notes it and stops
itself; the test then kills.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.processes import group

from .small import environment

FURROW = str(Path(sys.executable).with_name("furrow"))
PAUSE = """#!/bin/sh
grep -qxF "$1" {room}/seen && exit 0
echo "$1" >> {room}/seen
echo "$1" > {room}/reached
kill -STOP $$
"""
HOOK = """import os, re, signal, sys

ROOM, ROOT = {room!r}, {root!r}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
SEEN = set(open(ROOM + "/seen").read().splitlines())
NAME = re.sub(r".*/", "", next((each for each in sys.orig_argv[1:] if not each.startswith("-")), "python"))


def place(path):
    path = os.path.abspath(os.fsdecode(path)) if isinstance(path, (str, bytes, os.PathLike)) else ""
    if not path.startswith(ROOT + "/"):
        return ""
    inner = path[len(ROOT) + 1:]
    if inner.startswith(".dvc/cache/"):
        return "/".join(inner.split("/")[:3])
    if NAME != "furrow" and not inner.startswith(("dvc.lock", "build/registry", ".dvc/tmp/rwlock")):
        return ""
    return "" if re.search(r"[.][a-z0-9_]{{8}}$|^[.]furrow/(hashes|apply)|/tmp/(rw)?lock|^[.]furrow$|/tmp$", inner) else inner


def hook(event, details):
    if event == "open":
        what = "write" if details[2] & WRITING else ""
        path = details[0]
    elif event in ("os.rename", "shutil.rmtree"):
        what, path = event, details[1 if event == "os.rename" else 0]
    elif event == "subprocess.Popen" and NAME == "furrow":
        what, path = "start", ""
        words = [os.path.basename(os.fsdecode(each)) for each in details[1]]
        if words[0] in ("dvc", "feast") or "tag" in words:
            path = ROOT + "/" + ("git tag" if "tag" in words else words[0])
    else:
        return
    where = place(path) if what else ""
    moment = f"{{NAME}}: {{what}} {{where}}"
    if where and moment not in SEEN:
        SEEN.add(moment)
        for name, mode in (("seen", "a"), ("reached", "w")):
            with open(ROOM + "/" + name, mode) as handle:
                handle.write(moment + "\\n")
        os.kill(os.getpid(), signal.SIGSTOP)


sys.addaudithook(hook)
"""


@dataclass
class Killer:
    """Kills `furrow apply` at the moments that it comes to.

    Attributes:
        folder: The repository.
        room: A folder of its own, outside the repository.
        groups: The process groups that killed applies had started.
    """

    folder: Path
    room: Path
    groups: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.room.mkdir()
        (self.room / "seen").touch()
        (self.room / "pause").write_text(PAUSE.format(room=self.room))
        (self.room / "pause").chmod(0o755)
        (self.room / "sitecustomize.py").write_text(
            HOOK.format(room=str(self.room), root=str(self.folder))
        )

    def seen(self) -> list[str]:
        """The moments so far."""
        return (self.room / "seen").read_text().splitlines()

    def killed(self, *arguments: str, tools: bool) -> str | None:
        """Apply, and kill -9 it at the first moment that is new; None if it ended by itself, with success.

        Args:
            tools: Whether what it had started is killed with it; else it lives on, stopped.
        """
        reached = self.room / "reached"
        reached.unlink(missing_ok=True)
        given = {**environment(), "PAUSE": str(self.room / "pause"), "PYTHONPATH": str(self.room)}
        with (self.room / "said").open("w+") as said:
            process = subprocess.Popen([FURROW, "apply", *arguments], cwd=self.folder, env=given, stdout=said,
                                       stderr=subprocess.STDOUT)  # fmt: skip
            try:
                while not (reached.exists() and reached.read_text()) and process.poll() is None:
                    time.sleep(0.01)
                started = subprocess.run(
                    ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False
                )
                self.groups += map(int, started.stdout.split())
            finally:
                process.kill()
                process.wait()
            if not reached.exists():
                said.seek(0)
                assert process.returncode == 0, said.read()
                return None
        if tools:
            self.end()
        return reached.read_text().strip()

    def left(self) -> list[int]:
        """What killed applies had started and still runs."""
        return [pid for each in self.groups for pid in group(each)]

    def end(self) -> None:
        """End it."""
        for each in self.groups:
            with suppress(ProcessLookupError):
                os.killpg(each, signal.SIGKILL)
