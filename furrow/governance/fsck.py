"""Whether the parts of the platform hold together.

What is lost, what can be made again, and how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.features.freshness import behind
from furrow.features.manifest import parse
from furrow.features.materialize import materialize
from furrow.governance.content_check import check_contents
from furrow.governance.finding import Finding
from furrow.governance.needed_contents import needed_contents
from furrow.ground.git import common_dir, git
from furrow.ground.notes import noted, read_lines
from furrow.history.runs_index import forget_index, index_problem
from furrow.layout import FEATURES, MANIFEST
from furrow.models.register import refusal
from furrow.models.registry import versions
from furrow.parse import ParseError, parse_json
from furrow.plurals import number_of
from furrow.proof.signed_statements import NOTE
from furrow.serving.deployment_state import state_folders
from furrow.serving.log_check import damaged_files, leftovers
from furrow.serving.log_reader import read_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["fsck"]


def fsck(root: Path, *, repair: bool = False) -> list[Finding]:
    """Look at every part; one that can't be looked at does not hide the others.

    Args:
        root: The project, with its work tree.
        repair: Mend what can be mended from what is here: nothing else is ever changed.
    """
    found: list[Finding] = []
    for name, look in _PARTS.items():
        try:
            found += look(root, repair)
        except (FurrowError, OSError) as exc:
            words = " ".join(str(exc).split())
            found.append(Finding(name, "unknown", f"it could not be looked at: {words}"))
    return found


def _git(root: Path, _repair: bool) -> Iterator[Finding]:
    said = git(
        root,
        "fsck",
        "--connectivity-only",
        "--no-dangling",
        "--no-progress",
        ok=(0, *range(1, 256)),
    )
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    wrong = [line for line in lines if line.startswith(("missing", "broken", "error", "bad"))]
    if wrong:
        how = "`git fetch --refetch` brings what a remote has; or take it from another clone"
        yield Finding("Git", "damaged", f"{len(wrong)} objects, such as {wrong[0]}", how)
    else:
        yield Finding("Git", "ok", "every object that a reference reaches is here")


def _contents(root: Path, repair: bool) -> Iterator[Finding]:
    yield from check_contents(root, needed_contents(root), repair=repair)


def _versions(root: Path, _repair: bool) -> Iterator[Finding]:
    every = versions(root)
    refused = [(one, why) for one in every if (why := refusal(root, one))]
    for version, why in refused:
        how = f"nothing serves it; if it is wrong: git tag -d {version.tag}"
        yield Finding("versions", "odd", f"{version}: {why}", how)
    known = {one.tag for one in every}
    tags = git(root, "tag", "--list", "*@v*").decode(errors="replace").split()
    for tag in sorted(set(tags) - known):
        if not git(
            root, "rev-parse", "--verify", "--quiet", f"{tag}^{{commit}}", ok=(0, 1, 128)
        ).strip():
            how = "`git fetch --tags --force` brings it, if a remote has it"
            yield Finding("versions", "lost", f"the tag {tag} names no commit that is here", how)
    yield Finding("versions", "ok", f"{len(every) - len(refused)} of {len(every)} may be deployed")


def _notes(root: Path, _repair: bool) -> Iterator[Finding]:
    cut, count = [], 0
    for commit in sorted(noted(root, NOTE)):
        if not git(root, "cat-file", "-t", commit, ok=(0, 128)).strip():
            continue  # of a commit that nothing reaches any more
        for line in read_lines(root, NOTE, commit):
            count += 1
            try:
                parse_json(line)
            except ParseError:
                cut.append(commit)
    for commit in dict.fromkeys(cut):
        how = f"it counts for nothing; `furrow replay {commit[:10]}` makes one again"
        yield Finding("notes", "damaged", f"a statement on {commit[:10]} is cut short", how)
    yield Finding("notes", "ok", f"{count - len(cut)} of {count} statements can be read")


def _index(root: Path, repair: bool) -> Iterator[Finding]:
    common = common_dir(root)
    problem = index_problem(common)
    if not problem:
        yield Finding("index", "ok", "of the runs: whole, or not made yet")
    elif repair:
        forget_index(common)
        yield Finding(
            "index", "mended", f"{problem}: removed; the next list of runs makes it again"
        )
    else:
        yield Finding("index", "stale", problem, "`furrow fsck --repair`: it is only a cache")


def _online(root: Path, repair: bool) -> Iterator[Finding]:
    path = root / MANIFEST
    if not path.is_file():
        return
    manifest = parse(path.read_bytes(), origin=str(path))
    lines = behind(manifest, root / FEATURES)
    if not lines:
        yield Finding(
            "online store",
            "ok",
            f"{number_of(len(manifest.views), 'view')}, as the tables have them",
        )
    elif repair:
        materialize(root / FEATURES, full=True)
        yield Finding(
            "online store", "mended", f"{'; '.join(lines[:3])}: filled again from the tables"
        )
    else:
        how = "`furrow features materialize` fills it from the tables"
        yield Finding("online store", "stale", "; ".join(lines[:3]), how)


def _logs(root: Path, _repair: bool) -> Iterator[Finding]:
    for folder in (one / "log" for one in state_folders(root) if (one / "log").is_dir()):
        name = folder.parent.name
        lost = read_losses(folder)
        for path in damaged_files(folder):
            how = "its segment is gone: take the file from a copy, or remove its folder"
            yield Finding("log", "lost", f"{name}: {path.relative_to(folder)} can't be read", how)
        if lost.damaged:
            yield Finding("log", "lost", f"{name}: {lost.damaged} bytes are not a whole record")
        if lost.dropped:
            yield Finding("log", "lost", f"{name}: {lost.dropped} records were dropped: {lost.why}")
        left = leftovers(folder)
        if left:
            how = "the next sealing removes it: `furrow serve`, or leave it"
            yield Finding("log", "odd", f"{name}: {left[0].name} is sealed and still here", how)
        if not (lost.damaged or lost.dropped):
            yield Finding("log", "ok", f"{name}: every record can be read")


_PARTS: dict[str, Callable[[Path, bool], Iterator[Finding]]] = {
    "Git": _git,
    "DVC": _contents,
    "versions": _versions,
    "notes": _notes,
    "index": _index,
    "online store": _online,
    "log": _logs,
}
