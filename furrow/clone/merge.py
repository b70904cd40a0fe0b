"""Merging what stages write: dvc.lock stage by stage, runs/ by taking one side.

`dvc repro` then mends what is left.

Raw data that both branches landed is merged file by file: see merge_data.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from furrow.clone.git_hooks import install_hooks, remove_hooks
from furrow.clone.merge_data import merge_tracked
from furrow.files import FileError, write_text
from furrow.ground.git import git, toplevel
from furrow.ground.project_place import project_prefix
from furrow.ground.start_python import furrow_in_shell
from furrow.layout import DVC_LOCK, EXPERIMENTS_YAML, MANIFEST, RUNS
from furrow.parse import ParseError, parse_yaml, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ATTRIBUTES", "install", "merge_file", "merge_stages", "uninstall"]

DRIVER = "furrow"
ATTRIBUTES = {
    DVC_LOCK: f"merge={DRIVER}",
    f"{RUNS}/**": f"merge={DRIVER}",
    MANIFEST: f"merge={DRIVER}",
    "*.dvc": f"merge={DRIVER}",
    EXPERIMENTS_YAML: "merge=union",
}
"""Lines of .gitattributes.

Stages and compile write the first three again; the map of experiments grows by lines.
"""


def uninstall(root: Path, *, dry_run: bool = False) -> list[str]:
    """Take away what `install` set: the driver, the hooks, the attributes.

    Args:
        root: The repository.
        dry_run: Whether only to say what would change.

    Returns:
        What changed, in words.
    """
    top = toplevel(root)
    done = []
    key = f"merge.{DRIVER}"
    if git(top, "config", "--local", "--get", f"{key}.driver", ok=(0, 1)).strip():
        if not dry_run:
            git(top, "config", "--local", "--remove-section", key)
        done.append("merge driver")
    path = top / ".gitattributes"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    prefix = project_prefix(root)
    own = {f"{_pattern(prefix, pattern)} {rule}" for pattern, rule in ATTRIBUTES.items()}
    kept = [line for line in lines if line not in own]
    if len(kept) < len(lines) and not path.is_symlink():
        if not dry_run:
            write_text(path, "".join(f"{line}\n" for line in kept))
        done.append(".gitattributes")
    return done + remove_hooks(top, dry_run=dry_run)


def install(root: Path, *, dry_run: bool = False) -> list[str]:
    """Set up a clone for merges.

    The driver in its own settings, its hooks, the attributes in the repository.

    Args:
        root: The repository.
        dry_run: Whether only to say what would change.

    Returns:
        What changed, in words; empty when all was there.

    Raises:
        FileError: .gitattributes is a link, which is neither followed nor replaced.
    """
    top = toplevel(root)
    done = []
    command = furrow_in_shell().replace("%", "%%") + " install --merge %O %A %B %P"
    if (
        git(top, "config", "--local", "--get", f"merge.{DRIVER}.driver", ok=(0, 1)).decode().strip()
        != command
    ):
        if not dry_run:
            about = "dvc.lock by stage, runs/, .dvc files by what they track"
            git(top, "config", "--local", f"merge.{DRIVER}.name", about)
            git(top, "config", "--local", f"merge.{DRIVER}.driver", command)
        done.append("merge driver for dvc.lock, runs/ and .dvc files")
    path = top / ".gitattributes"
    if path.is_symlink():  # what it leads to would end up in a file that the user commits next
        raise FileError(
            f"{path} is a symbolic link", path=path, hint="put a plain file in its place"
        )
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    prefix = project_prefix(root)
    wanted = [f"{_pattern(prefix, pattern)} {rule}" for pattern, rule in ATTRIBUTES.items()]
    missing = [line for line in wanted if line not in lines]
    if missing:
        if not dry_run:
            write_text(path, "\n".join([*lines, *missing]) + "\n")
        done.append(".gitattributes")
    return done + install_hooks(top, dry_run=dry_run)


def _pattern(prefix: str, pattern: str) -> str:
    """A pattern of .gitattributes for a project that may lie in a folder of the repository."""
    if not prefix:
        return pattern
    whole = f"/{prefix}{pattern}" if "/" in pattern else f"/{prefix}**/{pattern}"
    return f'"{whole}"' if " " in whole else whole


def merge_file(base: Path, ours: Path, theirs: Path, name: str) -> None:
    """Git's merge driver: write the merge into `ours`.

    dvc.lock is merged stage by stage, a .dvc file by what it tracks. A file that a stage writes is
    taken from our
    side: after the merge `dvc repro` runs what the merge made new and writes it again.

    Args:
        base: The common ancestor's file.
        ours: The current branch's, to be replaced.
        theirs: The other branch's.
        name: The path in the repository.

    Raises:
        FileError: dvc.lock does not parse, or both changed one file of raw data; Git then leaves it
            to a person.
    """
    if name.endswith(".dvc"):
        merge_tracked(base, ours, theirs, name)
    if Path(name).name != DVC_LOCK:
        return
    locks = [_read(path) for path in (base, ours, theirs)]
    merged = merge_stages(*locks)
    write_text(ours, _text(merged, ours, theirs))


def merge_stages(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Any]:
    """Merge three dvc.locks.

    A stage that one side changed is that side's, one that both changed is ours.
    """
    stages: dict[str, Any] = {}
    old, mine, other = (one.get("stages") or {} for one in (base, ours, theirs))
    for name in sorted({*mine, *other}):
        taken = other if mine.get(name) == old.get(name) else mine
        if taken.get(name) is not None:
            stages[name] = taken[name]
    return {"schema": ours.get("schema") or theirs.get("schema") or "2.0", "stages": stages}


def _text(merged: Mapping[str, Any], ours: Path, theirs: Path) -> str:
    """dvc.lock as DVC wrote it, ours with the other branch's stages in their places, so that a diff shows no more."""
    mine, other = _blocks(ours), _blocks(theirs)
    lines = [f"schema: '{merged['schema']}'\n", "stages:\n"]
    for name in [
        *(name for name in mine if name in merged["stages"]),
        *sorted(merged["stages"].keys() - mine.keys()),
    ]:
        lines += next((held[name] for held in (mine, other) if _means(held, name, merged)), [])
    text = "".join(lines)
    if parse_yaml(text, DVC_LOCK) == merged:
        return text
    return yaml.safe_dump(dict(merged), sort_keys=False, allow_unicode=True, width=10**6)


def _blocks(path: Path) -> dict[str, list[str]]:
    """The lines of each stage of a dvc.lock, its name first."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.strip() and not line.startswith("   "):
            name = line.strip().removesuffix(":").strip("'\"") if line.startswith("  ") else ""
        if name:
            found.setdefault(name, []).append(line)
    return found


def _means(held: Mapping[str, list[str]], name: str, merged: Mapping[str, Any]) -> bool:
    return name in held and parse_yaml("".join(held[name]), DVC_LOCK) == {
        name: merged["stages"][name]
    }


def _read(path: Path) -> dict[str, Any]:
    hint = "take either side, then `dvc repro`"
    try:
        value = read_yaml(path) or {}
    except (OSError, ParseError) as exc:
        raise FileError(f"cannot merge {path}: {exc}", path=path, hint=hint) from exc
    stages = value.get("stages") if isinstance(value, dict) else value
    if not isinstance(value, dict) or not isinstance(stages or {}, dict):
        what = "it" if value is stages else "stages"
        raise FileError(f"cannot merge {path}: {what} holds no mapping", path=path, hint=hint)
    return value
