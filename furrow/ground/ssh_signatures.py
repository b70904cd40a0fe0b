"""SSH signatures as Git makes them, through `ssh-keygen -Y`.

With a list of signers that is given, and no other.

Nothing that a clone is set up to runs: no program of its settings, no list of signers of theirs.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import GitError, clean_environment, git

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Signer",
    "SigningError",
    "commit_signer",
    "passed_over_signers",
    "signers_of",
    "ssh_sign",
    "user_signers",
]

_ARMOR = "-----BEGIN SSH SIGNATURE-----"
_LARGEST = 16 << 10
_LISTED = "gpg.ssh.allowedSignersFile"
_MOST = 8
"""Names of one key that are tried: a list of signers may give it many."""
_GOOD = re.compile(r'^Good "[^"]*" signature .* with \S+ key (SHA256:\S+)', re.MULTILINE)


class SigningError(FurrowError):
    """A signature can't be made, or can't be looked at on this machine."""


@dataclass(frozen=True)
class Signer:
    """Who made a good signature.

    Attributes:
        names: What the list of signers calls the key, sorted.
        key: Its fingerprint.
    """

    names: tuple[str, ...]
    key: str


def ssh_sign(repo: Path, data: bytes, namespace: str) -> str:
    """Sign bytes with the key that Git signs with: user.signingKey, with gpg.format = ssh.

    Args:
        repo: The repository, whose settings and the user's say which key.
        data: The bytes.
        namespace: What the signature is for: one for a commit is none for a statement.

    Raises:
        SigningError: Git knows no SSH key, or it can't be used.
    """
    said = _setting(repo, "gpg.format")
    key = _setting(repo, "user.signingKey")
    hint = "git config gpg.format ssh; git config user.signingKey ~/.ssh/id_ed25519.pub"
    if said != "ssh" or not key:
        raise SigningError("Git knows no SSH key to sign with", hint=hint)
    with tempfile.TemporaryDirectory(prefix="furrow-sign-") as scratch:
        literal = key.removeprefix("key::") if key.startswith(("key::", "ssh-", "ecdsa-")) else ""
        path = Path(scratch) / "key.pub" if literal else Path(key).expanduser()
        if literal:
            path.write_text(f"{literal}\n", encoding="utf-8")
        done = _keygen("-Y", "sign", "-n", namespace, "-f", str(path), stdin=data)
    text = done.stdout.decode(errors="replace")
    if done.returncode or not text.startswith(_ARMOR):
        why = done.stderr.decode(errors="replace").strip()
        raise SigningError(f"ssh-keygen did not sign with {path.name}: {why}", hint=hint)
    return text


def signers_of(
    data: bytes,
    signature: str,
    *,
    namespace: str,
    signers: bytes,
    revoked: bytes = b"",
    at: datetime,
) -> Signer | str:
    """Whose good signature of bytes this is.

    Args:
        data: The bytes.
        signature: In SSH's armor.
        namespace: What it must be for.
        signers: A list as Git's gpg.ssh.allowedSignersFile, whose valid-after and valid-before are
            held at the moment `at`.
        revoked: Public keys, or a key revocation list; they are good at no time.
        at: When it was made, as it says itself.

    Returns:
        The signer; or in words why it is nobody's.
    """
    if not signature.startswith(_ARMOR) or len(signature) > _LARGEST:
        return "it has no SSH signature"
    with _lists(signers, revoked) as (place, options):
        sig = place / "signature"
        sig.write_text(signature, encoding="utf-8")
        when = f"-Overify-time={at.astimezone(UTC):%Y%m%d%H%M%S}"
        known = ("-s", str(sig), "-f", str(place / "signers"), when)
        found = _keygen("-Y", "find-principals", *known)
        lines = found.stdout.decode(errors="replace").splitlines()
        names = sorted({name for line in lines for name in line.split(",") if name})
        if not names:
            return (
                "its key is not in the list of signers, or was not valid at the time that it gives"
            )
        check = ("-Y", "verify", "-n", namespace, *known)
        good = [name for name in names[:_MOST] if _key(*check, *options, "-I", name, data=data)]
        key = _key(*check, "-I", names[0], data=data)
    if good:
        return Signer(tuple(good), key)
    # ssh-keygen does not say which: without the list of revoked keys it would hold
    why = "its key is revoked" if key else "it is of other bytes, or for another purpose"
    return f"the signature of {', '.join(names)} does not hold: {why}"


def _key(*arguments: str, data: bytes) -> str:
    """The fingerprint of the key of a signature that holds; empty where it does not."""
    done = _keygen(*arguments, stdin=data)
    match = _GOOD.search(done.stdout.decode(errors="replace"))
    return match[1] if done.returncode == 0 and match else ""


def commit_signer(repo: Path, commit: str, *, signers: bytes, revoked: bytes = b"") -> Signer | str:
    """Whose good SSH signature a commit has; or in words why it has none.

    Args:
        repo: The repository.
        commit: The full id.
        signers: The list of signers.
        revoked: Keys that are good at no time.
    """
    raw = git(repo, "cat-file", "commit", commit)
    head, gap, rest = raw.partition(b"\n\n")
    signature, kept, inside = [], [], False
    for line in head.split(b"\n"):
        if line.startswith((b"gpgsig ", b"gpgsig-sha256 ")):
            inside = True
            signature.append(line.partition(b" ")[2])
        elif inside and line.startswith(b" "):
            signature.append(line[1:])
        else:
            inside = False
            kept.append(line)
    if not signature:
        return "it is not signed"
    stamp = re.search(rb"^committer .*> (\d{1,11}) ", head, re.MULTILINE)
    at = datetime.fromtimestamp(int(stamp[1]) if stamp else 0, tz=UTC)
    text = b"\n".join(signature).decode(errors="replace") + "\n"
    signed = b"\n".join(kept) + gap + rest
    return signers_of(signed, text, namespace="git", signers=signers, revoked=revoked, at=at)


def user_signers() -> bytes:
    """The list of signers that the user has set for Git, whatever a clone's own settings say.

    Empty for none.
    """
    with tempfile.TemporaryDirectory(prefix="furrow-signers-") as scratch:
        try:
            git(Path(scratch), "init", "-q", "--template=", ".")
            said = _setting(Path(scratch), _LISTED)
        except GitError:
            return b""
    path = Path(said).expanduser()
    return path.read_bytes() if said and path.is_file() else b""


def passed_over_signers(repo: Path) -> str:
    """The list of signers that a clone's own settings name: whoever made the clone may have named it.

    Empty for none.
    """
    return _setting(repo, _LISTED, "--local")


@contextmanager
def _lists(signers: bytes, revoked: bytes) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The lists as files for as long as the block runs, and the option that names the revoked keys."""
    with tempfile.TemporaryDirectory(prefix="furrow-verify-") as scratch:
        place = Path(scratch)
        (place / "signers").write_bytes(signers)
        (place / "revoked").write_bytes(revoked)
        yield place, (("-r", str(place / "revoked")) if revoked.strip() else ())


def _setting(repo: Path, name: str, *options: str) -> str:
    return os.fsdecode(git(repo, "config", *options, "--get", name, ok=(0, 1))).strip()


def _keygen(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run ssh-keygen; times are UTC, whatever the machine's are."""
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            env={**clean_environment(), "TZ": "UTC"},
        )
    except FileNotFoundError as exc:
        hint = "install OpenSSH's client, 8.9 or newer"
        raise SigningError("the command ssh-keygen was not found", hint=hint) from exc
