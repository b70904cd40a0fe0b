"""Where an outcome goes: report.md, report.html, report.json, and a note on its commit (refs/notes/furrow/ci)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from furrow.files import canonical_json, write_json, write_text
from furrow.gitops.ledger import kept, kept_commits, whole
from furrow.gitops.page import page
from furrow.gitops.report import markdown
from furrow.ground.git import common_dir, is_bare
from furrow.ground.notes import noted, read_lines, set_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from furrow.gitops.outcome import Outcome

__all__ = ["NOTE", "publish", "read_status", "runs_ci", "status_line", "write_reports"]

NOTE = "ci"
FORMAT = 1


def write_reports(outcome: Outcome, folder: Path) -> None:
    """Write the reports into a folder."""
    write_text(folder / "report.md", markdown(outcome))
    write_text(folder / "report.html", page(outcome))
    write_json(folder / "report.json", outcome.to_json())


def status_line(outcome: Outcome) -> dict[str, Any]:
    """An outcome's status and report, as it is kept and published."""
    return {
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


def publish(repo: Path, commit: str) -> None:
    """Make a commit's note say what the record of the bare repository says; what others wrote there goes.

    Raises:
        NoteError: The note can't be written.
    """
    set_lines(repo, NOTE, commit, [canonical_json(line) for line in kept(common_dir(repo), commit)])


def runs_ci(repo: Path) -> bool:
    """Whether CI runs here: a bare repository with a queue; elsewhere notes tell what ran."""
    return is_bare(repo) and (common_dir(repo) / "furrow-ci").is_dir()


def read_status(repo: Path, commit: str = "", *, limit: int = 20) -> list[dict[str, Any]]:
    """What came of a commit, or of every commit that was run; newest first.

    Where CI runs, its own record tells, and no note counts. Elsewhere the notes tell: what they say is as true as those
    are honest who may push notes to the remote.

    Args:
        repo: A folder inside the repository.
        commit: The full id; empty for all.
        limit: At most so many.
    """
    if runs_ci(repo):
        home = common_dir(repo)
        found = [line for name in ([commit] if commit else kept_commits(home)) for line in kept(home, name)]
    else:
        found = list(_noted(repo, [commit] if commit else sorted(noted(repo, NOTE))))
    found.sort(key=lambda one: one["started"], reverse=True)
    return found[:limit]


def _noted(repo: Path, commits: list[str]) -> Iterator[dict[str, Any]]:
    for name in commits:
        for text in read_lines(repo, NOTE, name):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if whole(value) and value.get("format") == FORMAT and value["commit"] == name:
                yield value
