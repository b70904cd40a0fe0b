"""Fetching a DVC-tracked folder of any revision, through DVC's own command."""

from __future__ import annotations

import os
import resource
import subprocess
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.dvc_settings import odd_settings_of
from furrow.ground.imported_outputs import imported_by
from furrow.ground.mirror_trust import require_trust_here
from furrow.ground.start_python import child_environment, python
from furrow.ground.trust import own_cache

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GetError", "get"]

_SECONDS = 3600.0
_LARGEST = (4 << 30) + (64 << 20)
"""Bytes of one file: as many as are read of a bundle's, and DVC's own lists beside them."""


class GetError(FurrowError):
    """DVC could not bring a folder."""


def get(root: Path, path: str, rev: str, out: Path) -> None:
    """Bring a tracked file or folder, as it was at a revision, from the cache or the remote.

    Args:
        root: The repository.
        path: From the repository's root.
        rev: A revision.
        out: Where to put it; it must not exist.

    Raises:
        GetError: Neither the cache nor a remote has it.
        UntrustedError: It is a clone whose code may not run yet, and its settings for DVC may run
            some.
    """
    if odd := odd_settings_of(root, rev):
        require_trust_here(
            root, f"DVC's settings here may run commands or open files of this machine ({odd[0]})"
        )
    if file := imported_by(root, path, rev):
        require_trust_here(
            root, f"{file} has DVC ask elsewhere for {path}: another repository, address or file"
        )
    command = python(
        "-m", "dvc", "get", str(root), path, "--rev", rev, "--out", str(out), "--quiet"
    )
    environment = child_environment(os.environ) | {
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(own_cache()),
    }
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=_SECONDS,
            preexec_fn=_bounded,
        )
    except subprocess.TimeoutExpired as exc:
        raise GetError(
            f"cannot get {path} of {rev}: it did not come within {exc.timeout:g} s",
            hint="look at the DVC remote, or `dvc fetch` it first: what is in the cache is not asked for",
        ) from exc
    if done.returncode:
        raise GetError(
            f"cannot get {path} of {rev}: {reason(done.stderr)}",
            hint="whoever trained it runs `dvc push`; or check out the commit and run `dvc repro`",
        )


def _bounded() -> None:
    """In the child: a file that goes on for ever is cut, and fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST, _LARGEST))


def reason(stderr: str) -> str:
    """Why a command of DVC failed, in its own words: its first error, not what it says around it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    own = [line for line in lines if "dvc.org/support" not in line]
    return next(iter((*errors, *own)), "no message")
