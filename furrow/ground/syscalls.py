"""System calls that Python has no name for, and a filter of those that a held command never needs."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

__all__ = ["forbid", "libc_call", "pivot_root"]

_LIBC = ctypes.CDLL(None, use_errno=True)
# Of each machine: its word in the filter, clone, clone3, socket, and what is refused: mount,
# umount2, pivot_root, unshare, setns, keyctl, add_key, request_key, bpf, perf_event_open,
# userfaultfd, kexec_load, init_module, finit_module, delete_module, open_by_handle_at, open_tree,
# move_mount, fsopen, fsmount, mount_setattr, io_uring_setup, ptrace, process_vm_readv,
# process_vm_writev, swapon, reboot, settimeofday.
_MACHINES = {
    "x86_64": (0xC000003E, 56, 435, 41, (
        165, 166, 155, 272, 308, 250, 248, 249, 321, 298, 323, 246, 175, 313, 176, 304,
        428, 429, 430, 432, 442, 425, 101, 310, 311, 167, 169, 164)),
    "aarch64": (0xC00000B7, 220, 435, 198, (
        40, 39, 41, 97, 268, 219, 217, 218, 280, 241, 282, 104, 105, 273, 106, 265,
        428, 429, 430, 432, 442, 425, 117, 270, 271, 224, 142, 170)),
}  # fmt: skip
_NEWUSER = 0x10000000
# Sockets that a namespace of networks holds: UNIX, IPv4, IPv6, NETLINK. VSOCK reaches the host of a
# virtual machine.
_FAMILIES = (1, 2, 10, 16)
_LOAD, _EQUAL, _SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _REFUSE, _ABSENT, _NO_FAMILY, _KILL = (
    0x7FFF0000,
    0x00050001,
    0x00050026,
    0x00050061,
    0x80000000,
)
_SET_SECCOMP, _FILTER = 22, 2


def libc_call(name: str, *arguments: object) -> int:
    """Call a function of the C library.

    Raises:
        OSError: It failed.
    """
    found: int = getattr(_LIBC, name)(*arguments)
    if found == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return found


def pivot_root(new: bytes, old: bytes) -> None:
    """Make a folder the root, and put the old root into another.

    Raises:
        OSError: It failed.
    """
    libc_call("pivot_root", new, old)


def forbid() -> None:
    """Refuse this process and its children what makes mounts, namespaces and keys, looks into others or loads code.

    Of sockets there are those that a namespace of networks holds.

    A machine of another kind has no filter: there the namespaces alone hold.

    Raises:
        OSError: The kernel takes no filter.
    """
    if platform.machine() not in _MACHINES:
        return
    word, clone, clone3, socket, refused = _MACHINES[platform.machine()]
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, word), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    lines += [(_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _ABSENT)]  # the C library then calls clone
    for number in refused:
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    if platform.machine() == "x86_64":
        lines += [
            (0x35, 0, 1, 0x40000000),
            (_RETURN, 0, 0, _KILL),
        ]  # the other numbers of the same calls
    count = len(_FAMILIES)
    lines += [(_EQUAL, 0, count + 2, socket), (_LOAD, 0, 0, 16)]
    lines += [(_EQUAL, count - place, 0, family) for place, family in enumerate(_FAMILIES)]
    lines += [(_RETURN, 0, 0, _NO_FAMILY), (_LOAD, 0, 0, 0)]
    lines += [
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, 16),
        (_SET, 0, 1, _NEWUSER),
        (_RETURN, 0, 0, _REFUSE),
    ]
    lines += [(_RETURN, 0, 0, _ALLOW)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    header = ctypes.create_string_buffer(
        struct.pack("HxxxxxxQ", len(lines), ctypes.addressof(program))
    )
    libc_call("prctl", _SET_SECCOMP, _FILTER, header, 0, 0)
