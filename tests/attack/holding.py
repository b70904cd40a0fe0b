"""Whether this machine can hold a stranger's commands, and how to have one that can't."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from furrow.ground.isolate import HoldError, isolated

TAKEN = [
    "unshare",
    "-Ur",
    "sh",
    "-c",
    'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"',
    "sh",
]


@cache
def can_hold() -> bool:
    """Whether a jail can be built here."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            isolated(Path(folder))
        except HoldError:
            return False
    return True


@cache
def nowhere() -> list[str] | None:
    """Words before a command that then finds no namespaces: none where there are none; None if they can't be taken away."""
    if not can_hold():
        return []
    return (
        TAKEN
        if subprocess.run([*TAKEN, "true"], capture_output=True, check=False).returncode == 0
        else None
    )
