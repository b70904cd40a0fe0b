"""What a plan looks up once something has changed, through Feast, SQL, Arrow and Git.

An idle plan needs none of it.
"""

from __future__ import annotations

import json
import posixpath
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from furrow import __version__, layout
from furrow.data.changes import data_changes
from furrow.data.contract import contract_digest
from furrow.errors import FurrowError
from furrow.features.manifest import parse
from furrow.features.manifest_diff import diff
from furrow.files import FileError, machine_file, read_json, sha256_json, write_json
from furrow.ground.git import GitError, show
from furrow.ground.hashes import folder_md5
from furrow.ground.kept_here import read_kept
from furrow.layout import CONTRACT, EVALUATIONS, MANIFEST, PIPELINE
from furrow.plan.baseline import Baseline
from furrow.plan.known_manifest import known_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from furrow.features.manifest import Manifest
    from furrow.ground.pipeline_spec import Source
    from furrow.ground.runcache import Cache
    from furrow.plan.workspace import Workspace

__all__ = ["Lookup"]

COMPILED = f"{layout.FURROW}/compiled.json"


class Lookup:
    """Answers about one tree of declarations.

    Args:
        root: The tree.
        repo: The repository that its history is in.
        commit: The commit that dvc.lock is of, if known.
        cache: DVC's cache.
        workspace: The tree's files, DVC's included.
        sources: What .dvc files track.
        recorded: The md5s that dvc.lock records of what is read, by path.
    """

    def __init__(
        self,
        root: Path,
        repo: Path,
        commit: str | None,
        *,
        cache: Cache,
        workspace: Workspace,
        sources: Sequence[Source],
        recorded: Mapping[str, set[str]],
    ) -> None:
        self._root, self._repo = root, repo
        self.baseline = Baseline(root, repo, commit)
        self._cache, self._workspace, self._sources = cache, workspace, sources
        self._recorded = recorded
        self._after: Manifest | None = None

    def compile(self, inputs: Mapping[str, str], *, same_features: bool) -> dict[str, str | None]:
        """What `furrow compile` would write, by path; None for what it removes.

        What the same inputs gave last time is kept under .furrow/, which may be removed at any
        time.

        Args:
            inputs: The md5 of everything that it reads, by path.
            same_features: Whether features/manifest.json is known to be what the definitions give.

        Raises:
            FurrowError: A declaration is wrong.
        """
        key = sha256_json([__version__, dict(inputs)])
        held = self._remembered(key)
        if held is None:
            held = self._compile(self._at_hand if same_features and self._same_contract() else None)
            if self._root == self._repo:
                with suppress(FileError):
                    write_json(
                        machine_file(self._root, COMPILED), {"format": 1, "key": key, "texts": held}
                    )
        self._after = parse(held[MANIFEST], origin=MANIFEST, depth=1)
        texts: dict[str, str | None] = dict(held)
        for stale in (self._root / EVALUATIONS).glob("*.json"):
            if layout.run_file(stale.stem, layout.RUN_CONFIG) not in held:
                texts[f"{layout.EVALUATIONS}/{stale.name}"] = None
        return texts

    def _compile(self, manifest: Manifest | None) -> dict[str, str]:
        # Feast and Hydra, only to compile
        from furrow.plan.compile import compile_repository  # noqa: PLC0415

        if manifest is None and self._root == self._repo:
            manifest = known_manifest(self._root)
        compiled = compile_repository(self._root, manifest)
        return {
            **compiled.files(),
            PIPELINE: json.dumps(compiled.pipeline),
            MANIFEST: json.dumps(compiled.manifest.to_json()),
        }

    def _remembered(self, key: str) -> dict[str, str] | None:
        if self._root != self._repo:  # the tree of a commit, which says what it likes
            return None
        held = read_kept(self._root, COMPILED)
        if not isinstance(held, dict) or held.get("format") != 1 or held.get("key") != key:
            return None
        texts = held.get("texts")
        return texts if isinstance(texts, dict) and MANIFEST in texts else None

    def _same_contract(self) -> bool:
        """Whether the contract, which types the raw columns, is the one that was compiled last."""
        try:
            known = read_json(self._root / PIPELINE)
            return bool(known["contract"] == contract_digest(self._root / CONTRACT))
        except (FurrowError, KeyError, TypeError):
            return False

    @property
    def after(self) -> Manifest | None:
        """The manifest that is declared: the compiled one, else the one on file.

        None when there is none.
        """
        return self._after or self._at_hand

    @cached_property
    def _at_hand(self) -> Manifest | None:
        return _parsed(self._root / MANIFEST)

    def before(self, service_digest: str | None = None) -> Manifest | None:
        """The manifest as it was before, or the newest one known in which some service had this digest."""
        for manifest in self._earlier():
            if service_digest is None or service_digest in {
                each.digest for each in manifest.services.values()
            }:
                return manifest
        return None

    def _earlier(self) -> Iterator[Manifest]:
        if self._root == self._repo and self._at_hand is not None:
            yield self._at_hand
        for commit in dict.fromkeys([self.baseline.commit, "HEAD"]):
            if commit is None:
                continue
            try:
                content = show(self._repo, commit, MANIFEST)
                if content is not None:
                    yield parse(content, origin=f"{commit}:{MANIFEST}", depth=1)
            except (FurrowError, GitError):
                continue

    def features(self, old: str, new: str) -> list[str]:
        """What changed between two digests of a feature service, in words."""
        before, after = self.before(old), self.after
        if before is None or after is None:
            return []
        changed = [name for name, service in after.services.items() if service.digest == new]
        concerned = set().union(
            *(_concerned(manifest, name) for manifest in (before, after) for name in changed)
        )
        return [
            str(change)
            for change in diff(before, after).changes
            if change.meaning and change.name in concerned
        ]

    def data(self, path: str, old: str) -> list[str] | None:
        """What changed of a path of raw data since its content had this md5.

        None when it is no raw data.
        """
        if not any(
            path == source.path or path.startswith(f"{source.path}/") for source in self._sources
        ):
            return None
        files = (
            self._listing(path, old) if old.endswith(".dir") else {posixpath.basename(path): old}
        )
        if files is None:
            return []
        now: Mapping[str, str] = self._workspace.listing(path)
        folder = self._root / path
        if not old.endswith(".dir"):
            md5 = self._workspace.md5(path)
            now, folder = ({posixpath.basename(path): md5} if md5 else {}), folder.parent
        return data_changes(
            files, now, before=self._cache.path, now=self._cache.path, folder=folder
        )

    def _listing(self, path: str, md5: str) -> Mapping[str, str] | None:
        """The files of a folder's old content.

        Those of a folder inside tracked data are part of the whole's list.
        """
        found = self._cache.listing(md5)
        if found is not None:
            return found
        for source in self._sources:
            prefix = f"{path[len(source.path) + 1 :]}/"
            for whole in dict.fromkeys([*self._recorded.get(source.path, ()), source.md5]):
                listed = self._cache.listing(whole) or {}
                inner = {
                    name[len(prefix) :]: each
                    for name, each in listed.items()
                    if name.startswith(prefix)
                }
                if inner and folder_md5(inner) == md5:
                    return inner
        return None


def _parsed(path: Path) -> Manifest | None:
    try:
        return parse(path.read_bytes(), origin=str(path), depth=1)
    except (OSError, FurrowError):
        return None


def _concerned(manifest: Manifest, service: str) -> set[str]:
    """The definitions that a service stands on.

    Its views, their tables, what feeds its on-demand views, itself.
    """
    if service not in manifest.services:
        return {service}
    names = {projection.view for projection in manifest.services[service].views}
    for name in sorted(names & manifest.on_demand.keys()):
        names |= {entry.view for entry in manifest.on_demand[name].inputs}
    tables = {manifest.views[name].table for name in names if name in manifest.views}
    todo = [table for table in tables if table]
    while todo:
        table = todo.pop()
        names.add(table)
        if table in manifest.tables:
            todo += [
                other
                for other in manifest.tables[table].reads
                if other in manifest.tables and other not in names
            ]
    return names | {service}
