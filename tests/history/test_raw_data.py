"""Whatever layout raw data have under data/, everything that tells of a commit knows their version."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from furrow.governance.standard_card import data_card
from furrow.history.named_run import run as run_of
from furrow.history.raw_data import data_listing, is_raw, raw_data, raw_outputs
from furrow.history.show import describe

ONE, TWO = "a" * 32, "b" * 32
LISTED = b'[{"md5": "%s", "relpath": "x.parquet"}]' % ONE.encode()
FOLDER = "8c4d0b9c3f7e6a5d4c3b2a1908070605.dir"


def pointer(path: str, md5: str, files: int | None = None) -> str:
    entry = {"md5": md5, "size": 10, "hash": "md5", "path": path}
    return yaml.safe_dump({"outs": [{**entry, **({"nfiles": files} if files else {})}]})


LAYOUTS = {
    "one folder": ({"data.dvc": pointer("data", FOLDER, 3)}, {"data": FOLDER}),
    "a folder in it": ({"data/landed.dvc": pointer("landed", FOLDER, 3)}, {"data/landed": FOLDER}),
    "two files": (
        {"data/b.csv.dvc": pointer("b.csv", TWO), "data/a.csv.dvc": pointer("a.csv", ONE)},
        {"data/a.csv": ONE, "data/b.csv": TWO},
    ),
    "a stage's": (
        {"dvc.lock": yaml.safe_dump({"stages": {"get": {"outs": [{"path": "data", "md5": FOLDER}]}}})},
        {"data": FOLDER},
    ),
    "none": ({"models.dvc": pointer("models", FOLDER, 1), "database.dvc": pointer("database", TWO)}, {}),
}  # fmt: skip


@pytest.fixture
def committed(tmp_path: Path) -> Callable[[dict[str, str]], tuple[Path, str]]:
    """A repository of some files, and its commit."""

    def make(files: dict[str, str]) -> tuple[Path, str]:
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        ada = ("-c", "user.name=Ada", "-c", "user.email=a@b.c")
        for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "Land")):
            subprocess.run(["git", "-C", str(tmp_path), *ada, *words], check=True)
        done = subprocess.run(
            ["git", "-C", str(tmp_path), "rev-parse", "HEAD"], capture_output=True, check=True
        )
        return tmp_path, done.stdout.decode().strip()

    return make


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_names_the_data(committed, layout: str) -> None:
    files, expected = LAYOUTS[layout]
    root, commit = committed(files)
    assert {path: one.md5 for path, one in raw_outputs(root, commit).items()} == expected
    version = raw_data(root, commit)
    assert (version is None) is (not expected)
    if len(expected) == 1:
        assert version is not None
        assert {version.path: version.md5} == expected


def test_several_are_one_version(committed, tmp_path: Path) -> None:
    """It changes with each of them, adds them up, and lists their files."""
    root, before = committed(LAYOUTS["two files"][0])
    old, files = data_listing(root, before)
    assert old is not None
    assert (old.path, old.size, old.files) == ("data", 20, 2)
    assert files == {"a.csv": ONE, "b.csv": TWO}
    _, after = committed({"data/b.csv.dvc": pointer("b.csv", ONE)})
    new, _ = data_listing(root, after)
    assert new is not None
    assert new.md5 != old.md5


def test_files_of_a_folder_are_named_as_from_data(committed) -> None:
    files, _ = LAYOUTS["a folder in it"]
    root, commit = committed(files)
    version, listed = data_listing(root, commit)
    assert version is not None
    assert listed is None  # the cache lacks it
    kept = root / ".dvc/cache/files/md5" / FOLDER[:2] / FOLDER[2:]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(LISTED)
    assert data_listing(root, commit)[1] == {"landed/x.parquet": ONE}


@pytest.mark.parametrize("layout", ["one folder", "a folder in it"])
def test_run_and_card_tell_it(committed, layout: str) -> None:
    """`furrow runs show`, and the card of the data."""
    run = {"runs/gbm/metrics.json": '{"roc_auc": 0.8}', "runs/gbm/record.json": "{}"}
    root, commit = committed({**LAYOUTS[layout][0], **run})
    details = describe(run_of("gbm", commit, repo=root), lambda *_: [])
    assert details.data is not None
    assert details.data.md5 == FOLDER
    assert FOLDER in data_card(root, commit, "late")


def test_what_is_raw() -> None:
    assert is_raw("data")
    assert is_raw("data/landed")
    assert not is_raw("database")
