"""DVC remotes of others: what they give is compared with its name, and no list of files leads out of its folder."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.ground.dvc import Project
from furrow.ground.dvcget import GetError
from furrow.ground.folder_list import folder_list
from furrow.ground.imported_outputs import imported_by
from furrow.ground.runcache import Cache
from furrow.ground.trust import UntrustedError
from furrow.history.bring_output import bring_output
from furrow.parse import ParseError
from furrow.plan.fetch import Lacking, fetch
from tests.attack.answering import served

pytestmark = pytest.mark.attack
AWAY = "../../planted"


def _put(store: Path, content: bytes, *, name: str = "", suffix: str = "") -> str:
    """A content as a remote keeps it, under its own name or another one's; the name."""
    name = name or hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
    path = store / "files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return name


def _list(md5: str, *names: str) -> bytes:
    return json.dumps([{"md5": md5, "relpath": name} for name in names]).encode()


@pytest.fixture
def shop(repo: Path, tmp_path: Path, git) -> tuple[Path, Path, str]:
    """A repository that keeps a folder by DVC, the remote, and the name of the folder's list."""
    store = tmp_path / "store"
    body = _put(store, b"rows\n")
    name = _put(store, _list(body, "rows.csv"), suffix=".dir")
    (repo / ".dvc").mkdir()
    (repo / ".dvc/config").write_text(
        f"[core]\n    remote = s\n['remote \"s\"']\n    url = {store}\n"
    )
    (repo / ".gitignore").write_text("/data\n")
    _track(repo, name)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "data")
    return repo, store, name


def _track(repo: Path, name: str) -> None:
    (repo / "data.dvc").write_text(
        f"outs:\n- md5: {name}\n  size: 5\n  nfiles: 1\n  hash: md5\n  path: data\n"
    )


def test_a_remote_that_gives_another_list(shop) -> None:
    """Somebody who may write to the remote alone: DVC put a file beside the project, and wherever else the list said."""
    repo, store, name = shop
    _put(store, _list(_put(store, b"planted"), "rows.csv", AWAY), name=name)
    project = Project(repo)
    project.fetch([name])
    project.close()
    assert not Cache(repo).path(name)
    with pytest.raises(FurrowError):
        fetch(repo, Lacking({"data": name}, {}))
    with pytest.raises(GetError):
        bring_output(repo, "data", "HEAD", repo.parent / "out")
    assert not list(repo.parent.glob("**/planted"))


def test_a_remote_that_gives_other_rows(shop) -> None:
    """A file's content is held against its name, too, before it is put anywhere."""
    repo, store, name = shop
    body = next(
        iter(folder_list((store / f"files/md5/{name[:2]}/{name[2:]}").read_bytes()).values())
    )
    _put(store, b"other\n", name=body)
    with pytest.raises(GetError):
        bring_output(repo, "data", "HEAD", repo.parent / "out")
    assert not (repo.parent / "out/rows.csv").exists()


def test_a_commit_that_names_such_a_list(shop, git) -> None:
    """Commit and remote of one hand: nothing is put in place, here or where `models get` writes."""
    repo, store, _ = shop
    name = _put(store, _list(_put(store, b"planted"), "rows.csv", AWAY), suffix=".dir")
    _track(repo, name)
    git(repo, "commit", "-qam", "more")
    with pytest.raises(FurrowError, match="elsewhere"):
        fetch(repo, Lacking({}, {"data": name}))
    assert not Cache(repo).holds(name)
    with pytest.raises(GetError):
        bring_output(repo, "data", "HEAD", repo.parent / "out/deep/er")
    assert not list(repo.parent.glob("**/planted"))


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "", ".", "a//b", "a/./b", ".git/config", "a/.dvc/x", "a\0b"]
)  # fmt: skip
def test_names_that_lead_out(name: str) -> None:
    """None is a file of a folder."""
    with pytest.raises(ParseError, match="outside"):
        folder_list(_list("0" * 32, "fine", name))
    assert folder_list(_list("0" * 32, "fine", "a/b..c", ".gitignore"))


def test_without_a_remote(shop, git) -> None:
    """What the cache holds is still brought."""
    repo = shop[0]
    subprocess.run([sys.executable, "-P", "-m", "dvc", "fetch", "-q"], cwd=repo, check=True)
    (repo / ".dvc/config").write_text("")
    git(repo, "commit", "-qam", "no remote")
    bring_output(repo, "data", "HEAD", repo.parent / "out")
    assert (repo.parent / "out/rows.csv").read_text() == "rows\n"


ELSEWHERE = {
    "a file": "deps: [{path: SECRET}]\nouts: [{path: gbm}]\n",
    "a repository": "deps: [{path: data, repo: {url: SECRET, rev_lock: aaaa}}]\nouts: [{path: gbm, md5: aaaa}]\n",
    "an address": "deps: [{path: 'http://169.254.169.254/latest'}]\nouts: [{path: ./x/../gbm}]\n",
    "a part of it": "deps: [{path: SECRET}]\nouts: [{path: gbm/extra}]\n",
    "what holds it": "deps: [{path: SECRET}]\nwdir: ../..\nouts: [{path: build}]\n",
    "no YAML": "deps: [\n",
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_output_that_is_imported(shop, git, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`furrow models get` in a stranger's clone copied a file of the user's, and asked any address with his credentials."""
    repo, _, _ = shop
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    secret = repo.parent / "secret"
    secret.write_text("hunter2")
    file = repo / "build/models/gbm.dvc"
    file.parent.mkdir(parents=True)
    file.write_text(ELSEWHERE[name].replace("SECRET", str(secret)))
    git(repo, "add", "-A", "-f")
    git(repo, "commit", "-qm", "a model")
    git(repo, "remote", "add", "origin", "https://example.invalid/x.git")
    with pytest.raises(UntrustedError, match=r"gbm\.dvc"):
        bring_output(repo, "build/models/gbm", "HEAD", repo.parent / "out")
    assert not (repo.parent / "out").exists()
    assert imported_by(repo, "data", "HEAD") == (
        "build/models/gbm.dvc" if name == "no YAML" else ""
    )


@pytest.mark.parametrize("trusted", [False, True])
def test_a_password_that_is_for_every_host(
    shop, git, trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """~/.netrc may have one; a stranger's clone names the address that it would be sent to."""
    repo, _, _ = shop
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.netrc").write_text("default login me password hunter2\n")
    (tmp_path / "home/.netrc").chmod(0o600)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("FURROW_TRUST", "1" if trusted else "0")
    answer = b"HTTP/1.1 404 N\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with served(lambda: [answer]) as (host, asked):
        (repo / ".dvc/config").write_text(
            f"[core]\n    remote = s\n['remote \"s\"']\n    url = http://{host}/x\n"
        )
        git(repo, "commit", "-qam", "a remote")
        git(repo, "remote", "add", "origin", "https://example.invalid/x.git")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        with pytest.raises(GetError):
            bring_output(repo, "data", "HEAD", repo.parent / "out")
    assert asked
    assert any(b"uthorization" in one for one in asked) is trusted
