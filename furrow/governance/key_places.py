"""Where a key is besides DVC's contents and prediction logs.

The online store, texts in Git, the remote's objects.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.features.manifest import load
from furrow.features.open_store import open_reader
from furrow.features.read_plan import make_plan
from furrow.features.schema import Projection, Service
from furrow.ground.dvc_remote_folder import remote_address_of, remote_folder
from furrow.ground.git import git, is_bare
from furrow.ground.hashes import content_path
from furrow.ground.notes import NOTES
from furrow.ground.project_place import dvc_root
from furrow.layout import FEATURES, MANIFEST_JSON

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from furrow.features.read_plan import Plan

__all__ = ["in_git_texts", "in_online_store", "on_remote"]

_BOUND = "(^|[^A-Za-z0-9_])"
_ENDED = "([^A-Za-z0-9_.]|$)"
_TABLES = ("*.csv", "*.tsv", "*.parquet", "*.jsonl", "*.xlsx")


def in_online_store(
    root: Path, keys: Sequence[Mapping[str, str]], unknown: list[str]
) -> list[dict[str, Any]]:
    """The views whose online store has a record of a key.

    Args:
        root: The project.
        keys: Values as text, by join key.
        unknown: Is told what could not be looked at.
    """
    folder = root / FEATURES
    if not (folder / MANIFEST_JSON).is_file():
        return []
    found: dict[str, dict[str, Any]] = {}
    try:
        manifest = load(folder)
        with open_reader(manifest, folder) as store:
            packed = store.layout == "furrow"
            for name, view in manifest.views.items():
                names = tuple(one.name for one in view.features)
                alone = Service(name, "", (Projection(name, name, names),))
                only = replace(manifest, services={name: alone})
                plan = make_plan(only, name, run_code=False, full_names=True)
                for stored, asked in _asked(plan, keys, packed=packed):
                    if stored not in store.held():
                        continue  # it was never filled
                    _, (records,) = store.read([(stored, asked)])
                    if count := sum(one is not None for one in records):
                        found[name] = {"view": name, "store": store.place, "records": count}
    except FurrowError as exc:
        unknown.append(f"the online store can't be looked at: {exc.message}")
    return list(found.values())


def _asked(
    plan: Plan, keys: Sequence[Mapping[str, str]], *, packed: bool
) -> Iterator[tuple[str, list[bytes | None]]]:
    """For each view of a service, the keys of those that name all of its join keys."""
    for part in plan.parts:
        spec = plan.specs[part.spec]
        rows = []
        for key in keys:
            row = {
                field: _typed(key.get(field, key.get(name)), dtype)
                for field, name, dtype in spec.fields
            }
            if row and all(value is not None for value in row.values()):
                rows.append(row)
        if rows:
            yield part.stored, spec.keys(rows) if packed else spec.feast_keys(rows)


def _typed(text: str | None, dtype: str) -> Any:
    """A value as a store's key has it; None where the text is none of its type."""
    if text is None or dtype == "String":
        return text
    try:
        return int(text) if dtype.startswith("Int") else text
    except ValueError:
        return None


def in_git_texts(
    root: Path, keys: Sequence[Mapping[str, str]], unknown: list[str]
) -> list[dict[str, Any]]:
    """Files at the tip of any branch, registered versions and Furrow's notes that name a key beside its value.

    Args:
        root: The project.
        keys: Values as text, by name.
        unknown: Is told what could not be looked at.
    """
    listed = git(
        root,
        "for-each-ref",
        "--format=%(refname)",
        "refs/heads",
        "refs/tags",
        "refs/remotes",
        f"{NOTES}/",
    )
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for ref in listed.decode().split():
        for path in sorted({one for key in keys for one in _naming(root, ref, key)}):
            # notes lie in folders by the commit's digits: together they are its name
            where = path.replace("/", "") if ref.startswith(NOTES) else path
            one = found.setdefault((where, _kind(ref)), {"path": where, "in": _kind(ref), "at": []})
            one["at"].append(ref)
    told = b"" if is_bare(root) else git(root, "ls-files", "-z", "--", *_TABLES)
    if tables := [one for one in told.decode(errors="replace").split("\0") if one]:
        unknown.append(
            f"{len(tables)} tables that Git itself has were not searched, such as {tables[0]}"
        )
    return list(found.values())


def _kind(ref: str) -> str:
    return ref.removeprefix("refs/") if ref.startswith(NOTES) else "Git"


def _naming(root: Path, ref: str, key: Mapping[str, str]) -> set[str]:
    """Paths of a tree whose text has each name of a key with its value right behind it."""
    paths: set[str] | None = None
    for name, value in key.items():
        words = f"{_BOUND}{_literal(name)}[\"' ]*[:=][\"' ]*{_literal(value)}{_ENDED}"
        told = git(root, "grep", "-I", "-l", "-z", "-E", "-e", words, ref, ok=(0, 1))
        names = told.decode(errors="replace").split("\0")
        here = {one.removeprefix(f"{ref}:") for one in names if one}
        paths = here if paths is None else paths & here
    return paths or set()


def _literal(text: str) -> str:
    """A text for an extended regular expression; what is none of its signs stays as it is."""
    return re.sub(r"([.\[\]{}()*+?^$|\\])", r"\\\1", text)


def on_remote(root: Path, contents: Collection[str], unknown: list[str]) -> list[dict[str, Any]]:
    """Which contents DVC's remote has, too.

    Args:
        root: The project.
        contents: Their md5.
        unknown: Is told of a remote that can't be looked into from here.
    """
    holder = dvc_root(root)
    address, folder = remote_address_of(holder), remote_folder(holder)
    if not address or not contents:
        return []
    if folder is None or not folder.is_dir():
        unknown.append(
            f"the DVC remote {address} is not a folder of this machine: whether it has the"
            f" {len(contents)} contents is not known (`dvc status --cloud`)"
        )
        return []
    places = {md5: content_path(folder / "files/md5", md5) for md5 in sorted(contents)}
    return [{"remote": address, "object": md5} for md5, path in places.items() if path.is_file()]
