"""A landed folder of three months, made once by the real ingest; each test gets its own copy."""

import shutil
from pathlib import Path

import pytest

from pipelines.ingest import ingest


@pytest.fixture(scope="session")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landed") / "data"
    ingest(folder, through=3)
    return folder


@pytest.fixture
def data(landed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(landed, tmp_path / "data"))
