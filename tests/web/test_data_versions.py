"""The page of data names the version of each layout, whether it was checked, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from .conftest import CONTRACT, asking, commit, made

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "0" * 32 + ".dir", "1" * 32 + ".dir"
LAYOUTS = {
    "one folder": [("data.dvc", "data", "data")],
    "a folder in it": [("data/landed.dvc", "landed", "data/landed")],
    "two files": [("data/a.dvc", "a", "data/a"), ("data/b.dvc", "b", "data/b")],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_version_check_and_history(tmp_path: Path, layout: str) -> None:
    folder = made(tmp_path / "project")
    for md5 in (OLD, NEW):
        files = {"conf/data/contract.yaml": CONTRACT}
        for pointer, name, _ in LAYOUTS[layout]:
            entry = {"md5": md5, "size": 5, "nfiles": 2, "path": name}
            files[pointer] = yaml.safe_dump({"outs": [entry]})
        deps = [{"path": path, "md5": OLD} for _, _, path in LAYOUTS[layout]]
        files["dvc.lock"] = yaml.safe_dump({"stages": {"validate": {"deps": deps}}})
        commit(folder, files, f"Land {md5[0]}")
    commit(folder, {"other.txt": "x"}, "Not about data")
    ask = asking(folder)
    page = ask("/data").text
    assert NEW in page
    assert "names data: neither" not in page
    assert "dvc.lock names a check of other data" in page
    assert "passed on these very data" in ask("/data?rev=HEAD~2").text
    told = ask("/data.csv?table=versions").text.splitlines()[1:]
    subjects = [line.split(",")[3] for line in told]
    assert subjects == ["Land 1", "Land 0"]
