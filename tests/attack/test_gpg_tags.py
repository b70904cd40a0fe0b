"""A tag signed with GnuPG: whether its key is one that the user trusts, expired, revoked, or just somebody's."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from furrow.ground.signatures import is_signed

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.attack,
    pytest.mark.skipif(
        shutil.which("gpg") is None, reason="needs gpg: `make test-tools` brings it"
    ),
]
TEXT = "tag gbm@v1.0.0"
PEOPLE = ("me", "colleague", "stranger", "former")
LONG_AGO = "20200101T000000"


def gpg(home: Path, *arguments: str, text: str = "", **environment: str) -> str:
    """Run GnuPG with a keyring."""
    known = ("gpg", "--homedir", str(home), "--batch", "--yes", "--quiet", "--no-tty",
             "--pinentry-mode", "loopback", "--passphrase", "")  # fmt: skip
    done = subprocess.run(
        [*known, *arguments], input=text, capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """Everybody's secret keys; the user has certified the colleague's. Its path is short, for a socket's."""
    place = Path(tempfile.mkdtemp(prefix="g", dir="/tmp"))
    place.chmod(0o700)
    for who in PEOPLE:
        old = ("--faked-system-time", LONG_AGO) if who == "former" else ()
        gpg(place, *old, "--quick-gen-key", f"{who} <{who}@example.com>", "ed25519", "sign,cert",
            "1y" if old else "never")  # fmt: skip
    gpg(
        place,
        "--default-key",
        "me@example.com",
        "--quick-sign-key",
        fingerprint(place, "colleague"),
    )
    yield place
    subprocess.run(["gpgconf", "--homedir", str(place), "--kill", "all"], check=False)
    shutil.rmtree(place, ignore_errors=True)


def fingerprint(home: Path, who: str) -> str:
    """Of somebody's key."""
    listed = gpg(home, "--with-colons", "--list-keys", f"{who}@example.com")
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))


@pytest.fixture
def keyring(room: Path) -> Path:
    """The user's own keyring, in the home of the test: their key, which they trust, and nothing else."""
    home = Path(os.environ["HOME"]) / ".gnupg"
    home.mkdir(mode=0o700)
    knows(room, home, "me")
    gpg(home, "--import-ownertrust", text=f"{fingerprint(room, 'me')}:6:\n")
    return home


def knows(room: Path, home: Path, *people: str) -> None:
    """Put public keys into a keyring."""
    for who in people:
        gpg(home, "--import", text=gpg(room, "--armor", "--export", f"{who}@example.com"))


def tag(repo: Path, git, room: Path, who: str, *, at: str = "") -> bytes:
    """The bytes of a tag that somebody signed."""
    program = room / f"as {who}"
    aged = f"--faked-system-time {at}" if at else ""
    program.write_text(f'#!/bin/sh\nexec gpg --homedir {room} {aged} --batch "$@"\n')
    program.chmod(0o755)
    settings = ("-c", "gpg.format=openpgp", "-c", f"gpg.program={program}")
    git(repo, *settings, "tag", "-f", "-s", "-u", f"{who}@example.com", "-m", TEXT, "gbm@v1.0.0")
    shown = ["git", "-C", str(repo), "cat-file", "tag", "gbm@v1.0.0"]
    return subprocess.run(shown, capture_output=True, check=True).stdout


def test_ones_own_key_and_one_that_was_certified(
    repo: Path, git, room: Path, keyring: Path
) -> None:
    """Trusted by the user, or by a key of the user's."""
    knows(room, keyring, "colleague")
    for who in ("me", "colleague"):
        assert is_signed(repo, tag(repo, git, room, who)), who


def test_a_key_that_nobody_vouches_for(repo: Path, git, room: Path, keyring: Path) -> None:
    """GnuPG calls such a signature good: whoever sent a key could sign. Without the key it calls it nothing."""
    made = tag(repo, git, room, "stranger")
    assert not is_signed(repo, made)
    knows(room, keyring, "stranger")
    assert not is_signed(repo, made)
    for trust in ("3", "4"):  # trusted to certify others; that says nothing of the key itself
        gpg(keyring, "--import-ownertrust", text=f"{fingerprint(room, 'stranger')}:{trust}:\n")
        assert not is_signed(repo, made)


def test_the_user_can_ask_for_less(repo: Path, git, room: Path, keyring: Path) -> None:
    """gpg.minTrustLevel of the user's own settings counts; the clone's does not."""
    knows(room, keyring, "stranger")
    made = tag(repo, git, room, "stranger")
    git(repo, "config", "gpg.minTrustLevel", "undefined")
    assert not is_signed(repo, made)
    user = str(Path(os.environ["HOME"]) / ".gitconfig")
    git(repo, "config", "--file", user, "gpg.minTrustLevel", "undefined")
    assert is_signed(repo, made)


def test_a_key_that_has_expired(repo: Path, git, room: Path, keyring: Path) -> None:
    """Signed while it held, trusted even; whoever finds it today may date a tag as they like."""
    knows(room, keyring, "former")
    gpg(keyring, "--import-ownertrust", text=f"{fingerprint(room, 'former')}:6:\n")
    assert not is_signed(repo, tag(repo, git, room, "former", at="20200601T000000"))


def test_a_key_that_was_revoked(repo: Path, git, room: Path, keyring: Path) -> None:
    """Certified, and taken back by its owner."""
    knows(room, keyring, "colleague")
    made = tag(repo, git, room, "colleague")
    assert is_signed(repo, made)
    written = room / "openpgp-revocs.d" / f"{fingerprint(room, 'colleague')}.rev"
    text = written.read_text().replace(":-----BEGIN", "-----BEGIN")
    gpg(keyring, "--import", text=text[text.index("-----BEGIN") :])
    assert not is_signed(repo, made)


def test_a_text_that_was_changed(repo: Path, git, room: Path, keyring: Path) -> None:
    """A good signature is of its own text: not of another, nor of what stands behind it, nor twice."""
    made = tag(repo, git, room, "me")
    signature = made[made.index(b"-----BEGIN PGP SIGNATURE") :]
    for forged in (
        made.replace(b"tag gbm", b"tag gbn"),
        made.replace(b"object ", b"object 0")[: len(made)],
        made.replace(signature, b"more\n" + signature),
        made.replace(signature, b""),
    ):
        assert forged != made
        assert not is_signed(repo, forged)
