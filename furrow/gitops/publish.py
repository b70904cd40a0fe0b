"""Where an outcome goes: report.md, report.html, report.json, and a note on its commit (refs/notes/furrow/ci)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import canonical_json, write_json, write_text
from furrow.gitops.page import page
from furrow.gitops.report import markdown
from furrow.ground.notes import add_line, noted, read_lines

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.gitops.outcome import Outcome

__all__ = ["NOTE", "read_status", "write_reports", "write_status"]

NOTE = "ci"
FORMAT = 1


def write_reports(outcome: Outcome, folder: Path) -> None:
    """Write the reports into a folder."""
    write_text(folder / "report.md", markdown(outcome))
    write_text(folder / "report.html", page(outcome))
    write_json(folder / "report.json", outcome.to_json())


def write_status(repo: Path, outcome: Outcome) -> None:
    """Keep an outcome's status and report as a note on its commit.

    Raises:
        NoteError: The note can't be written.
    """
    line = {
        "format": FORMAT,
        "commit": outcome.commit,
        "branch": outcome.branch,
        "passed": bool(outcome),
        "verdict": outcome.verdict,
        "checks": {check.name: check.status for check in outcome.checks},
        "offered": outcome.offered,
        "started": outcome.started,
        "seconds": outcome.seconds,
        "machine": outcome.machine,
        "report": markdown(outcome),
    }
    add_line(repo, NOTE, outcome.commit, canonical_json(line))


def read_status(repo: Path, commit: str = "", *, limit: int = 20) -> list[dict[str, Any]]:
    """What notes say of a commit, or of every commit that has one; newest first.

    Args:
        repo: A folder inside the repository.
        commit: The full id; empty for all.
        limit: At most so many.
    """
    found = []
    for name in [commit] if commit else noted(repo, NOTE):
        for text in read_lines(repo, NOTE, name):
            try:
                value = json.loads(text)
            except ValueError:
                continue
            if isinstance(value, dict) and value.get("format") == FORMAT and value.get("commit") == name:
                found.append(value)
    try:
        found.sort(key=lambda one: str(one["started"]), reverse=True)
    except KeyError as exc:
        raise FurrowError(
            f"a note of refs/notes/furrow/{NOTE} has no {exc}", hint="remove it, or run CI again"
        ) from exc
    return found[:limit]
