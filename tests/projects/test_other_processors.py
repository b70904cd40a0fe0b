"""A whole project made on another processor: tables, training sets, models, references, records and lock, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.otherprocessors import OLD
from tests.projects.in_process import plant

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
import pytest
from tests.projects.in_process import plant
with pytest.MonkeyPatch.context() as patch:
    plant("retail", Path(sys.argv[1]), patch)
"""
ELSEWHERE = {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}


def _files(root: Path) -> dict[str, bytes]:
    """What the stages wrote; journals say how long it took."""
    tops = [root / one for one in ("build", "runs", "dvc.lock", "features/manifest.json")]
    paths = [path for top in tops for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()
    }


def test_the_same_bytes_from_an_old_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without vector instructions, fused multiplications and a modern BLAS, on one core, in another folder, zone and locale."""
    monkeypatch.setenv("FURROW_TRUST", "1")
    here = _files(plant("retail", tmp_path / "retail", monkeypatch))
    there = tmp_path / "another folder" / "retail"
    there.parent.mkdir()
    subprocess.run(
        [
            "taskset",
            "-c",
            str(min(os.sched_getaffinity(0))),
            sys.executable,
            "-c",
            SCRIPT,
            str(there),
        ],
        env={**os.environ, **OLD, **ELSEWHERE, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    other = _files(there)
    assert set(other) == set(here)
    assert {name for name in here if here[name] != other[name]} == set()
    assert sum("reference.json" in name for name in here) == 2
