"""A whole project made on another processor: tables, training sets, models, references, records and lock, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.otherprocessors import OLD

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
import pytest
from tests.projects.cut_down import bring
from tests.projects.in_process import plant
with pytest.MonkeyPatch.context() as patch:
    bring("retail", "units", {}, Path(sys.argv[1]))
    plant(Path(sys.argv[1]), patch)
"""
ELSEWHERE = {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}


def _files(root: Path) -> dict[str, bytes]:
    """What the stages wrote; journals say how long it took."""
    tops = [root / one for one in ("build", "runs", "dvc.lock", "features/manifest.json")]
    paths = [path for top in tops for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()
    }


def _made(root: Path, *before: str, **environment: str) -> dict[str, bytes]:
    """The project, made by a process of its own: what another process has loaded is in no pickle of it."""
    root.parent.mkdir(exist_ok=True)
    subprocess.run(
        [*before, sys.executable, "-c", SCRIPT, str(root)],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return _files(root)


def test_the_same_bytes_from_an_old_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without vector instructions, fused multiplications and a modern BLAS, on one core, in another folder, zone and locale."""
    monkeypatch.setenv("FURROW_TRUST", "1")
    here = _made(tmp_path / "here" / "retail")
    core = str(min(os.sched_getaffinity(0)))
    other = _made(tmp_path / "another folder" / "retail", "taskset", "-c", core, **OLD, **ELSEWHERE)
    assert set(other) == set(here)
    assert {name for name in here if here[name] != other[name]} == set()
    assert sum("reference.json" in name for name in here) == 2
