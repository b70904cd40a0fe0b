"""Running a commit's stages as CI does.

With a chosen environment, and for a stranger's commit held in a jail.

A stranger's stages get an environment of named variables only, an empty HOME, no network, no view
of other processes, and a file system of chosen folders (`furrow.ground.jail`). Where this machine
does not allow that, nothing is run, unless whoever asks says so; `Isolation.words` tells what
really held.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import clean_environment
from furrow.ground.start_python import child_environment, closed_python
from furrow.ground.trust import SAYS
from furrow.parse import ParseError, parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "CommandError",
    "HoldError",
    "Isolation",
    "Limits",
    "hand_over",
    "isolated",
    "open_isolation",
    "run",
    "stream",
]

_KEPT = (
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "COLUMNS",
)
_HIDDEN = ("/root", "/home", "/srv", "/run", "/var/run", "/mnt", "/media", "/sys", "/boot")
_FIRST_UID = 1_700_000_000  # of the users that a jail runs as where root starts it: nobody's
_RULING = (0, 6, 7, 8, 21)  # CHOWN, SETGID, SETUID, SETPCAP, SYS_ADMIN
_TAIL = 40
_LONGEST = 20_000
_MOST = 100_000_000
_LINGER = 5.0


class CommandError(FurrowError):
    """A command of CI failed; `.lines` holds the end of what it said."""

    def __init__(self, message: str, *, lines: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.lines = tuple(lines)


class HoldError(FurrowError):
    """This machine can't hold a stranger's commands."""


@dataclass(frozen=True)
class Limits:
    """What a held command may take.

    Attributes:
        seconds: Wall clock of one command.
        processes: Processes and threads at a time.
        memory: Bytes, of all its processes together, and of one.
        disk: Bytes, of all that it may write to.
    """

    seconds: float = 6 * 3600
    processes: int = 2000
    memory: int = 16 << 30
    disk: int = 50 << 30


@dataclass(frozen=True)
class Isolation:
    """How commands are held.

    Attributes:
        environment: Theirs.
        prefix: What stands before a held command; empty when nothing holds it.
        words: What that is, for the report.
        uid: The user that a held command runs as; None for this process's own.
    """

    environment: dict[str, str]
    prefix: tuple[str, ...] = ()
    words: str = ""
    uid: int | None = None


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def open_isolation() -> Isolation:
    """For a trusted commit: this process's environment, this Python first on the PATH."""
    environment = child_environment(clean_environment())
    environment |= {"PATH": _path(), "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", SAYS: "1"}
    environment.pop("GIT_OPTIONAL_LOCKS")
    if "LC_ALL" in os.environ:
        environment["LC_ALL"] = os.environ["LC_ALL"]
    return Isolation(environment)


def isolated(
    scratch: Path,
    *,
    readable: Sequence[Path] = (),
    writable: Sequence[Path] = (),
    hidden: Sequence[Path] = (),
    limits: Limits | None = None,
    network: bool = False,
    fetching: bool = False,
) -> Isolation:
    """For what comes from outside: a jail, tried out before it is given.

    Args:
        scratch: A folder that it may write to; its HOME and its temporary files lie there.
        readable: What else it may read, beside the system's programs and this Python.
        writable: What else it may write to.
        hidden: Folders that must not be seen in it, beside those of users.
        limits: What it may take.
        network: Whether it has this machine's network.
        fetching: Whether it runs no code of a stranger's and must read what this process may read:
            where root starts it, it then stays root without any other right.

    Raises:
        HoldError: It can't be built here, or it does not hold.
    """
    cleaned = unheld(scratch)
    root = _rules()
    uid = _FIRST_UID + os.getpid() if root and not fetching else None
    binds = {str(path): False for path in _needed()}
    binds |= {str(path.resolve()): False for path in readable}
    binds |= {str(path.resolve()): True for path in (scratch, *writable)}
    spec = {
        "binds": [(os.path.realpath(path), path, may) for path, may in _outermost(binds)],
        "hidden": sorted(
            {
                str(path)
                for one in (Path.home(), *hidden, *map(Path, _HIDDEN))
                for path in (one, one.resolve())
            }
        ),
        "limits": asdict(limits or Limits()),
        "network": network,
        "root": root,
        "uid": uid,
        "home": cleaned.environment["HOME"],
    }
    prefix = tuple(closed_python("-m", "furrow.ground.jail", json.dumps(spec)))
    held = replace(cleaned, prefix=prefix, uid=uid)
    hand_over(scratch, held)
    try:
        facts = parse_json(run(["--probe"], scratch, held), "the jail's own report")
    except (CommandError, ParseError) as exc:
        said = exc.lines[-1] if isinstance(exc, CommandError) and exc.lines else str(exc)
        raise HoldError(
            "a branch from outside can't be held on this machine:"
            f" {said.removeprefix('furrow: no jail: ')}",
            hint=(
                "it needs Linux with namespaces for users (sysctl user.max_user_namespaces), or"
                " root; where nothing of worth can be reached anyway, --unheld runs it all the same"
            ),
        ) from exc
    return replace(held, words=_words(facts))


def _rules() -> bool:
    """Whether this process may mount, and become any user.

    Root of a machine, and not of a container without rights.
    """
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        rights = int(next(line for line in lines if line.startswith("CapEff:")).split()[1], 16)
        ranges = [
            line.split()
            for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
        ]
        mapped = any(
            int(start) <= _FIRST_UID + os.getpid() < int(start) + int(count)
            for start, _, count in ranges
        )
        return os.geteuid() == 0 and mapped and all(rights >> one & 1 for one in _RULING)
    return False


def unheld(scratch: Path) -> Isolation:
    """A cleaned environment and nothing else, for who wants it so."""
    home, temporary = scratch / "home", scratch / "tmp"
    for folder in (home, temporary):
        folder.mkdir(parents=True, exist_ok=True)
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), os.defpath.lstrip(":"), "/usr/local/bin"]
        ),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "SHELL": "/bin/sh",
        "PYTHONUNBUFFERED": "1",
        SAYS: "1",  # it may run code: held
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(temporary / "dvc"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    environment.setdefault("LANG", "C.UTF-8")
    return Isolation(
        environment,
        (),
        "NOT HELD (--unheld): a cleaned environment, and all that this user may reach",
    )


def _words(facts: dict[str, object]) -> str:
    """What the jail's own look at itself found."""
    found = ["held in a root of its own with chosen folders"]
    found += ["the network of the machine" if facts["network"] else "no network"]
    found += ["no credentials", "no other processes", "no rights"]
    found += ["a user of its own"] if facts["other_user"] else []
    found += ["system calls filtered"] if facts["filter"] else []
    return ", ".join([*found, "nothing to write to but its own folder"])


def _outermost(binds: dict[str, bool]) -> list[tuple[str, bool]]:
    """Folders without those that lie in another.

    Nothing is mounted in a place that a command could have written.
    """
    inside = {
        path
        for path in binds
        for other in binds
        if other != path and path.startswith(f"{other.rstrip('/')}/")
    }
    mixed = sorted(path for path in inside if not binds[path] and any(
        binds[other] and path.startswith(f"{other}/") for other in binds))  # fmt: skip
    if mixed or "/" in binds:
        raise HoldError(
            f"{(mixed or ['/'])[0]} lies in a folder that may be written to",
            hint="use another TMPDIR",
        )
    nested = {path for path in inside if binds[path]}  # writable within what is read
    return [
        (path, writable) for path, writable in binds.items() if path not in inside or path in nested
    ]


def hand_over(folder: Path, isolation: Isolation) -> None:
    """Give a folder, and what is in it, to the user that held commands run as."""
    if isolation.uid is None:
        return
    for here, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(os.path.join(here, name), isolation.uid, isolation.uid, follow_symlinks=False)  # noqa: PTH118


def _needed() -> list[Path]:
    """Folders that Python needs wherever they lie: its prefixes, and this package."""
    package = Path(__file__).resolve().parent.parent
    found = [
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(sysconfig.get_path("stdlib")).parent.parent,
        package,
    ]
    both = [path for one in found for path in (one, one.resolve())]
    return [
        path for path in dict.fromkeys(both) if path.is_dir() and not path.is_relative_to("/usr")
    ]


def stream(command: Sequence[str], root: Path, isolation: Isolation) -> Iterator[str]:
    """Run a command and yield what it prints, standard error too, as it comes.

    Raises:
        CommandError: It can't be started, or exits with an error.
    """
    whole = [*isolation.prefix, str(root), *command] if isolation.prefix else list(command)
    said: list[str] = []
    with _started(whole, root, isolation, subprocess.STDOUT) as process:
        try:
            for raw in _lines(process.stdout):
                line = raw.rstrip("\n")
                said = [*said[1 - _TAIL :], line]
                yield line
            code = process.wait()
        finally:
            _end(process)
    if code:
        raise CommandError(
            f"{_name(command)} exited {code}", lines=[line for line in said if line.strip()]
        )


def run(
    command: Sequence[str],
    root: Path,
    isolation: Isolation,
    *,
    say: Callable[[str], None] | None = None,
    ok: tuple[int, ...] = (0,),
) -> str:
    """Run a command and return its standard output; what it says on standard error goes to `say`.

    Args:
        command: The command and its arguments.
        root: Where.
        isolation: How it is held.
        say: Told each line of standard error.
        ok: Exit codes that are no failure.

    Raises:
        CommandError: It can't be started, or exits with an error.
    """
    whole = [*isolation.prefix, str(root), *command] if isolation.prefix else list(command)
    with _started(whole, root, isolation, subprocess.PIPE) as process:
        complaints: list[str] = []
        endless: list[CommandError] = []

        def listen() -> None:
            try:
                complaints.extend(_lines(process.stderr))
            except CommandError as exc:
                endless.append(exc)
                _end(process)  # which else waits for somebody to read on

        aside = Thread(target=listen, daemon=True)
        aside.start()
        try:
            out = "".join(_lines(process.stdout, whole=True))
            process.wait()
        finally:
            _end(process)
            aside.join(_LINGER)
    if endless:
        raise endless[0]
    err = "".join(complaints)
    for line in err.splitlines():
        if say is not None:
            say(line)
    if process.returncode not in ok:
        said = [line for line in (*out.splitlines(), *err.splitlines()) if line.strip()]
        raise CommandError(f"{_name(command)} exited {process.returncode}", lines=said[-_TAIL:])
    return out


def _lines(pipe: IO[str] | None, *, whole: bool = False) -> Iterator[str]:
    """What a command prints, line by line.

    One that is very long in pieces, unless the whole counts.

    Raises:
        CommandError: It is more than anybody reads.
    """
    left = _MOST
    while pipe is not None and (piece := pipe.readline(left if whole else _LONGEST)):
        left -= len(piece)
        if left <= 0:
            raise CommandError(f"it printed more than {_MOST:,} characters", hint="print less")
        yield piece


def _name(command: Sequence[str]) -> str:
    words = [word for word in command if word not in {sys.executable, "-P", "-m"}]
    return " ".join(" ".join(words[:4]).split())[:80]


def _started(
    command: Sequence[str], root: Path, isolation: Isolation, errors: int
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            cwd=root,
            env=isolation.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as exc:
        raise CommandError(
            f"cannot start {command[0]}: {exc.strerror}", hint="is it installed?"
        ) from exc


def _end(process: subprocess.Popen[str]) -> None:
    """End what is left of a command's group."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
