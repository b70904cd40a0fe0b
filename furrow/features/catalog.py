"""The catalog: what features there are, what they mean, how fresh they are, and who uses them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.features.column_notes import Meaning, meaning, noted, tagged
from furrow.features.manifest import load, repository_root
from furrow.features.manifest_cache import compiled, fingerprint, is_current, remember
from furrow.features.raw_columns import read_contract
from furrow.features.uses import TrainedModel, experiments_of, models_of
from furrow.ground.trust import is_trusted
from furrow.layout import FEATURE_STORE_YAML, MANIFEST_JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from furrow.features.schema import Manifest, OnDemandView, Service, View

__all__ = ["Catalog", "Entry", "Found", "UnknownNameError", "open_catalog", "service_entry"]


class UnknownNameError(FurrowError):
    """There is no view, feature or service of this name.

    Args:
        name: The name asked for.
        known: The names that there are.
        what: What was asked for.
    """

    def __init__(
        self, name: str, known: Mapping[str, Any] | set[str], what: str = "view, feature or service"
    ) -> None:
        close = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)
        hint = (
            f"did you mean {' or '.join(close)}?"
            if close
            else "`furrow features list` names them all"
        )
        super().__init__(f"there is no {what} {name!r}", hint=hint)
        self.name = name


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the catalog.

    Attributes:
        kind: "view", "on_demand", "service", "table" or "feature".
        name: Its name; a feature's is "view:feature".
        dtype: A feature's type.
        unit: What a feature is counted in.
        keys: A view's join keys.
        ttl_seconds: How long a view's value holds; None: it never expires.
    """

    kind: str
    name: str
    owner: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    dtype: str = ""
    unit: str = ""
    keys: tuple[str, ...] = ()
    ttl_seconds: int | None = None
    features: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that a search found, and how well it fits: larger is better."""

    entry: Entry
    score: float


@dataclass
class Catalog:
    """The definitions of one features folder, and what surrounds them.

    Attributes:
        repo_dir: The features folder.
        root: The repository.
        manifest: The definitions.
        stale: Whether manifest.json is missing or says something else.
    """

    repo_dir: Path
    root: Path
    manifest: Manifest
    stale: bool = False

    @cached_property
    def experiments(self) -> dict[str, str]:
        """The feature service of each declared experiment."""
        return experiments_of(self.root)

    @cached_property
    def models(self) -> list[TrainedModel]:
        """The trained models and the digests they stand on."""
        return models_of(self.root)

    @cached_property
    def lineage(self) -> dict[str, tuple[str, ...]]:
        """The raw columns behind each feature, by "view:feature"."""
        # SQLGlot, which a list does without
        from furrow.features.lineage import feature_lineage  # noqa: PLC0415

        return feature_lineage(self.manifest, self.repo_dir, read_contract(self.root))

    def meanings(self, view: View | OnDemandView) -> dict[str, Meaning]:
        """What each feature of a view means, and its unit.

        By its Field, a comment of the table's SQL, or a tag of an on-demand view.
        """
        mapping: Mapping[str, str] = getattr(view, "field_mapping", {})
        sources = {feature: source for source, feature in mapping.items()}
        names = [column.name for column in view.features]
        comments = {**tagged(view.tags, names), **self._comments(getattr(view, "table", None))}
        return {
            column.name: meaning(column, comments, sources.get(column.name, ""))
            for column in view.features
        }

    def _comments(self, table: str | None) -> dict[str, Meaning]:
        """Those beside a feature table's columns; none where the file can't be read."""
        if table is None:
            return {}
        for path in sorted((self.repo_dir / "tables").rglob(f"{table}.sql")):
            try:
                return noted(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError):
                return {}
        return {}

    def services_of(self, view: str, feature: str | None = None) -> tuple[str, ...]:
        """The services that take a view, or one feature of it; also through an on-demand view."""
        takers = {view: feature}
        for name, on_demand in self.manifest.on_demand.items():
            if any(i.view == view and feature in (None, i.name) for i in on_demand.inputs):
                takers[name] = None
        return tuple(
            name
            for name, service in sorted(self.manifest.services.items())
            if any(
                p.view in takers and takers[p.view] in (None, *p.features) for p in service.views
            )
        )

    def entries(self) -> list[Entry]:
        """Every view, on-demand view and service, each kind by name."""
        manifest = self.manifest
        return [
            *(self.view_entry(view) for _, view in sorted(manifest.views.items())),
            *(self.on_demand_entry(view) for _, view in sorted(manifest.on_demand.items())),
            *(service_entry(service) for _, service in sorted(manifest.services.items())),
        ]

    def features(self) -> list[Entry]:
        """Every feature, by view."""
        meanings = {view.name: self.meanings(view) for view in self.all_views()}
        return [
            Entry(
                kind="feature",
                name=f"{view.name}:{column.name}",
                owner=view.owner,
                description=meanings[view.name][column.name].description,
                unit=meanings[view.name][column.name].unit,
                dtype=column.dtype,
                ttl_seconds=getattr(view, "ttl_seconds", None),
                services=self.services_of(view.name, column.name),
            )
            for view in self.all_views()
            for column in view.features
        ]

    def all_views(self) -> list[View | OnDemandView]:
        """Feature views and on-demand views together, by name."""
        both: list[View | OnDemandView] = [
            *self.manifest.views.values(),
            *self.manifest.on_demand.values(),
        ]
        return sorted(both, key=lambda view: view.name)

    def view_entry(self, view: View) -> Entry:
        """A feature view's line."""
        return Entry(
            kind="view",
            name=view.name,
            owner=view.owner,
            description=view.description,
            tags=view.tags,
            keys=tuple(key.name for key in view.join_keys),
            ttl_seconds=view.ttl_seconds,
            features=tuple(column.name for column in view.features),
            services=self.services_of(view.name),
            digest=view.digest,
        )

    def on_demand_entry(self, view: OnDemandView) -> Entry:
        """An on-demand view's line."""
        return Entry(
            kind="on_demand",
            name=view.name,
            owner=view.owner,
            description=view.description,
            tags=view.tags,
            features=tuple(column.name for column in view.features),
            services=self.services_of(view.name),
            digest=view.digest,
        )

    def search(self, words: tuple[str, ...]) -> list[Found]:
        """Find entries that hold every word.

        In a name, a tag, a description, an owner or a raw column.

        Args:
            words: The words, in any case; a part of a word fits too, less well.

        Returns:
            The entries, the best first.
        """
        found = []
        for entry in [*self.entries(), *self.features()]:
            texts = [(4.0, entry.name), (2.0, " ".join(f"{k} {v}" for k, v in entry.tags.items()))]
            texts += [
                (1.5, entry.description),
                (1.0, entry.owner),
                (1.0, " ".join((*entry.keys, entry.dtype, entry.unit))),
            ]
            if entry.kind == "feature":
                texts.append((1.0, " ".join(self.lineage.get(entry.name, ()))))
            scores = [
                max(weight * _fit(word.lower(), text.lower()) for weight, text in texts)
                for word in words
            ]
            if scores and min(scores) > 0:
                found.append(Found(entry, sum(scores)))
        return sorted(
            found, key=lambda each: (-each.score, each.entry.kind == "feature", each.entry.name)
        )


def open_catalog(repo_dir: Path, notify: Callable[[str], None] = lambda _: None) -> Catalog:
    """Open the catalog of a features folder.

    From manifest.json if that is up to date, else through Feast.

    Args:
        repo_dir: The features folder.
        notify: Told, in a line, why Feast has to be loaded.

    Raises:
        FurrowError: The definitions are wrong.
    """
    path = repo_dir / MANIFEST_JSON
    root = repository_root(repo_dir)
    if is_current(repo_dir):
        return Catalog(repo_dir, root, load(path))
    old_news = f"{path} is not what the definitions say: `furrow compile` writes it anew"
    manifest = compiled(repo_dir)
    if manifest is not None:
        notify(old_news)
        return Catalog(repo_dir, root, manifest, stale=True)
    if not (repo_dir / FEATURE_STORE_YAML).is_file():
        hint = "name the folder of the Feast repository: `-C features`"
        raise FurrowError(f"there is no Feast repository at {repo_dir}", hint=hint)
    if path.is_file() and not is_trusted(repo_dir):
        notify(f"{path} as committed: the definitions are not run before `furrow trust` says so")
        return Catalog(repo_dir, root, load(path))
    notify(f"{path} is new or its sources have changed: running the definitions through Feast")
    # Feast, which takes seconds to import
    from furrow.features.build import compile_manifest  # noqa: PLC0415

    seen = fingerprint(repo_dir)
    manifest = compile_manifest(repo_dir)
    try:
        stale = load(path) != manifest
    except FurrowError:
        stale = True
    if stale:
        notify(old_news)
    remember(repo_dir, seen, manifest if stale else None)
    return Catalog(repo_dir, root, manifest, stale=stale)


def service_entry(service: Service) -> Entry:
    """A service's line."""
    return Entry(
        kind="service",
        name=service.name,
        owner=service.owner,
        description=service.description,
        tags=service.tags,
        features=tuple(feature for projection in service.views for feature in projection.features),
        digest=service.digest,
    )


def _fit(word: str, text: str) -> float:
    """How well a word fits a text: 1 for a whole word of it, less for a part, 0 for none."""
    if not word or word not in text:
        return 0.0
    words = re.findall(r"[^\W_]+", text)
    if word == text or word in words or word in re.findall(r"\w+", text):
        return 1.0 + len(word) / (10 * len(text))
    return 0.6 if any(part.startswith(word) for part in words) else 0.4
