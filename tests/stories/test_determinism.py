"""Two clones in different folders, with different hash seeds, write the same bytes."""

import pytest

from .conftest import grow, plant, run

pytestmark = pytest.mark.story


def test_two_clones_write_the_same(rested, tmp_path):
    """dvc.lock, data.dvc and everything under runs/ are the same byte for byte."""
    other = grow(plant(tmp_path / "another" / "folder"), PYTHONHASHSEED="4242")
    names = run(rested, "git", "ls-files", "runs", "dvc.lock", "data.dvc", "features/manifest.json").stdout.split()
    assert (
        run(other, "git", "ls-files", "runs", "dvc.lock", "data.dvc", "features/manifest.json").stdout.split() == names
    )
    assert len(names) > 30
    different = [name for name in names if (rested / name).read_bytes() != (other / name).read_bytes()]
    assert different == []
