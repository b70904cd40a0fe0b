"""Where an outcome goes.

report.md, report.html, report.json, and a note on its commit (refs/notes/furrow/ci).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from furrow.ci.report_markdown import markdown
from furrow.ci.report_page import page
from furrow.ci.run_record import kept, kept_commits, whole
from furrow.files import canonical_json, write_json, write_text
from furrow.ground.git import common_dir, git, is_bare
from furrow.ground.notes import noted, read_lines, set_lines
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from furrow.ci.outcome import Outcome

__all__ = ["NOTE", "publish", "read_status", "runs_ci", "status_line", "subjects", "write_reports"]

NOTE = "ci"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
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
        "project": outcome.project,
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
    """Make a commit's note say what the record of the bare repository says.

    What others wrote there goes.

    Raises:
        NoteError: The note can't be written.
    """
    set_lines(repo, NOTE, commit, [canonical_json(line) for line in kept(common_dir(repo), commit)])


def runs_ci(repo: Path) -> bool:
    """Whether CI runs here: a bare repository with a queue; elsewhere notes tell what ran."""
    return is_bare(repo) and (common_dir(repo) / "furrow-ci").is_dir()


def read_status(repo: Path, commit: str = "", *, limit: int = 20) -> list[dict[str, Any]]:
    """What came of a commit, or of every commit that was run; newest first.

    Where CI runs, its own record tells, and no note counts. Elsewhere the notes tell: what they say
    is as true as those are honest who may push notes to the remote. Each line says which it is:
    "source" is "record" or "note".

    Args:
        repo: A folder inside the repository.
        commit: The full id; empty for all.
        limit: At most so many.
    """
    if runs_ci(repo):
        home = common_dir(repo)
        names = [commit] if commit else kept_commits(home)
        found = [{**line, "source": "record"} for name in names for line in kept(home, name)]
    else:
        names = [commit] if commit else sorted(noted(repo, NOTE))
        found = [{**line, "source": "note"} for line in _noted(repo, names)]
    found.sort(key=lambda one: one["started"], reverse=True)
    return found[:limit]


def _noted(repo: Path, commits: list[str]) -> Iterator[dict[str, Any]]:
    for name in commits:
        for text in read_lines(repo, NOTE, name):
            try:
                value = parse_json(text)
            except ValueError:
                continue
            if whole(value) and value.get("format") == FORMAT and value["commit"] == name:
                yield _shown(value)


def _shown(line: dict[str, Any]) -> dict[str, Any]:
    """A line that anybody may have written, fit to be shown.

    Of the right types, and without control characters.
    """
    seconds, checks, report = (line.get(name) for name in ("seconds", "checks", "report"))
    found: dict[str, Any] = {
        name: _CONTROL.sub("", value) for name, value in line.items() if isinstance(value, str)
    }
    found |= {
        "format": FORMAT,
        "passed": line["passed"],
        "seconds": seconds if isinstance(seconds, int | float) else 0,
    }
    found["checks"] = checks if isinstance(checks, dict) else {}
    return found if isinstance(report, str) else {**found, "report": ""}


def subjects(repo: Path, commits: list[str]) -> dict[str, str]:
    """The first lines of commits' messages by id; those that are not here have none."""
    if not commits:
        return {}
    text = git(
        repo,
        "log",
        "--no-walk",
        "--ignore-missing",
        "--format=%H %s",
        "--stdin",
        stdin="\n".join(commits).encode(),
    )
    return dict(
        line.split(" ", 1) for line in text.decode(errors="replace").splitlines() if " " in line
    )
