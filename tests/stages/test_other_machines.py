"""The whole of a small project as another machine: the same bytes of every file that its stages write.

Other processors (NumPy's vector code, OpenBLAS, the C library), threads, folder, hash seed, time
zone and locale. tests/stories/test_determinism.py does the same with the example and with DVC,
which takes minutes.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.otherprocessors import OLD, PLAIN_VECTORS
from tests.shopproject import hashes

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}


def elsewhere(folder: Path, threads: int, **environment: str) -> dict[str, str]:
    """Grow the project in a process of its own."""
    told = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads), **environment}
    command = [sys.executable, "-m", "tests.shopproject", str(folder), str(threads)]
    done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return hashes(folder)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return elsewhere(tmp_path_factory.mktemp("here") / "project", 2, PYTHONHASHSEED="1")


@pytest.mark.parametrize(
    ("threads", "environment"),
    [
        pytest.param(1, {**OLD, **ELSEWHERE}, id="a processor of 2005, one thread"),
        pytest.param(
            4, {**PLAIN_VECTORS, "OPENBLAS_CORETYPE": "Haswell"}, id="no vector code, four threads"
        ),
    ],
)
def test_the_same_bytes(
    here: dict[str, str], tmp_path: Path, threads: int, environment: dict[str, str]
) -> None:
    there = elsewhere(tmp_path / "another" / "folder", threads, **environment)
    assert set(here) == set(there)
    assert len(here) > 50
    assert [name for name in here if here[name] != there[name]] == []
