"""What `make example` does with each of them begins well: its files are copied, and DVC may track its data."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tools.run_example import EXAMPLES, bring

if TYPE_CHECKING:
    from pathlib import Path

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/dvc.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_its_data_can_be_tracked(tmp_path: Path, name: str) -> None:
    """Git ignores neither data/landed.dvc nor what is declared, and does ignore what stages make."""
    bring(name, tmp_path / name)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / name, check=True)
    asked = ["data/landed.dvc", "dvc.yaml", "runs/x/metrics.json", "build/models/x/model.joblib"]
    done = subprocess.run(
        ["git", "check-ignore", *asked],
        cwd=tmp_path / name,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["build/models/x/model.joblib"]


def test_what_an_earlier_run_made_stays(tmp_path: Path) -> None:
    """Files that are gone from the example go; data, records and caches stay."""
    folder = tmp_path / NAMES[0]
    bring(NAMES[0], folder)
    for path in ("old.txt", "data/landed/x.parquet", "runs/x/metrics.json", "build/a"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    bring(NAMES[0], folder)
    there = [(folder / one).exists() for one in ("old.txt", "data/landed/x.parquet", "runs/x/metrics.json", "build/a")]  # fmt: skip
    assert there == [False, True, True, True]
