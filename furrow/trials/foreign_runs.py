"""Runs that another tool made, recorded as DVC experiments beside HEAD.

Once, however often they are brought.

Each commit names the run and the digest of what it holds. So a second import has nothing to do, and
one after a run went on records what it has become.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from furrow import layout
from furrow.files import canonical_json, sha256_bytes
from furrow.ground.experiments import list_experiments, open_base

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from furrow.ground.experiments import Base

__all__ = ["ForeignRun", "Imported", "record_runs", "slug"]


@dataclass(frozen=True)
class ForeignRun:
    """A run.

    Attributes:
        key: What it is called for good, where it comes from.
        group: Runs of one group are runs of one name here.
        title: What people call it.
        files: Its files, by path in runs/NAME/.
        when: Seconds since the epoch.
    """

    key: str
    group: str
    title: str
    files: Mapping[str, bytes]
    when: int


@dataclass
class Imported:
    """What came of an import.

    Attributes:
        new: Runs that were recorded.
        there: Runs that were there already.
        commits: The commit of each run, by key.
        versions: Tags that were made.
        notes: What was left out, a line each.
    """

    new: int = 0
    there: int = 0
    commits: dict[str, str] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def record_runs(root: Path, runs: Iterable[ForeignRun], *, tool: str) -> Imported:
    """Record runs that are not recorded yet.

    Args:
        root: The repository, with a commit.
        runs: In order.
        tool: Whose they are: begins the trailers of their commits.

    Raises:
        ExperimentError: The repository can't be written; what is recorded stays so.
    """
    base, found = open_base(root), Imported()
    known: dict[str, dict[str, str]] = {}
    for one in list_experiments(root):
        key = one.trailers.get(f"{tool}-Run")
        if key is not None:
            known.setdefault(key, {})[one.trailers.get(f"{tool}-Digest", "")] = one.commit
    names: dict[str, str] = {}
    for run in runs:
        if run.group not in names:
            names[run.group] = _name(base, run.group, tool.lower(), set(names.values()))
        texts = {path: content.decode(errors="replace") for path, content in run.files.items()}
        digest = sha256_bytes(canonical_json(texts).encode())
        there = known.get(run.key, {}).get(digest)
        if there is None:
            there = _write(base, run, names[run.group], digest, tool)
            found.new += 1
        else:
            found.there += 1
        found.commits[run.key] = there
    return found


def _write(base: Base, run: ForeignRun, name: str, digest: str, tool: str) -> str:
    """Write one run; under a longer name where the short one is another's."""
    subject = " ".join(run.title.split()) or run.key
    trailers = f"{tool}-Run: {run.key}\n{tool}-Digest: {digest}\n"
    message = f"{subject[:120]}\n\n{trailers}"
    files = {f"{layout.RUNS}/{name}/{path}": content for path, content in run.files.items()}
    key = slug(run.key, "-")
    for short in (f"{name}-{key[:8]}", f"{name}-{key[:40]}", f"{name}-{digest[:24]}"):
        if base.recorded(short) is None:
            return base.write(short, files, message, when=max(run.when, 0))
    return base.write(f"{name}-{digest}", files, message, when=max(run.when, 0))


def _name(base: Base, group: str, tool: str, taken: set[str]) -> str:
    """The folder of runs/ for a group: one that the repository has no run in."""
    wanted = slug(group, "_")
    wanted = wanted if wanted[:1].isalpha() else f"{tool}_{wanted}".rstrip("_")
    if base.read(base.commit, layout.run(wanted)):
        wanted = f"{tool}_{wanted}"
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def slug(text: str, joint: str) -> str:
    """A text in lower-case ASCII letters and digits, with one joint for whatever else it holds."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", joint, plain).strip(joint)
