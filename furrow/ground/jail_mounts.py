"""The file system of the jail.

A fresh root in memory, and in it the chosen folders, most of them read-only.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from furrow.ground.syscalls import libc_call, pivot_root

__all__ = ["build", "mounts"]

_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
_FLAGS = {
    "ro": 1,
    "nosuid": 2,
    "nodev": 4,
    "noexec": 8,
    "noatime": 1024,
    "nodiratime": 2048,
    "relatime": 1 << 21,
}
_DETACH = 2
_DEVICES = ("null", "zero", "full", "random", "urandom")
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_ETC = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "timezone",
        "ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/ca-trust/extracted", "ca-certificates.conf")  # fmt: skip
_ETC_NETWORK = ("hosts", "protocols", "resolv.conf", "services")
_SEALED = ("sys", "sysrq-trigger", "irq", "bus", "fs")
_BLANK = ("kcore", "keys", "key-users", "timer_list", "latency_stats", "sched_debug")
_OLD, _NEW = "/old", "/new"


def build(spec: dict[str, Any]) -> None:
    """Leave the machine's file system for one that holds what the jail's description names.

    Args:
        spec: `binds`: for each its source, its place and whether it can be written; `network`;
            `limits`; `uid`.

    Raises:
        OSError: A mount is refused.
    """
    _mount(None, "/", None, _REC | _PRIVATE)
    # Under a mount nobody else sees, so that any folder of the machine will do.
    _mount("tmpfs", "/proc", "tmpfs", _NOSUID | _NODEV, "mode=755")
    for name in (_OLD, _NEW):
        Path(f"/proc{name}").mkdir()
    pivot_root(b"/proc", b"/proc/old")
    os.chdir("/")
    _mount("tmpfs", _NEW, "tmpfs", _NOSUID | _NODEV, "mode=755,size=16m")
    _system(spec)
    _temporary(spec)
    _devices(spec)
    covered = [
        path
        for path in spec["hidden"]
        if path.startswith("/usr/") and Path(f"{_NEW}{path}").is_dir()
    ]
    for path in covered:  # a repository in /usr/src, say, where everything else is programs
        _mount("tmpfs", f"{_NEW}{path}", "tmpfs", _NOSUID | _NODEV, "mode=755,size=16k")
    for source, target, writable in sorted(spec["binds"], key=lambda bind: len(bind[1])):
        _bind(source, target, writable=writable)
    _processes()
    os.chdir(_NEW)
    pivot_root(b".", b".")
    libc_call("umount2", b".", _DETACH)
    os.chdir("/")
    for path in ("/", "/dev", *covered):
        _mount(
            None,
            path,
            None,
            _REMOUNT | _BIND | _RDONLY | _NOSUID | (0 if path == "/dev" else _NODEV),
        )


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    words = [os.fsencode(word) if word is not None else None for word in (source, target, kind)]
    try:
        libc_call("mount", *words, flags, data.encode() if data else None)
    except OSError as exc:
        raise OSError(
            exc.errno,
            f"mount {source or ''} on {target.removeprefix(_NEW)}: {os.strerror(exc.errno or 0)}",
        ) from None


def _bind(source: str, target: str, *, writable: bool = False, device: bool = False) -> None:
    """Have a folder or a file of the machine in the new root, with all that is mounted below it."""
    old, new = Path(f"{_OLD}{source}"), Path(f"{_NEW}{target}")
    if old.is_dir():
        new.mkdir(parents=True, exist_ok=True)
    else:
        new.parent.mkdir(parents=True, exist_ok=True)
        new.touch()
    _mount(str(old), str(new), None, _BIND | _REC)
    wanted = (0 if writable else _RDONLY) | _NOSUID | (0 if device else _NODEV)
    for point, flags in mounts():
        if point == str(new) or point.startswith(f"{new}/"):
            _mount(None, point, None, _REMOUNT | _BIND | flags | wanted)


def mounts() -> list[tuple[str, int]]:
    """Where something is mounted, as this process sees it, and with which flags."""
    found = []
    for line in (
        Path(
            "/proc/self/mountinfo" if Path("/proc/self").exists() else f"{_OLD}/proc/self/mountinfo"
        )
        .read_bytes()
        .splitlines()
    ):
        fields = line.split(b" ")
        point = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), fields[4])
        flags = sum(_FLAGS.get(word, 0) for word in fields[5].decode().split(","))
        found.append((os.fsdecode(point), flags))
    return found


def _system(spec: dict[str, Any]) -> None:
    """Programs and libraries of the machine, the few settings that they read, and one user."""
    for name in _SYSTEM:
        old = Path(f"{_OLD}{name}")
        if old.is_symlink():
            Path(f"{_NEW}{name}").symlink_to(old.readlink())
        elif old.is_dir():
            _bind(name, name)
    etc = Path(f"{_NEW}/etc")
    etc.mkdir()
    java = [path.name for path in Path(f"{_OLD}/etc").glob("java*")]
    for name in (*_ETC, *java, *(_ETC_NETWORK if spec["network"] else ())):
        whole = _resolved(f"/etc/{name}")
        if whole:
            _bind(whole, f"/etc/{name}")
    uid = spec["uid"] if spec["uid"] is not None and spec["root"] else os.geteuid()
    (etc / "passwd").write_text(
        f"held:x:{uid}:{uid}:held:{spec['home']}:/bin/sh\n", encoding="utf-8"
    )
    (etc / "group").write_text(f"held:x:{uid}:\n", encoding="utf-8")
    (etc / "nsswitch.conf").write_text(
        "passwd: files\ngroup: files\nhosts: files dns\n", encoding="utf-8"
    )
    if not (etc / "hosts").exists():
        (etc / "hosts").write_text("127.0.0.1 localhost held\n", encoding="utf-8")


def _resolved(path: str) -> str:
    """Where a path of the machine leads, links and all; empty when nothing is there."""
    for _ in range(20):
        old = Path(f"{_OLD}{path}")
        if not old.is_symlink():
            return path if old.exists() else ""
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(old)))  # noqa: PTH118, PTH115, PTH120
    return ""


def _temporary(spec: dict[str, Any]) -> None:
    for name in ("/tmp", "/var/tmp"):  # noqa: S108 - the jail's own
        Path(f"{_NEW}{name}").mkdir(parents=True)
        _mount(
            "tmpfs",
            f"{_NEW}{name}",
            "tmpfs",
            _NOSUID | _NODEV,
            f"mode=1777,size={spec['limits']['memory'] // 8}",
        )


def _devices(spec: dict[str, Any]) -> None:
    dev = Path(f"{_NEW}/dev")
    dev.mkdir()
    _mount("tmpfs", str(dev), "tmpfs", _NOSUID, "mode=755,size=1m")
    for name in _DEVICES:
        _bind(f"/dev/{name}", f"/dev/{name}", writable=True, device=True)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (dev / name).symlink_to(f"/proc/self/fd{target}")
    (dev / "shm").mkdir()
    _mount(
        "tmpfs",
        str(dev / "shm"),
        "tmpfs",
        _NOSUID | _NODEV,
        f"mode=1777,size={spec['limits']['memory'] // 8}",
    )


def _processes() -> None:
    """The jail's own processes, and of the kernel's switches none that can be written."""
    proc = Path(f"{_NEW}/proc")
    proc.mkdir()
    quiet = _NOSUID | _NODEV | _NOEXEC
    _mount("proc", str(proc), "proc", quiet)
    for name in _SEALED:
        if (proc / name).exists():
            _mount(str(proc / name), str(proc / name), None, _BIND | _REC)
            _mount(None, str(proc / name), None, _REMOUNT | _BIND | _RDONLY | quiet)
    for name in _BLANK:
        if (proc / name).exists():
            _mount(f"{_NEW}/dev/null", str(proc / name), None, _BIND)
