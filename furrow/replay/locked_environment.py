"""The locked environment.

What the commit's lock file names, beside what the stages' Python finds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from furrow.files import sha256_bytes
from furrow.replay.replay_verdict import Environment

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check", "locked"]


def locked(text: str) -> dict[str, str]:
    """Distributions and versions of a lock file (pip's format), those for other platforms left out."""
    found: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        words = re.split(r"\s--hash|\s#", f" {line.strip()}", maxsplit=1)[0].strip()
        if not words or words[0] in "#-":
            continue
        try:
            requirement = Requirement(words)
        except InvalidRequirement:
            continue
        pins = [one.version for one in requirement.specifier if one.operator in {"==", "==="}]
        if pins and (requirement.marker is None or requirement.marker.evaluate()):
            found[canonicalize_name(requirement.name)] = pins[0]
    return found


def check(installed: Mapping[str, Any], path: str, lock: bytes | None) -> Environment:
    """Compare what is installed with a lock file.

    Args:
        installed: What `furrow.ground.process.installed` says.
        path: The lock file's path at the commit.
        lock: Its content; None when the commit has none.
    """
    python = f"{installed['implementation']} {installed['python']}"
    platform = f"{installed['system']} {installed['machine']}"
    if lock is None:
        return Environment(python, platform)
    wanted = locked(lock.decode(errors="replace"))
    present = {
        str(canonicalize_name(name)): version
        for name, version in installed["distributions"].items()
    }
    differences = [
        f"{name}: locked {version}, installed {present.get(name, 'not at all')}"
        for name, version in sorted(wanted.items())
        if present.get(name) != version
    ]
    return Environment(python, platform, path, sha256_bytes(lock), len(wanted), tuple(differences))
