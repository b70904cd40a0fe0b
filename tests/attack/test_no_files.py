"""What a commit puts in the place of a file that Furrow reads: a link to a device without end, a pipe, a folder, itself."""

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.features.manifest import load
from furrow.files import read_bytes, read_json
from furrow.ground.hashes import Hasher
from furrow.ground.pipeline import read_pipeline
from furrow.parse import LIMITS, ParseError, read_yaml
from furrow.plan.workspace import read_text

pytestmark = pytest.mark.attack


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """A reader without end runs out of it instead of taking the machine's."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def itself(path: Path) -> None:
    path.symlink_to(path.name)


def nothing(path: Path) -> None:
    path.symlink_to("nothing")


@pytest.mark.parametrize("plant", [a_device, a_pipe, a_folder, itself, nothing])
@pytest.mark.parametrize(
    "name", ["dvc.yaml", "dvc.lock", "data.dvc", "params.yaml", "dep.txt", "features/manifest.json"]
)
def test_it_is_no_file(tmp_path, name: str, plant: Callable[[Path], None]):
    """An answer or a known error, at once: nothing is waited for, and no memory is filled."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "features").mkdir()
    for path, text in {
        "dvc.yaml": "stages:\n  make:\n    cmd: x\n    deps: [dep.txt]\n    params: [params.yaml:]\n",
        "dvc.lock": "schema: '2.0'\nstages: {}\n", "data.dvc": "outs: []\n", "dep.txt": "x", "params.yaml": "a: 1\n",
    }.items():  # fmt: skip
        (tmp_path / path).write_text(text)
    (tmp_path / name).unlink(missing_ok=True)
    plant(tmp_path / name)
    for ask in (
        lambda: read_pipeline(tmp_path),
        lambda: Hasher(tmp_path).md5(name),
        lambda: Hasher(tmp_path).md5("."),
        lambda: load(tmp_path / "features"),
        lambda: read_text(tmp_path / name),
        lambda: read_json(tmp_path / name),
    ):
        try:
            ask()
        except FurrowError as exc:
            assert str(exc)  # noqa: PT017 - either is right
    try:
        read_yaml(tmp_path / name)
    except (OSError, ParseError) as exc:
        assert str(exc)  # noqa: PT017 - either is right


def test_a_file_that_is_too_long(tmp_path):
    """A hole of a terabyte is not read to its end."""
    path = tmp_path / "long.json"
    with path.open("wb") as handle:
        handle.truncate(1 << 40)
    assert len(read_bytes(path)) == LIMITS.size + 1
    with pytest.raises(ParseError, match="bytes"):
        read_json(path)
