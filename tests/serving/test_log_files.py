"""Which segments a log has, while others make and remove them."""

import shutil
import threading
from pathlib import Path

from furrow.serving.log_files import live_segments, sealed_files, sealed_folder, sealed_segments


def test_by_hour_and_name_without_what_is_being_made(tmp_path: Path) -> None:
    for name in ("2026-03-01T13/b", "2026-03-01T12/z", "2026-03-01T13/.a", "2026-03-01T13/a"):
        folder = sealed_folder(tmp_path) / name
        folder.mkdir(parents=True)
        for file in ("1.parquet", "0.parquet", "notes.json", ".2.parquet"):
            (folder / file).touch()
    found = sealed_segments(tmp_path)
    assert [path.name for path in found] == ["z", "a", "b"]
    assert [path.name for path in sealed_files(found[0])] == ["0.parquet", "1.parquet"]
    assert live_segments(tmp_path) == []
    assert sealed_files(tmp_path / "gone") == []


def test_what_retention_takes_meanwhile_is_not_there(tmp_path: Path) -> None:
    """Hours come and go as fast as they can; whoever lists them sees those that stay, each time."""
    sealed = sealed_folder(tmp_path)
    (sealed / "0-stays/one").mkdir(parents=True)
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            for hour in range(1, 9):
                (sealed / f"{hour}/two").mkdir(parents=True)
            for hour in range(1, 9):
                shutil.rmtree(sealed / f"{hour}")

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(400):
            segments = sealed_segments(tmp_path)
            assert segments[0] == sealed / "0-stays/one"
            assert not [file for one in segments for file in sealed_files(one)]
    finally:
        stop.set()
        thread.join()
