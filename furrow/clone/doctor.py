"""What is missing or odd on this machine and in this clone, each with what to do."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from furrow.data.contract import load_contract
from furrow.data.raw_files import how_to_land, table_files
from furrow.errors import FurrowError
from furrow.ground.dvc_settings import default_remote
from furrow.ground.git import git, is_shallow, toplevel
from furrow.ground.isolate import HoldError, isolated
from furrow.ground.trust import is_trusted
from furrow.ground.virtual_environments import exposed_environments
from furrow.installed_from import install_command
from furrow.layout import CONTRACT, DATA, FURROW, LOCK
from furrow.plan.project_root import repository_root
from furrow.plurals import number_of
from furrow.replay.locked_environment import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Finding", "examine"]

State = Literal["ok", "odd", "missing"]
_SPACE = 2 * 10**9
_GIT = (2, 30)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: It.
        state: ok; odd: it works, but not as it should; missing: something will fail for it.
        said: What was found.
        hint: What to do; empty where nothing is.
    """

    what: str
    state: State
    said: str
    hint: str = ""


def examine(here: Path) -> list[Finding]:
    """Look at this machine, and at the clone around a folder.

    Args:
        here: A folder; outside any project the machine alone is looked at.
    """
    found = [*_machine(here)]
    try:
        root = repository_root(here)
    except FurrowError as exc:
        hint = exc.hint or "`furrow init` makes a project of your data"
        return [*found, Finding("project", "odd", exc.message, hint)]
    return [*found, *_clone(root)]


def _machine(here: Path) -> Iterator[Finding]:
    yield _python()
    yield _git_there()
    yield _packages()
    yield _extras()
    yield _disk(here)
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        hint = "unset PYTHONDONTWRITEBYTECODE, then `python -m compileall` the environment"
        yield Finding("bytecode", "odd", "no bytecode is kept: each stage starts slowly", hint)
    yield _jail()


def _jail() -> Finding:
    """Whether commits from outside can be held here; tried out."""
    with tempfile.TemporaryDirectory(prefix="furrow-doctor-") as scratch:
        try:
            return Finding("isolation", "ok", isolated(Path(scratch)).words)
        except HoldError as exc:
            hint = "only `furrow ci --untrusted` needs it, and refuses"
            return Finding("isolation", "odd", exc.message, hint)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = metadata.metadata("furrow")["Requires-Python"] or ""
    if SpecifierSet(wanted).contains(version):
        return Finding("Python", "ok", version)
    return Finding(
        "Python", "missing", f"{version}, and Furrow needs {wanted}", "use another Python"
    )


def _git_there() -> Finding:
    if shutil.which("git") is None:
        return Finding("Git", "missing", "there is no git", "install git")
    said = git(Path("/"), "version").decode()
    numbers = re.findall(r"\d+", said)[:2]
    if tuple(map(int, numbers)) < _GIT:
        return Finding("Git", "odd", said.strip(), f"use Git {'.'.join(map(str, _GIT))} or newer")
    return Finding("Git", "ok", said.strip())


def _packages() -> Finding:
    """What Furrow itself needs, in versions that it takes."""
    wrong = []
    for text in metadata.requires("furrow") or []:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        version = _version(wanted.name)
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            wrong.append(
                f"{wanted.name} {version or 'is not installed'} (wanted{wanted.specifier})"
            )
    if wrong:
        return Finding("packages", "missing", "; ".join(wrong[:5]), "install Furrow once more")
    return Finding("packages", "ok", f"furrow {metadata.version('furrow')} has all that it needs")


def _extras() -> Finding:
    """Optional parts, and those that are not installed."""
    lacking: dict[str, list[str]] = {}
    for text in metadata.requires("furrow") or []:
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", text)
        name = Requirement(text).name
        if extra and extra[1] != "dev" and _version(name) is None:
            lacking.setdefault(extra[1], []).append(name)
    if not lacking:
        return Finding("extras", "ok", "all are installed")
    said = "; ".join(f"{extra}: {', '.join(names)}" for extra, names in sorted(lacking.items()))
    return Finding(
        "extras", "ok", f"not installed: {said}", f"{install_command('EXTRA')} if wanted"
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _disk(here: Path) -> Finding:
    free = shutil.disk_usage(here).free
    said = f"{free / 1e9:.1f} GB free"
    if free < _SPACE:
        return Finding(
            "disk", "odd", said, "free some space: `dvc gc --workspace` lets go of old outputs"
        )
    return Finding("disk", "ok", said)


def _clone(root: Path) -> Iterator[Finding]:
    yield _person(root)
    yield _trust(root)
    yield _installed(root)
    yield _history(root)
    yield _clock(root)
    yield _data(root)
    yield _remote(root)
    yield _lock(root)
    yield _environments(root)
    yield _left_over(root)


def _person(root: Path) -> Finding:
    lacking = [
        key
        for key in ("user.name", "user.email")
        if not git(root, "config", "--get", key, ok=(0, 1)).strip()
    ]
    if lacking:
        hint = f'git config --global {lacking[0]} "..."'
        return Finding("who commits", "missing", f"Git knows no {' and no '.join(lacking)}", hint)
    return Finding("who commits", "ok", git(root, "config", "--get", "user.name").decode().strip())


def _trust(root: Path) -> Finding:
    if is_trusted(root):
        return Finding("trust", "ok", "the code of this clone may run")
    return Finding("trust", "odd", "its code may not run yet", "look at it, then `furrow trust`")


def _installed(root: Path) -> Finding:
    said = git(root, "config", "--local", "--get", "merge.furrow.driver", ok=(0, 1)).strip()
    if said:
        return Finding("merges", "ok", "dvc.lock, runs/ and data merge without a person")
    return Finding(
        "merges", "odd", "no merge driver and no hooks", "`furrow install`, once a clone"
    )


def _history(root: Path) -> Finding:
    if is_shallow(root):
        said = "the clone is shallow: runs of older commits are not seen"
        return Finding("history", "odd", said, "git fetch --unshallow")
    return Finding("history", "ok", "all commits are here")


def _clock(root: Path) -> Finding:
    said = git(root, "log", "-1", "--format=%ct", ok=(0, 128)).strip()
    ahead = int(said or 0) - time.time()
    if ahead > 3600:
        hint = "set this machine's clock"
        return Finding("clock", "odd", f"the last commit is {ahead / 3600:.0f} hours ahead", hint)
    return Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def _data(root: Path) -> Finding:
    if not (root / CONTRACT).is_file():
        return Finding("data", "odd", f"there is no {CONTRACT}", "declare the raw tables there")
    tables = load_contract(root / CONTRACT).tables
    lacking = [name for name, table in tables.items() if not table_files(root / DATA, table)]
    if lacking:
        hint = "dvc pull" + (f", or {land}" if (land := how_to_land(root)) else "")
        return Finding("data", "missing", f"not in {DATA}/: {', '.join(lacking)}", hint)
    return Finding("data", "ok", f"{len(tables)} raw tables have landed")


def _remote(root: Path) -> Finding:
    name = default_remote(root)
    if name:
        return Finding("DVC remote", "ok", name)
    said = "none: data and models are on this machine alone"
    return Finding("DVC remote", "odd", said, "dvc remote add -d NAME URL, then `dvc push`")


def _lock(root: Path) -> Finding:
    if not (root / LOCK).is_file():
        hint = "`pip freeze > requirements.lock` pins what the runs were made with"
        return Finding("environment", "odd", f"there is no {LOCK}", hint)
    wanted = locked((root / LOCK).read_text(encoding="utf-8", errors="replace"))
    other = [
        f"{name}: locked {version}, installed {_version(name) or 'not at all'}"
        for name, version in wanted.items()
        if _version(name) != version
    ]
    if other:
        said = "; ".join(other[:3]) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
        return Finding("environment", "odd", said, f"pip install -r {LOCK}")
    return Finding("environment", "ok", f"the {number_of(len(wanted), 'version')} of {LOCK}")


def _environments(root: Path) -> Finding:
    """Whether `git add -A` would commit a virtual environment, or has done so."""
    found = exposed_environments(root)
    if not found:
        return Finding("virtual environment", "ok", "none that Git would commit")
    name, tracked = max(found.items(), key=lambda one: one[1])
    said = f"{name}/ is {'tracked by Git' if tracked else 'not ignored by Git'}"
    hint = f"add {name}/ to .gitignore"
    hint += f", then `git rm -r -q --cached {shlex.quote(name)}`" if tracked else ""
    return Finding("virtual environment", "odd", said, hint)


def _left_over(root: Path) -> Finding:
    top = toplevel(root)
    if (root / FURROW / "init").is_dir():
        return Finding(
            "left over", "odd", "an init that was killed", "`furrow init` goes on with it"
        )
    if (top / ".git/index.lock").exists():
        hint = "if no git is at work, remove .git/index.lock"
        return Finding("left over", "odd", "Git's index is locked", hint)
    return Finding("left over", "ok", "nothing that was killed")
