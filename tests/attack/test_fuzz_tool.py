"""tools/fuzz.py, which gives every reader of outside input any bytes: each target reads its seeds, and a fault is seen."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.attack
TOOL = Path(__file__).parents[2] / "tools/fuzz.py"
NAMES = ["manifest", "dvc.yaml", "contract", "notes", "tags", "records", "LMDB pages", "trees", "requests"]  # fmt: skip


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_tool", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_each_target(tool, tmp_path, name):
    """What it begins with, cut and empty: an answer or a known error."""
    assert set(tool.TARGETS) == set(NAMES)
    for seed in tool.TARGETS[name][1]():
        for content in (seed, seed[: len(seed) // 2], b"", b"\xff\x00" + seed):
            tool.once(name, content, tmp_path)


def test_a_fault_is_seen(tool, tmp_path, monkeypatch):
    """Whatever is no known error ends the run."""

    def wrong(content: bytes, folder: Path) -> None:
        raise IndexError(content, folder)

    monkeypatch.setitem(tool.TARGETS, "tags", (wrong, lambda: [b""]))
    with pytest.raises(IndexError):
        tool.once("tags", b"x", tmp_path)


def test_without_atheris_nothing_is_claimed(tool, capsys, monkeypatch):
    """It says so, with an exit code that is not that of a run that found nothing."""
    monkeypatch.setattr(tool, "find_spec", lambda _: None)
    monkeypatch.setattr("sys.argv", ["fuzz.py"])
    assert tool.main() == 3
    assert "hypothesis alone" in capsys.readouterr().out
