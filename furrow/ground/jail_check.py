"""Whether a jail holds, looked at from inside of it, before anything of a stranger's runs."""

from __future__ import annotations

import os
import platform
import resource
import socket
import sys
from pathlib import Path
from typing import Any

from furrow.ground.jail_mounts import mounts

__all__ = ["check"]

_RDONLY = 1
_OWN = ("/tmp", "/var/tmp", "/dev/shm", "/proc")  # noqa: S108 - the jail's own
_DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))
_DAC_READ_SEARCH = 1 << 2


def check(spec: dict[str, Any]) -> dict[str, Any]:
    """Look at what this process could do.

    Args:
        spec: The jail's description.

    Returns:
        What holds, as facts for a report.

    Raises:
        OSError: Something does not hold; the message says what.
    """
    wrong = [*_processes(), *_rights(spec), *_files(spec), *_network(spec), *_limits(spec)]
    if wrong:
        raise OSError("the jail does not hold: " + "; ".join(wrong))
    return {
        "network": bool(spec["network"]),
        "other_user": bool(spec["root"]) and spec["uid"] is not None,
        "filter": "Seccomp:\t2" in Path("/proc/self/status").read_text(encoding="ascii"),
        "limits": spec["limits"],
    }


def _processes() -> list[str]:
    seen = {name for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - names alone
    return [] if os.getpid() == 1 and seen == {"1"} else ["other processes can be seen"]


def _rights(spec: dict[str, Any]) -> list[str]:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    reads_all = bool(spec["root"]) and spec["uid"] is None
    allowed = _DAC_READ_SEARCH if reads_all else 0
    wrong = [
        name
        for name in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb")
        if int(status[name], 16) & ~allowed
    ]
    found = [f"it has capabilities ({', '.join(wrong)})"] if wrong else []
    found += [] if status["NoNewPrivs"] == "1" else ["programs may give it more rights"]
    if platform.machine() in {"x86_64", "aarch64"} and status.get("Seccomp") != "2":
        found.append("system calls are not filtered")
    if (
        spec["root"]
        and spec["uid"] is not None
        and set(status["Uid"].split()) != {str(spec["uid"])}
    ):
        found.append("it runs as another user than the jail's")
    return found


def _files(spec: dict[str, Any]) -> list[str]:
    binds = [path for _, path, _ in spec["binds"]]
    writable = [path for _, path, may in spec["binds"] if may]
    found = []
    for point, flags in mounts():
        own = (
            point in _DEVICES
            or point.startswith("/proc/")
            or any(_within(point, one) for one in (*_OWN, *writable))
        )
        if not own and not flags & _RDONLY:
            found.append(f"{point} can be written")
    for hidden in spec["hidden"]:
        found += [f"{path} can be seen" for path in _strangers(hidden, binds)]
    if not os.access(sys.executable, os.X_OK):
        found.append(f"{sys.executable} can't be run by the jail's user: mend its rights")
    if os.access("/", os.W_OK) or Path("/etc/shadow").exists():
        found.append("the root is not the jail's")
    return found


def _strangers(path: str, binds: list[str]) -> list[str]:
    """What of a hidden folder can be seen, but for the way to the folders that were chosen."""
    if path in binds or not os.path.lexists(path):
        return []
    if not any(_within(one, path) for one in binds):
        covered = os.path.ismount(path) and not os.listdir(path)  # noqa: PTH208
        return [] if covered else [path]
    return [
        found
        for name in os.listdir(path)  # noqa: PTH208
        for found in _strangers(f"{path.rstrip('/')}/{name}", binds)
    ]


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _network(spec: dict[str, Any]) -> list[str]:
    names = {name for _, name in socket.if_nameindex()}
    return (
        []
        if spec["network"] or names <= {"lo"}
        else [f"there is a network: {', '.join(sorted(names))}"]
    )


def _limits(spec: dict[str, Any]) -> list[str]:
    wanted = {
        "processes": resource.RLIMIT_NPROC,
        "memory": resource.RLIMIT_DATA,
        "disk": resource.RLIMIT_FSIZE,
    }
    over = [
        name
        for name, kind in wanted.items()
        if not 0 <= resource.getrlimit(kind)[1] <= spec["limits"][name]
    ]
    return [f"no limit of {name}" for name in over]
