"""`furrow init --update`.

What this version writes for a project, merged over what is there now, file by file.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.files import write_text
from furrow.ground.git import git
from furrow.scaffold.plan_init import written_for
from furrow.scaffold.raw_profiles import raw_profiles
from furrow.scaffold.template_base import base_text, keep_base, read_base

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["UpdatePlan", "plan_update", "write_update"]


@dataclass(frozen=True)
class UpdatePlan:
    """What would be written.

    Attributes:
        texts: By path.
        removed: Paths that are not written any more, and are as they were written.
        clashes: Paths whose text holds both sides of what can't be merged.
        notes: What a person should know.
        base: What is kept from then on.
    """

    texts: Mapping[str, str]
    removed: tuple[str, ...]
    clashes: tuple[str, ...]
    notes: tuple[str, ...]
    base: str


def plan_update(root: Path, *, now: datetime) -> UpdatePlan:
    """Merge what this version writes, from the answers that were given then, over what is there.

    Args:
        root: The project.
        now: Rows after it lie in the future.

    Raises:
        TemplateError: This clone does not hold what init wrote.
        FurrowError: The data that the project was made from are not here.
    """
    base = read_base(root)
    tables, references = raw_profiles(root, [one.name for one in base.given])
    newer, _, _ = written_for(root, base.answers, base.given, tables, references, now=now)
    texts: dict[str, str] = {}
    clashes, notes = [], []
    for path, text in sorted(newer.items()):
        before, there = base.texts.get(path), _text(root / path)
        if text in (before, there):
            continue
        if there is None and before is not None:
            notes.append(f"{path} was taken away: left so")
        elif there is None or there == before:
            texts[path] = text
        else:
            merged, clash = _merged(root, there, before or "", text)
            if merged != there:
                texts[path] = merged
                clashes += [path] if clash else []
    gone = {path: _text(root / path) for path in sorted(set(base.texts) - set(newer))}
    removed = tuple(path for path, there in gone.items() if there == base.texts[path])
    notes += [
        f"{path} is not written any more, and you edited it: left as it is"
        for path, there in gone.items()
        if there is not None and path not in removed
    ]
    kept = base_text(newer, base.answers, base.given)
    return UpdatePlan(texts, removed, tuple(clashes), tuple(notes), kept)


def write_update(root: Path, plan: UpdatePlan) -> None:
    """Write what was planned; killed in between, the next update comes to the same.

    Args:
        root: The project.
        plan: From `plan_update`.
    """
    for path, text in plan.texts.items():
        write_text(root / path, text)
    for path in plan.removed:
        (root / path).unlink(missing_ok=True)
    keep_base(root, plan.base)


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _merged(root: Path, mine: str, before: str, newer: str) -> tuple[str, bool]:
    """Git's three-way merge of three texts, and whether both sides changed the same lines."""
    with tempfile.TemporaryDirectory(prefix="furrow-update-") as folder:
        paths = [Path(folder) / name for name in ("yours", "as init wrote it", "newer")]
        for path, text in zip(paths, (mine, before, newer), strict=True):
            path.write_text(text, encoding="utf-8")
        labels = [word for path in paths for word in ("-L", path.name)]
        merged = git(
            root, "merge-file", "-p", *labels, *map(os.fspath, paths), ok=tuple(range(128))
        )
        found = merged.decode("utf-8")
    return found, "<<<<<<< yours" in found
