"""Running a commit's stages as CI does: with a chosen environment, and for a stranger's commit held in namespaces.

A stranger's stages get an environment of named variables only, an empty HOME, no network, no view of other processes,
and a file system that is read-only but for their own folder, with the user's HOME and other hidden folders empty. Where
the kernel does not allow it, the environment alone is cleared, and `Isolation.words` says so.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["CommandError", "Isolation", "isolated", "open_isolation", "python", "run", "stream"]

_KEPT = ("LANG", "LANGUAGE", "TZ", "TERM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "COLUMNS")
_HIDDEN = ("/run", "/var/run", "/tmp", "/var/tmp", "/root", "/home", "/srv")  # noqa: S108 - covered, not written to
_TAIL = 40


class CommandError(FurrowError):
    """A command of CI failed; `.lines` holds the end of what it said."""

    def __init__(self, message: str, *, lines: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.lines = tuple(lines)


@dataclass(frozen=True)
class Isolation:
    """How commands are held.

    Attributes:
        environment: Theirs.
        prefix: What stands before a held command; empty when nothing holds it.
        words: What that is, for the report.
    """

    environment: dict[str, str]
    prefix: tuple[str, ...] = ()
    words: str = ""


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def open_isolation() -> Isolation:
    """For a trusted commit: this process's environment, this Python first on the PATH."""
    environment = {**clean_environment(), "PATH": _path(), "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
    environment.pop("GIT_OPTIONAL_LOCKS")
    if "LC_ALL" in os.environ:
        environment["LC_ALL"] = os.environ["LC_ALL"]
    return Isolation(environment)


def isolated(scratch: Path, *, hidden: Sequence[Path] = (), seen: Sequence[Path] = ()) -> Isolation:
    """For a commit from outside.

    Args:
        scratch: The only folder that it may write to; the checkout lies in it.
        hidden: Folders that must look empty, beside HOME.
        seen: Folders that it may read though they lie in a hidden one.
    """
    home, temporary = scratch / "home", scratch / "tmp"
    for folder in (home, temporary):
        folder.mkdir(parents=True, exist_ok=True)
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath.lstrip(":"), "/usr/local/bin"]),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "SHELL": "/bin/sh",
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(temporary / "dvc"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    environment.setdefault("LANG", "C.UTF-8")
    held = _namespaces(scratch, [Path.home(), *hidden], seen)
    if held:
        return Isolation(environment, held, "no credentials, no network, nothing to write to but its own folder")
    return Isolation(environment, (), "no credentials in its environment (this machine allows no namespaces)")


def _namespaces(scratch: Path, hidden: Sequence[Path], seen: Sequence[Path]) -> tuple[str, ...]:
    """The command that holds another in namespaces of its own; empty where the kernel refuses them."""
    if not _possible():
        return ()
    scratch = scratch.resolve()
    wanted = [path.resolve() for path in (*_needed(), *seen) if path.is_dir()]
    shown = list(dict.fromkeys([scratch, *wanted]))
    named = [path.resolve() for path in (*hidden, *map(Path, _HIDDEN)) if path.is_dir()]
    covered = sorted(dict.fromkeys(path for path in named if path not in shown and path != Path("/")))
    lines = ["set -e", "mount -n --make-rprivate /", "mount -n -t tmpfs tmpfs /mnt"]
    for place, path in enumerate(shown):
        lines += [f"mkdir /mnt/{place}", f"mount -n --rbind {_quoted(path)} /mnt/{place}"]
    lines += [f"if [ -d {_quoted(path)} ]; then mount -n -t tmpfs tmpfs {_quoted(path)}; fi" for path in covered]
    for place, path in enumerate(shown):
        lines += [f"mkdir -p {_quoted(path)}", f"mount -n --rbind /mnt/{place} {_quoted(path)}"]
    lines += [
        "umount -n -l /mnt",
        (
            f"while read -r _ at _; do case $at in {_quoted(scratch)}|{_quoted(scratch)}/*) ;;"
            " /tmp|/var/tmp|/proc|/proc/*|/dev|/dev/*) ;;"
            " *) mount -n -o remount,bind,ro $at 2>/dev/null || : ;; esac; done </proc/self/mounts"
        ),
        'cd "$1"',
        "shift",
        'exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"',
    ]
    return (
        "unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork",
        "--kill-child", "--mount-proc", "sh", "-c", "\n".join(lines), "sh",
    )  # fmt: skip


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


@lru_cache(maxsize=1)
def _possible() -> bool:
    if not shutil.which("unshare") or not shutil.which("setpriv"):
        return False
    try:
        asked = ["unshare", "-r", "-m", "-p", "-n", "--fork", "--mount-proc", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _needed() -> list[Path]:
    """Folders that Python needs wherever they lie: its prefixes, and this package."""
    package = Path(__file__).resolve().parent.parent
    found = [Path(sys.prefix), Path(sys.base_prefix), Path(sysconfig.get_path("stdlib")).parent.parent, package]
    return [path for path in dict.fromkeys(found) if not path.is_relative_to("/usr")]


def python(*arguments: str) -> list[str]:
    """A command of this Python, which takes no module from the folder that it runs in."""
    return [sys.executable, "-P", *arguments]


def stream(command: Sequence[str], root: Path, isolation: Isolation) -> Iterator[str]:
    """Run a command and yield what it prints, standard error too, as it comes.

    Raises:
        CommandError: It can't be started, or exits with an error.
    """
    whole = [*isolation.prefix, str(root), *command] if isolation.prefix else list(command)
    said: list[str] = []
    with _started(whole, root, isolation, subprocess.STDOUT) as process:
        try:
            for raw in process.stdout or ():
                line = raw.rstrip("\n")
                said = [*said[1 - _TAIL :], line]
                yield line
            code = process.wait()
        finally:
            _end(process)
    if code:
        raise CommandError(f"{_name(command)} exited {code}", lines=[line for line in said if line.strip()])


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
        try:
            out, err = process.communicate()
        finally:
            _end(process)
    for line in err.splitlines():
        if say is not None:
            say(line)
    if process.returncode not in ok:
        said = [line for line in (*out.splitlines(), *err.splitlines()) if line.strip()]
        raise CommandError(f"{_name(command)} exited {process.returncode}", lines=said[-_TAIL:])
    return out


def _name(command: Sequence[str]) -> str:
    words = [word for word in command if word not in {sys.executable, "-P", "-m"}]
    return " ".join(words[:4])


def _started(command: Sequence[str], root: Path, isolation: Isolation, errors: int) -> subprocess.Popen[str]:
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
        raise CommandError(f"cannot start {command[0]}: {exc.strerror}", hint="is it installed?") from exc


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
