"""What holds a stranger's commands.

A root of chosen folders, no network, no other processes, no way to more rights.

`python -I -m furrow.ground.jail SPEC FOLDER COMMAND...` builds it, looks from inside whether it
holds, and only then starts the command. Whoever is no root gets it through a user namespace; for
root the command runs as a user that owns nothing else. This process stays outside, watches time,
memory and disk, and ends everything at once.

Exit codes beside the command's own: 124 a limit was passed; 125 the jail can't be built, or does
not hold.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from furrow.ground.jail_check import check
from furrow.ground.jail_mounts import build
from furrow.ground.jail_watch import watch
from furrow.ground.syscalls import forbid, libc_call

__all__ = ["UNBUILT", "main"]

UNBUILT = 125
_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
_NEWUSER, _NEWPID, _NEWNET = 0x10000000, 0x20000000, 0x40000000
_PDEATHSIG, _DUMPABLE, _CAPBSET_DROP, _NO_NEW_PRIVS, _AMBIENT, _AMBIENT_CLEAR = 1, 4, 24, 38, 47, 4
_DAC_READ_SEARCH = 2


def main(arguments: list[str]) -> int:
    """Run a command in the jail that a JSON text describes.

    Args:
        arguments: The text, the folder to start in, and the command.

    Returns:
        The command's exit code; 128 and the signal when one ended it.
    """
    spec, folder, command = json.loads(arguments[0]), arguments[1], arguments[2:]
    os.umask(0o022)
    libc_call("prctl", _PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        _own_users(spec)
        libc_call("unshare", _NEWPID)
    except OSError as exc:
        return _refuse(exc)
    pid = os.fork()
    if not pid:
        os._exit(_inside(spec, folder, command))
    return watch(pid, spec)


def _refuse(exc: OSError) -> int:
    sys.stderr.write(f"furrow: no jail: {exc}\n")
    sys.stderr.flush()
    return UNBUILT


def _own_users(spec: dict[str, Any]) -> None:
    """Become somebody who may make namespaces: root may.

    Others within a user namespace of their own.
    """
    if spec["root"]:
        return
    uid, gid = os.geteuid(), os.getegid()
    libc_call("unshare", _NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")


def _inside(spec: dict[str, Any], folder: str, command: list[str]) -> int:
    """Process 1 of the jail.

    Builds it, lets go of every right, looks whether it holds, starts the command.
    """
    try:
        libc_call("prctl", _PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc_call(
            "unshare", _NEWNS | _NEWIPC | _NEWUTS | _NEWCGROUP | (0 if spec["network"] else _NEWNET)
        )
        socket.sethostname("held")
        if not spec["network"]:
            _loopback()
        build(spec)
        os.chdir(folder)
        _let_go(spec)
        libc_call("prctl", _PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # another user has it no more
        forbid()
        facts = check(spec)
    except OSError as exc:
        return _refuse(exc)
    if command == ["--probe"]:
        sys.stdout.write(json.dumps(facts))
        sys.stdout.flush()
        return 0
    libc_call("prctl", _DUMPABLE, 0, 0, 0, 0)
    child = os.fork()
    if not child:
        _start(command)
    return _reap(child)


def _start(command: list[str]) -> None:
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as exc:
        sys.stderr.write(f"cannot start {command[0]}: {exc.strerror}\n")
        sys.stderr.flush()
        os._exit(127)


def _reap(child: int) -> int:
    """Wait for the command, and for whatever it left behind until then.

    The kernel ends the rest with this process.
    """
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _loopback() -> None:
    """Set the loopback up.

    Programs talk to their own workers over it, and nothing else is there.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(
            handle, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40)
        )  # SIOCSIFFLAGS: up, running


def _let_go(spec: dict[str, Any]) -> None:
    """Limits, then another user where that is possible, then no capability and no way to get one."""
    limits = spec["limits"]
    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, limits["disk"])]
    wanted += [
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_DATA, limits["memory"]),
    ]
    for kind, asked in wanted:
        hard = resource.getrlimit(kind)[1]
        most = asked if hard == resource.RLIM_INFINITY else min(asked, hard)
        resource.setrlimit(kind, (most, most))
    reads_all = bool(spec["root"]) and spec["uid"] is None
    kept = 1 << _DAC_READ_SEARCH if reads_all else 0  # to fetch from a folder that root may read
    for capability in range(64):
        if not kept >> capability & 1:
            with suppress(OSError):  # beyond the last that this kernel knows
                libc_call("prctl", _CAPBSET_DROP, capability, 0, 0, 0)
    with suppress(OSError):
        libc_call("prctl", _AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    if spec["root"]:
        os.setgroups([])
        if spec["uid"] is not None:
            os.setresgid(spec["uid"], spec["uid"], spec["uid"])
            os.setresuid(spec["uid"], spec["uid"], spec["uid"])
    libc_call("prctl", _NO_NEW_PRIVS, 1, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    rights = ctypes.create_string_buffer(struct.pack("6I", kept, kept, 0, 0, 0, 0))
    libc_call("capset", header, rights)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
