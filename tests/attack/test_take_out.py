"""What a stranger's stages left is taken out as regular files, or not at all."""

import hashlib
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furrow.ground.take_out import Bounds, TakeError, take_file, take_out

pytestmark = pytest.mark.attack


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Their tree, ours, and a secret outside of both."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    (theirs / "runs").mkdir(parents=True)
    (ours / "runs/old").mkdir(parents=True)
    (ours / "runs/old/metrics.json").write_text("old")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("hunter2")
    return theirs, ours, tmp_path / "outside"


def a_link(theirs: Path, outside: Path) -> None:
    (theirs / "runs/metrics.json").symlink_to(outside / "secret")


def a_chain_of_links(theirs: Path, outside: Path) -> None:
    (theirs / "runs/one").symlink_to("two")
    (theirs / "runs/two").symlink_to(outside / "secret")


def a_folder_that_is_a_link(theirs: Path, outside: Path) -> None:
    (theirs / "runs").rmdir()
    (theirs / "runs").symlink_to(outside)


def a_link_deep_inside(theirs: Path, outside: Path) -> None:
    (theirs / "runs/a/b").mkdir(parents=True)
    (theirs / "runs/a/b/c").symlink_to(outside)


def a_pipe(theirs: Path, outside: Path) -> None:
    os.mkfifo(theirs / "runs/pipe")


def a_socket(theirs: Path, outside: Path) -> None:
    before = Path.cwd()
    os.chdir(theirs / "runs")
    with socket.socket(socket.AF_UNIX) as handle:
        handle.bind("s")
    os.chdir(before)


def a_device(theirs: Path, outside: Path) -> None:
    if os.geteuid():
        pytest.skip("only root makes devices")
    os.mknod(theirs / "runs/zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))


def a_hole_of_a_terabyte(theirs: Path, outside: Path) -> None:
    with (theirs / "runs/large").open("wb") as handle:
        handle.truncate(1 << 40)


def a_folder_too_deep(theirs: Path, outside: Path) -> None:
    (theirs / "runs" / "/".join(["d"] * 100)).mkdir(parents=True)


def too_many_files(theirs: Path, outside: Path) -> None:
    for number in range(200):
        (theirs / f"runs/{number}").touch()


def a_repository(theirs: Path, outside: Path) -> None:
    (theirs / "runs/inner/.git").mkdir(parents=True)
    (theirs / "runs/inner/.git/config").write_text("[core]\n fsmonitor = touch ran\n")


def attributes(theirs: Path, outside: Path) -> None:
    (theirs / "runs/.gitattributes").write_text("* filter=trap\n")


@pytest.mark.parametrize(
    "plant",
    [a_link, a_chain_of_links, a_folder_that_is_a_link, a_link_deep_inside, a_pipe, a_socket, a_device,
     a_hole_of_a_terabyte, a_folder_too_deep, too_many_files, a_repository, attributes],
)  # fmt: skip
def test_what_is_no_plain_file_is_not_taken(places, plant: Callable[[Path, Path], None]):
    """Refused with a name, without waiting for a pipe's writer, and nothing of the outside gets in."""
    theirs, ours, outside = places
    plant(theirs, outside)
    with pytest.raises(TakeError):
        take_out(theirs, ours, ["runs"], Bounds(files=100, size=10_000_000, depth=20))
    assert all("hunter2" not in path.read_text() for path in ours.rglob("*") if path.is_file())
    assert (outside / "secret").read_text() == "hunter2"


@pytest.mark.parametrize(
    "plant",
    [
        lambda path, out: path.symlink_to(out),
        lambda path, out: path.touch(),
        lambda path, out: None,
    ],
)
def test_the_folder_itself(places, tmp_path, plant):
    """A link, a file or nothing where the stages' folder was: a known error, and nothing is taken."""
    _, ours, outside = places
    plant(tmp_path / "swapped", outside)
    with pytest.raises(TakeError, match="folder of the stages"):
        take_out(tmp_path / "swapped", ours, ["runs"], Bounds())
    assert (ours / "runs/old/metrics.json").read_text() == "old"


def test_our_side_is_not_left_either(places):
    """A link on our side, of the commit's own, is neither followed nor replaced; the secret behind it stays."""
    theirs, ours, outside = places
    (theirs / "features").mkdir()
    (theirs / "features/manifest.json").write_text("{}")
    (ours / "features").symlink_to(outside)
    (ours / "dvc.lock").symlink_to(outside / "secret")
    (theirs / "dvc.lock").write_text("x")
    for name in ("features/manifest.json", "dvc.lock"):
        with pytest.raises(TakeError, match="symbolic link"):
            take_out(theirs, ours, [name], Bounds())
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    assert (outside / "secret").read_text() == "hunter2"


def test_a_hard_link_is_a_copy(places):
    """A second name of a file gives its bytes, and never the file itself."""
    theirs, ours, _ = places
    (theirs / "runs/one").write_text("x")
    os.link(theirs / "runs/one", theirs / "runs/two")
    take_out(theirs, ours, ["runs"], Bounds())
    (theirs / "runs/one").write_text("changed")
    assert (ours / "runs/two").read_text() == "x"
    assert (ours / "runs/two").stat().st_nlink == 1


def test_what_is_taken_is_what_is_there(places):
    """Files that are gone there go here; a set-uid bit does not come along; missing names are no error."""
    theirs, ours, _ = places
    (theirs / "runs/gbm").mkdir()
    (theirs / "runs/gbm/metrics.json").write_text("{}")
    (theirs / "runs/gbm/metrics.json").chmod(0o6777)
    take_out(theirs, ours, ["runs", "dvc.lock", "features/manifest.json"], Bounds())
    assert [path.relative_to(ours).as_posix() for path in sorted(ours.rglob("*"))] == [
        "runs",
        "runs/gbm",
        "runs/gbm/metrics.json",
    ]
    assert not stat.S_IMODE((ours / "runs/gbm/metrics.json").stat().st_mode) & 0o7111


def test_a_file_counts_only_with_its_hash(places, tmp_path):
    """Another content, a link in its place, or nothing: not taken."""
    theirs, _, outside = places
    md5 = hashlib.md5(b"good").hexdigest()
    (theirs / "e.json").write_bytes(b"forged")
    assert not take_file(theirs, "e.json", tmp_path / "cache/x", md5, Bounds())
    assert not take_file(theirs, "gone.json", tmp_path / "cache/x", md5, Bounds())
    (theirs / "l.json").symlink_to(outside / "secret")
    with pytest.raises(TakeError):
        take_file(theirs, "l.json", tmp_path / "cache/x", md5, Bounds())
    assert not list((tmp_path / "cache").iterdir())
    (theirs / "e.json").write_bytes(b"good")
    assert take_file(theirs, "e.json", tmp_path / "cache/x", md5, Bounds())
    assert (tmp_path / "cache/x").read_bytes() == b"good"


NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in {".", ".."})


@given(st.dictionaries(NAMES, st.binary(max_size=40), max_size=6))
def test_any_name_and_any_bytes(tmp_path_factory, files):
    """Line ends, controls, dashes and quotes in names: the same bytes under the same names."""
    base = tmp_path_factory.mktemp("any")
    (base / "theirs/runs").mkdir(parents=True)
    (base / "ours").mkdir()
    for name, content in files.items():
        (base / "theirs/runs" / name).write_bytes(content)
    take_out(base / "theirs", base / "ours", ["runs"], Bounds())
    assert {path.name: path.read_bytes() for path in (base / "ours/runs").iterdir()} == files
