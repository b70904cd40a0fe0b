"""Which processes run, and what they cost.

One that has ended and that nobody has waited for is still in the table: it does not run.
"""

import resource
from collections.abc import Callable
from pathlib import Path


def processor_seconds(run: Callable[[], object], *, times: int = 3) -> float:
    """The least processor time, in seconds, that the child processes of a call take, over a few calls.

    Tests compare it with another of the same machine and moment: alone it says nothing.
    """
    return min(_cost(run) for _ in range(times))


def _cost(run: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def runs(pid: int) -> bool:
    """Whether a process runs."""
    found = _fields(pid)
    return bool(found) and found[0] != "Z"


def group(pgid: int) -> list[int]:
    """The processes of a group that run."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if runs(pid) and _fields(pid)[2:3] == [str(pgid)]]


def _fields(pid: int) -> list[str]:
    """State, parent, group and so on, as proc(5) lists them after the command's name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
