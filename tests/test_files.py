"""Files are written whole or not at all; JSON is canonical; paths stay inside."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from furrow.files import (
    FileError,
    canonical_json,
    inside,
    read_json,
    sha256_file,
    sha256_json,
    write_bytes,
    write_json,
)


def test_a_write_replaces_the_whole_file(tmp_path):
    """The new content stands, nothing else is left in the folder, and the mode is a usual one."""
    path = tmp_path / "deep" / "file"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == ["file"]
    assert path.stat().st_mode & 0o444 == 0o444


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """When there is no room the old file stays whole, no temporary one is left, and the error says so."""
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    code = "import sys; from pathlib import Path; from furrow.files import *; write_bytes(Path(sys.argv[1]), b'x' * 5000)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "FileError" in done.stderr
    assert "free some space" in done.stderr
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_json_is_canonical(tmp_path):
    """Key order does not count, text does, and NaN is refused."""
    assert canonical_json({"b": 1, "a": [1.5, "é"]}) == '{"a":[1.5,"é"],"b":1}'
    assert (
        sha256_json({"a": 1, "b": 2})
        == sha256_json({"b": 2, "a": 1})
        != sha256_json({"a": 1, "b": 3})
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
    write_json(tmp_path / "one.json", {"b": 1, "a": 2})
    write_json(tmp_path / "two.json", {"a": 2, "b": 1})
    assert sha256_file(tmp_path / "one.json") == sha256_file(tmp_path / "two.json")
    assert read_json(tmp_path / "one.json") == {"a": 2, "b": 1}


def test_what_is_no_json(tmp_path):
    """A missing, broken or binary file is an error that names it."""
    with pytest.raises(FileError, match="cannot read"):
        read_json(tmp_path / "nothing.json")
    for content in (b"{", b"\xff\xfe"):
        (tmp_path / "broken.json").write_bytes(content)
        with pytest.raises(FileError, match=r"broken\.json is not valid JSON"):
            read_json(tmp_path / "broken.json")


def test_paths_stay_inside(tmp_path):
    """Dots, absolute paths and symbolic links do not lead out."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    assert inside(root, "a/../b") == root / "b"
    for path in ("../x", "/etc/passwd", "link/x", Path("a/../../x")):
        with pytest.raises(FileError, match="leads out of"):
            inside(root, path)
