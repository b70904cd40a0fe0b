"""Whether somebody whom this user trusts has signed a tag.

Asked of Git, with the user's settings and no others.

A clone's own settings could name any list of signers, or a program that says "good" to everything.
So the tag's bytes are checked in an empty repository of their own, where Git reads what the user
has set (gpg.ssh.allowedSignersFile, the keyring of GnuPG) and what the system has.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from furrow.ground.git import GitError, git

__all__ = ["is_signed"]

_TRUST = "gpg.minTrustLevel"


def is_signed(repo: Path, tag: bytes) -> bool:
    """Whether a tag object has a good signature of a key that the user trusts.

    GnuPG calls a signature good by whatever key it has, so the key must be fully trusted, unless
    the user's own gpg.minTrustLevel says otherwise.

    Args:
        repo: The repository that the tag is of.
        tag: The object's bytes.
    """
    if b"\n-----BEGIN " not in tag:
        return False
    form = git(repo, "rev-parse", "--show-object-format").decode().strip()
    with tempfile.TemporaryDirectory(prefix="furrow-tag-") as scratch:
        place = Path(scratch)
        try:
            git(place, "init", "-q", "--template=", f"--object-format={form}", ".")
            name = (
                git(place, "hash-object", "-t", "tag", "-w", "--stdin", stdin=tag).decode().strip()
            )
            asked = git(place, "config", "--get", _TRUST, ok=(0, 1)).decode().strip()
            git(place, "-c", f"{_TRUST}={asked or 'fully'}", "verify-tag", name)
        except GitError:
            return False
    return True
