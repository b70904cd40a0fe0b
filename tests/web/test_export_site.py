"""A commit's pages as files: whole, small, the same each time, and nothing else is overwritten."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from furrow.cli.main import run as furrow
from furrow.errors import FurrowError
from furrow.web.export_site import MARK, export
from furrow.web.site import Site

from .conftest import commit, made

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def site(judged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "site"
    done = export(Site(judged, live=False), "", folder)
    assert done.pages > 9
    assert done.size < 3_000_000
    assert done.left == 0
    return folder


def test_every_link_leads_to_a_file(site: Path) -> None:
    """No page asks for anything that is not in the folder; forms, which need a server, are left away."""
    pages = sorted(site.glob("*.html"))
    for page in pages:
        text = page.read_text()
        assert "<form" not in text
        for link in re.findall(r'(?:href|src)="([^"#]+)"', text):
            assert (site / unquote(link)).is_file(), (page.name, link)
    names = {page.name for page in pages}
    assert {"index.html", "runs.html", "business.html", "data.html"} <= names
    assert len([name for name in names if name.startswith("run-gbm")]) == 1
    assert (site / "runs-runs.csv").read_text().startswith("run,predicts,verdict")


def test_the_same_commit_gives_the_same_bytes(judged: Path, site: Path, tmp_path: Path) -> None:
    export(Site(judged, live=False), "HEAD", tmp_path / "again")
    for path in site.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_only_its_own_files_are_written_over(judged: Path, tmp_path: Path) -> None:
    """Somebody's folder stays as it is; an earlier export is replaced, files beside it stay."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    with pytest.raises(FurrowError, match="something else"):
        export(Site(judged, live=False), "", mine)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]
    empty = made(tmp_path / "empty")
    out = tmp_path / "out"
    export(Site(judged, live=False), "", out)
    (out / "notes.txt").write_text("mine")
    done = export(Site(empty, live=False), "", out)
    assert done.failed
    assert not list(out.glob("run-*"))
    assert (out / "notes.txt").read_text() == "mine"


def test_the_command(
    judged: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(judged)
    assert furrow(["ui", "--export", str(tmp_path / "site"), "--rev", "HEAD~1"]) == 0
    assert "open " in capsys.readouterr().out
    assert "rate 0.2" not in (tmp_path / "site/index.html").read_text()
    assert furrow(["ui", "--export", str(tmp_path / "site"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["page"] for one in said["failed"]] == ["plan", "models gbm@v1.0.0"]
    written = [path for path in (tmp_path / "site").iterdir() if path.name != MARK]
    assert said["size"] == sum(path.stat().st_size for path in written)
    assert furrow(["ui", "--export", str(tmp_path / "other"), "--rev", "nope"]) == 1
    assert not (tmp_path / "other").exists()


def test_what_a_commit_lacks_is_said(tmp_path: Path) -> None:
    """A page that can't be made says why, and the others are there."""
    folder = made(tmp_path / "bad")
    commit(folder, {"runs/champion.json": "{", "conf/data/contract.yaml": "tables: ["})
    done = export(Site(folder, live=False), "", tmp_path / "site")
    assert (tmp_path / "site/index.html").is_file()
    assert done.pages == 8
    assert "can't be read" in (tmp_path / "site/business.json").read_text()
