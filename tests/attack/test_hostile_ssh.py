"""A Git server over SSH that answers what it likes to whoever follows a branch of it: bounded in time, bytes, memory and disk."""

import ast
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from furrow.ground import git_mirror
from furrow.ground.bounded_process import ENDED, ProcessBounds, run_bounded
from furrow.ground.git import GitError, git
from furrow.ground.git_mirror import Fetched, fetch_branch, open_mirror, push_branch
from furrow.ground.git_remote import ask_remote
from furrow.serving import follow as following
from furrow.serving.deployment_state import read_followed
from furrow.serving.follow_settings import FollowSettings

pytestmark = pytest.mark.attack
# What stands for the other machine: ssh is started as `NAME HOST git-upload-pack PATH`.
SERVER = """#!{python}
import os, sys, time, zlib
from pathlib import Path

out, OID = sys.stdout.buffer, b"1" * 40
with Path({asked!r}).open("a") as file:
    file.write(repr(sys.argv[1:]) + "\\n")
if "-G" in sys.argv:
    sys.exit(0)

def line(text):
    out.write(b"%04x" % (len(text) + 4) + text)

def refs(*names):
    line(OID + b" refs/heads/main\\0agent=x\\n")
    for name in names:
        line(OID + b" " + name + b"\\n")
    out.write(b"0000")
    out.flush()

def odd():
    refs(b"refs/tags/a\\rb", b"refs/tags/x\\ty", b"refs/tags/\\x1b[31m", b"refs/tags/../../x", b"refs/tags/-x",
         b"refs/tags/\\xff", b"refs/tags/a@{{1}}", b"refs/heads/-x", b"HEAD")
    os.read(0, 1 << 16)

def endless_refs():
    line(OID + b" refs/heads/main\\0agent=x\\n")
    for number in range(1 << 60):
        line(OID + b" refs/tags/%d\\n" % number)

def endless_pack():
    refs()
    if b"want" not in os.read(0, 1 << 16):
        return
    line(b"NAK\\n")
    out.write(b"PACK" + (2).to_bytes(4, "big") + (1 << {objects}).to_bytes(4, "big"))
    for _ in range(1 << {objects}):
        data = os.urandom(4000)
        size = len(data)
        head = [0x30 | size & 15 | 0x80, size >> 4 & 127 | 0x80, size >> 11]
        out.write(bytes(head) + zlib.compress(data))

def silent_pack():
    refs()
    if b"want" not in os.read(0, 1 << 16):
        return
    time.sleep(600)

def silent():
    time.sleep(600)

try:
    {mode}()
except BrokenPipeError:
    os._exit(1)
"""


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Has an address over SSH answered in one of those ways; where it is written down what was asked."""
    program, asked = tmp_path / "ssh", tmp_path / "asked"

    def answering(mode: str) -> Path:
        mode, _, objects = mode.partition(" ")
        text = SERVER.format(
            python=sys.executable, asked=str(asked), mode=mode, objects=objects or 20
        )
        program.write_text(text)
        program.chmod(0o755)
        return asked

    monkeypatch.setenv("GIT_SSH", str(program))
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    return answering


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return open_mirror(tmp_path / "mirror.git")


def tightened(monkeypatch: pytest.MonkeyPatch, **bounds: float) -> None:
    for name in ("_ANSWERING", "_BRINGING"):
        monkeypatch.setattr(git_mirror, name, replace(getattr(git_mirror, name), **bounds))


@pytest.mark.parametrize(
    ("mode", "bounds", "words"),
    [
        ("odd", {}, "fetch failed"),  # nothing behind the names, and so nothing to take
        ("endless_refs", {"seconds": 2}, "within 2 s"),
        ("endless_refs", {"memory": 64 << 20}, "memory"),
        ("silent", {"seconds": 1}, "within 1 s"),
        ("silent_pack", {"seconds": 2}, "within 2 s"),
        ("endless_pack", {"file": 2 << 20}, "invalid index-pack output"),
        ("endless_pack", {"seconds": 2}, "within 2 s"),
        ("endless_pack 30", {"memory": 1 << 30}, "memory"),  # a table of all that it says will come
    ],
)  # fmt: skip
def test_whatever_it_answers(ssh, mirror, monkeypatch, mode, bounds, words) -> None:
    """It was waited for without an end, took all memory and disk, or was called a bug; nothing of it is kept."""
    ssh(mode)
    tightened(monkeypatch, **bounds)
    began = time.monotonic()
    with pytest.raises(GitError, match=words):
        fetch_branch(mirror, "ssh://example.invalid/x", "main")
    assert time.monotonic() - began < 30
    assert git(mirror, "for-each-ref") == b""
    assert [path for path in (mirror / ".git/objects").rglob("*") if path.is_file()] == []


def test_what_else_is_asked_of_it(ssh, mirror) -> None:
    """A process that prints without an end, or whose children do, is ended with them."""
    ssh("silent")
    short = ProcessBounds(seconds=1, answer=1000, memory=1 << 30, file=1000)
    with pytest.raises(GitError, match="within 1 s"):
        ask_remote(mirror, "ls-remote", "ssh://example.invalid/x", bounds=short)
    ended = run_bounded(["sh", "-c", "yes | cat"], os.environ, replace(short, seconds=30))
    assert ended.returncode == ENDED
    assert b"1,000 bytes" in ended.stderr


def test_a_push_to_it_ends(ssh, mirror, monkeypatch) -> None:
    """So does what a canary's end proposes there."""
    ssh("silent")
    tightened(monkeypatch, seconds=1)
    tree = git(mirror, "hash-object", "-t", "tree", "-w", "/dev/null").decode().strip()
    names = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    commit = git(mirror, *names, "commit-tree", "-m", "x", tree).decode().strip()
    git(mirror, "update-ref", "refs/heads/main", commit)
    with pytest.raises(GitError, match="within 1 s"):
        push_branch(mirror, "ssh://example.invalid/x", "main")


@pytest.mark.parametrize(
    "address",
    ["ssh://-oProxyCommand=touch${IFS}MARKER/x", "-oProxyCommand=touch MARKER:x", "--upload-pack=touch MARKER", "ext::touch MARKER",
     "ssh://-F/x", "ssh://h:-oProxyCommand=touch${IFS}MARKER/x"],
)  # fmt: skip
def test_addresses_that_are_options(ssh, mirror, tmp_path, monkeypatch, address) -> None:
    """None reaches ssh as one, and no command of it runs."""
    tightened(monkeypatch, seconds=2)
    asked, marker = ssh("silent"), tmp_path / "marker"
    with pytest.raises(GitError):
        fetch_branch(mirror, address.replace("MARKER", str(marker)), "main")
    assert not marker.exists()
    words = (
        [ast.literal_eval(one) for one in asked.read_text().splitlines()] if asked.exists() else []
    )
    assert not [
        one for line in words for one in line if one.startswith("-") and one not in {"-o", "-G"}
    ]


def test_a_server_goes_on_following(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that nobody thought of is told, and the remote is asked again: it ended the thread, and nobody saw it."""
    told: list[str] = []
    asked, stop = threading.Event(), threading.Event()

    def answers(*_: object) -> Fetched:
        if told:
            asked.set()
        raise ValueError("not enough values to unpack")

    monkeypatch.setattr(following, "fetch_branch", answers)
    settings = FollowSettings(
        "production", "ssh://example.invalid/x", "main", tmp_path, tmp_path, every=0.05, tell=told.append
    )  # fmt: skip
    thread = threading.Thread(target=following._poll_alone, args=(settings, stop))
    thread.start()
    assert asked.wait(20)
    stop.set()
    thread.join()
    assert "not enough values" in told[0]
    assert "not enough values" in read_followed(tmp_path, "production").problem
