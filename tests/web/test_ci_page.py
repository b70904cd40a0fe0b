"""The page of CI: of notes, which anybody may have written, and of the record of a repository that runs it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from furrow.ci.run_record import keep
from furrow.ground.notes import add_line
from furrow.web.asked import Asked
from furrow.web.ci_page import ci
from furrow.web.page_forms import as_html
from furrow.web.site import Site

from .conftest import HOSTILE, commit, made

if TYPE_CHECKING:
    from pathlib import Path


def line(oid: str, **more: Any) -> dict[str, Any]:
    return {"format": 1, "commit": oid, "branch": "main", "project": "", "passed": False, "verdict": HOSTILE,
            "checks": {"gate": "failed", HOSTILE: "passed"}, "offered": "", "started": "2026-01-02T10:00:00Z",
            "seconds": 3.5, "machine": "m", "report": f"# Report\n{HOSTILE}\n", **more}  # fmt: skip


def test_what_notes_say(tmp_path: Path) -> None:
    """Each commit with its verdict; one of them with checks and report; a note is called a claim."""
    folder = made(tmp_path / "noted")
    commit(folder, {"a.txt": "a"}, "What it does")
    site = Site(folder)
    assert "has run no commit" in as_html(ci(site, Asked()), lambda name, state: None)
    oid = site.commit("")
    add_line(folder, "ci", oid, json.dumps(line(oid)))
    add_line(folder, "ci", oid, "no json")
    page = ci(site, Asked())
    assert page.lead.startswith("As Git notes say")
    [row] = page.tables()["commits"].rows
    assert row[-1] == "What it does"
    whole = ci(site, Asked({"rev": ("HEAD",)}))
    assert len(whole.tables()["checks"].rows) == 2
    text = as_html(whole, lambda name, state: None)
    assert HOSTILE not in text
    assert "# Report" in text


def test_the_record_counts_where_ci_runs(tmp_path: Path) -> None:
    """In the bare repository that runs CI its record tells, and no note does."""
    work, bare = made(tmp_path / "work"), made(tmp_path / "bare.git", "--bare")
    commit(work, {"a.txt": "a"})
    oid = Site(work).commit("")
    subprocess.run(["git", "-C", str(work), "push", "-q", str(bare), "main"], check=True)
    add_line(bare, "ci", oid, json.dumps(line(oid)))
    keep(bare, line(oid, passed=True, verdict="all well"), tip=True)
    page = ci(Site(bare), Asked())
    assert page.lead.startswith("The record of this repository")
    [row] = page.tables()["commits"].rows
    assert row[4] == "all well"
