"""Outputs that lie outside of the project, as a pushed .dvc file or dvc.lock says: no verb of Furrow's writes there."""

import hashlib
from pathlib import Path

import pytest

from furrow.ci.run_ci import Options, run_ci
from furrow.cli.main import _run
from furrow.errors import FurrowError

pytestmark = pytest.mark.attack
MD5 = hashlib.md5(b"planted", usedforsecurity=False).hexdigest()
POINTER = "outs:\n- md5: {md5}\n  size: 7\n  hash: md5\n  path: {out}\n"
STAGE = "stages:\n  make:\n    cmd: 'true'\n    outs: ['{out}']\n"
LOCK = (
    "schema: '2.0'\nstages:\n  make:\n    cmd: 'true'\n    outs:\n"
    "    - path: {out}\n      hash: md5\n      md5: {md5}\n      size: 7\n"
)
KINDS = {
    "a pointer": {"v.dvc": POINTER, "dvc.yaml": STAGE.replace("{out}", "made")},
    "a lock": {"dvc.yaml": STAGE, "dvc.lock": LOCK},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_file_beside_the_project(
    repo: Path, git, tmp_path: Path, kind: str, absolute: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remote has what it says; the file there stays as it was, without trust and with it."""
    victim, store = tmp_path / "victim", tmp_path / "store"
    victim.write_text("precious")
    body = store / "files/md5" / MD5[:2] / MD5[2:]
    body.parent.mkdir(parents=True)
    body.write_text("planted")
    out = str(victim) if absolute else "../victim"
    (repo / ".dvc").mkdir()
    (repo / ".dvc/config").write_text(
        f"[core]\n    remote = s\n['remote \"s\"']\n    url = {store}\n"
    )
    for name, text in KINDS[kind].items():
        (repo / name).write_text(text.format(out=out, md5=MD5))
    git(repo, "branch", "trunk")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "outputs")
    git(repo, "remote", "add", "origin", "https://example.invalid/x.git")
    monkeypatch.chdir(repo)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    for trusted in ("0", "1"):
        monkeypatch.setenv("FURROW_TRUST", trusted)
        for words in (["plan"], ["apply"], ["replay"], ["gc", "--yes"], ["fsck"]):
            try:
                _run(words)
            except FurrowError as exc:
                assert trusted == "1" or "is not trusted" in str(exc)  # noqa: PT017 - either may be
            assert victim.read_text() == "precious", words
    for untrusted in (True, False):
        outcome = run_ci(repo, options=Options(untrusted=untrusted, base="trunk"))
        assert [(one.name, one.status) for one in outcome.checks] == [("inspect", "failed")]
    assert victim.read_text() == "precious"
