"""What docs/SECURITY.md promises has a test by the name that it gives; a bug's log and a server's notes are nobody else's."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import pytest

from furrow.ci.bare_hook import install
from furrow.cli.main import _bug

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`((?:tests/)?[\w/]*test_\w+\.py)(?:::(\w+))?`")


def test_each_boundary_has_a_test_that_is_there() -> None:
    """Files, and functions in them; a name without a folder is of the folder named before it."""
    folder, found = Path("tests/attack"), 0
    places = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}
    for path, function in NAMED.findall((ROOT / "docs/SECURITY.md").read_text()):
        place = ROOT / (path if "/" in path else folder / path)
        if not place.is_file():
            place = places[Path(path).name]
        folder = place.relative_to(ROOT).parent
        found += 1
        assert not function or f"def {function}(" in place.read_text(), (path, function)
    assert found > 50


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
