"""The lock files against a list of known faults, in the OSV format, without a network."""

import importlib.util
import json
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("lock_audit", ROOT / "tools/lock_audit.py")
assert spec is not None
assert spec.loader is not None
lock_audit = sys.modules["lock_audit"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lock_audit)

LOCK = "# made by uv\nFlask.Thing[extra]==1.2.0 ; python_version > '3' \\\n    --hash=sha256:aa\nother==0.5\n"


def record(name: str, *, events=None, versions=(), **more) -> dict:
    ranges = [{"type": "ECOSYSTEM", "events": events}] if events else []
    affected = {
        "package": {"ecosystem": "PyPI", "name": name},
        "ranges": ranges,
        "versions": list(versions),
    }
    return {
        "id": "GHSA-1",
        "summary": "it\x1b[2J breaks",
        "aliases": ["CVE-1"],
        "affected": [affected],
        **more,
    }


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text(LOCK)
    return path


def audit(tmp_path: Path, lock: Path, *known: dict, zipped: bool = False) -> int:
    folder = tmp_path / "database"
    folder.mkdir(exist_ok=True)
    for number, one in enumerate(known):
        if zipped:
            with zipfile.ZipFile(folder / "all.zip", "a") as archive:
                archive.writestr(f"{number}.json", json.dumps(one))
        else:
            (folder / f"{number}.json").write_text(json.dumps(one))
    return lock_audit.main(["--database", str(folder), str(lock)])


ZERO = {"introduced": "0"}


@pytest.mark.parametrize(
    ("events", "concerned"),
    [
        ([ZERO], True),
        ([ZERO, {"fixed": "1.2.0"}], False),
        ([ZERO, {"fixed": "1.10"}], True),
        ([{"introduced": "1.3"}], False),
        ([ZERO, {"fixed": "1.0"}, {"introduced": "1.1"}, {"fixed": "2"}], True),
        ([{"introduced": "1.1"}, {"fixed": "2"}, ZERO, {"fixed": "1.0"}], True),
        ([ZERO, {"last_affected": "1.2.0"}], True),
        ([ZERO, {"last_affected": "1.1.9"}], False),
        ([{"introduced": "1.2.0rc1"}, {"fixed": "1.2.0"}], False),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_ranges(tmp_path, lock, capsys, events, concerned, zipped):
    """A version lies in a range as OSV's rule says; names are compared normalised."""
    assert audit(tmp_path, lock, record("flask-thing", events=events), zipped=zipped) == int(
        concerned
    )
    out = capsys.readouterr().out
    assert ("flask-thing 1.2.0: GHSA-1 (CVE-1): it\ufffd[2J breaks" in out) is concerned


def test_listed_versions_and_those_that_are_none(tmp_path, lock, capsys):
    """A listed version counts, a withdrawn record and another ecosystem don't."""
    other = record("other", versions=["0.5"])
    other["affected"][0]["package"]["ecosystem"] = "npm"
    assert audit(tmp_path, lock, record("other", versions=["0.4"]), other) == 0
    assert (
        audit(tmp_path, lock, record("other", versions=["0.5"], withdrawn="2020-01-01T00:00:00Z"))
        == 0
    )
    assert audit(tmp_path, lock, record("other", versions=["0.5"])) == 1
    assert "2 distributions against" in capsys.readouterr().out


def test_nothing_to_compare_is_no_success(tmp_path, lock, capsys):
    """No database, a damaged one, or a lock that pins nothing."""
    assert audit(tmp_path, lock) == 2
    (tmp_path / "database/x.json").write_text("[" * 9999)
    assert audit(tmp_path, lock) == 2
    (tmp_path / "database/x.json").write_text(json.dumps(record("other", versions=["9"])))
    assert audit(tmp_path, lock) == 0
    lock.write_text("# nothing\n")
    assert audit(tmp_path, lock) == 2
    assert "nothing was compared" in capsys.readouterr().err


def test_this_projects_locks_are_read():
    """Every distribution of requirements.lock is seen."""
    text = (ROOT / "requirements.lock").read_text()
    assert len(lock_audit.locked(text)) == sum(
        line[0].isalnum() and "==" in line for line in text.splitlines() if line
    )
