"""A bug's log and the notes of a server are nobody else's to write."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import pytest

from furrow.ci.bare_hook import install
from furrow.cli.main import _bug


def fault() -> None:
    raise RuntimeError("a fault")


def test_the_log_of_a_bug_is_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has a name that nobody can put a link at, and is readable by nobody else."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    names = set()
    for _ in range(2):
        try:
            fault()
        except RuntimeError:
            assert _bug(["furrow"]) == 3
        (name,) = re.findall(r"the log is (\S+)", capsys.readouterr().err)
        names.add(name)
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
        assert "RuntimeError: a fault" in Path(name).read_text()
    assert len(names) == 2


@pytest.mark.parametrize("kind", ["ci", "replay", "runs", "anything"])
def test_notes_of_a_server_are_not_pushed(tmp_path: Path, kind: str) -> None:
    """Verdicts and replays, under whatever name: Git itself refuses a push of them."""
    bare, clone = tmp_path / "bare.git", tmp_path / "clone"
    ada = ("-c", "user.name=Ada", "-c", "user.email=a@b.c")

    def git(folder: Path, *words: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["git", "-C", str(folder), *ada, *words]
        return subprocess.run(command, capture_output=True, text=True, check=ok)

    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    subprocess.run(["git", "clone", "-q", str(bare), str(clone)], check=True, capture_output=True)
    install(bare)
    (bare / "hooks/post-receive").unlink()  # what CI makes of a push is no matter here
    git(clone, "commit", "-q", "--allow-empty", "-m", "Begin")
    git(clone, "push", "-q", "origin", "HEAD")
    ref = f"refs/notes/furrow/{kind}"
    git(clone, "notes", "--ref", ref, "add", "-m", "holds")
    refused = git(clone, "push", "origin", ref, ok=False)
    assert refused.returncode != 0
    assert "hidden ref" in refused.stderr
    assert git(bare, "for-each-ref", "refs/notes").stdout == ""
