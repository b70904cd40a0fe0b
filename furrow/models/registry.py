"""The registry: versions of models as Git tags, in GTO's form, each bound to hashes, a gate and a commit."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.ground.git import git
from furrow.ground.gitobjects import iso_date, list_refs, peel, read_objects
from furrow.ground.project_place import project_prefix
from furrow.history.metrics_file import numbers
from furrow.history.signed_tags import LARGEST, TAG, tag_facts
from furrow.layout import METRICS_JSON, RECORD_JSON, run_file
from furrow.look_alikes import odd_name
from furrow.parse import ParseError, parse_json
from furrow.training.metric_registry import NEITHER, direction, ordered

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "MODEL",
    "RegistryError",
    "Version",
    "compare",
    "find",
    "name_of",
    "shown_metrics",
    "tag_prefix",
    "versions",
]

MODEL = "model.joblib"  # as models/bundle.py writes it, whose libraries a plan need not load
_RECORDED = ("model_sha256", "features_digest", "service")
SHOWN = 4
"""Metrics in a list of versions: more leave no room on a screen."""
_TAGGER = re.compile(r"^tagger ([^<\n]*)<[^\n]*> ([0-9]{1,15})\b", re.MULTILINE)


class RegistryError(FurrowError):
    """A version can't be registered, or does not exist."""


@dataclass(frozen=True)
class Version:
    """A registered version of a model.

    Attributes:
        name: The experiment's name.
        number: Such as "1.2.0".
        commit: The commit that it is of.
        facts: What its commit records: model_sha256, features_digest, service, metrics; nothing for
            a tag that was made without Furrow. Whether it was replayed is the tag's word alone:
            notes tell.
        claims: What the tag's text says. Whoever may push can write one: a claim, until the commit
            bears it out.
        registered: When, ISO 8601; empty for a tag that is not annotated.
        by: Who.
        project: What stands before its name in the tag, for a project in a folder of a repository.
    """

    name: str
    number: str
    commit: str
    facts: dict[str, Any]
    registered: str = ""
    by: str = ""
    project: str = ""
    claims: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}@v{self.number}"

    @property
    def invented(self) -> list[str]:
        """The claims that the commit does not bear out, by name."""
        return [
            key
            for key in (*_RECORDED, "metrics")
            if self.claims.get(key) not in (None, self.facts.get(key))
        ]

    @property
    def metrics(self) -> dict[str, float]:
        """What the commit says of its metrics.

        Numbers by name, nested ones as `val.auc`, in order.
        """
        said = self.facts.get("metrics")
        found = numbers(said) if isinstance(said, dict) else {}
        return {name: found[name] for name in ordered(found)}

    @property
    def tag(self) -> str:
        """Its tag in Git."""
        return f"{self.project}{self}"

    @property
    def order(self) -> tuple[int, ...]:
        """The number as integers, for sorting."""
        return tuple(int(part) for part in self.number.split("."))


def versions(root: Path, name: str | None = None) -> list[Version]:
    """Registered versions, by name and then newest first.

    Tags that GTO's own command made count too.
    """
    lines = (os.fsdecode(line).partition(" ") for line in list_refs(root, "refs/tags").splitlines())
    project = tag_prefix(root)
    start = f"refs/tags/{project}"
    named = ((oid, ref.removeprefix(start)) for oid, _, ref in lines if ref.startswith(start))
    tags = [
        (match, oid)
        for oid, tag in named
        if (match := TAG.fullmatch(tag)) and not odd_name(match["name"])
    ]
    tags = [(match, oid) for match, oid in tags if name in (None, match["name"])]
    elsewhere = _other_projects(root, project, (match["name"] for match, _ in tags))
    tags = [
        (match, oid) for match, oid in tags if match["name"].rpartition("=")[0] not in elsewhere
    ]
    commits = peel(
        root, (oid for _, oid in tags)
    )  # of a tag of a tag, too; what is gone or no commit is no version
    tags = [(match, oid) for match, oid in tags if oid in commits]
    objects = list(read_objects(root, (oid for _, oid in tags), largest=LARGEST))
    said = [_said(kind, content) for _, kind, content, _ in objects]
    named_so = [
        _is_called(kind, content, f"{project}{match[0]}")
        for (match, _), (_, kind, content, _) in zip(tags, objects, strict=True)
    ]
    tags, said = list(compress(tags, named_so)), list(compress(said, named_so))
    prefix = project_prefix(root)
    names = [
        f"{commits[oid]}:{prefix}{run_file(match['name'], file)}"
        for match, oid in tags
        for file in (RECORD_JSON, METRICS_JSON)
    ]
    files = [_mapping(content) for _, _, content, _ in read_objects(root, names, largest=LARGEST)]
    found = []
    for place, ((match, oid), (claims, when, by)) in enumerate(zip(tags, said, strict=True)):
        facts = _facts_of(match["name"], claims, *files[2 * place : 2 * place + 2])
        found.append(
            Version(match["name"], match["number"], commits[oid], facts, when, by, project, claims)
        )
    return sorted(found, key=lambda version: (version.name, [-part for part in version.order]))


def _facts_of(
    name: str, claims: dict[str, Any], record: dict[str, Any], metrics: dict[str, Any]
) -> dict[str, Any]:
    """What a commit says of a version, in the words of a tag.

    Nothing for a tag that was made without Furrow.
    """
    if "model_sha256" not in claims or not record:
        return {}
    true = {key: record.get(key) for key in _RECORDED}
    return {
        "experiment": name,
        **true,
        "metrics": metrics,
        "replayed": bool(claims.get("replayed")),
    }


def _mapping(content: bytes | None) -> dict[str, Any]:
    try:
        value = parse_json(content or b"{}")
    except ParseError:
        return {}
    return value if isinstance(value, dict) else {}


def _is_called(kind: str, content: bytes | None, tag: str) -> bool:
    """Whether a tag object is of this name: one that was made, and signed, for another is not this version."""
    head = (content or b"").partition(b"\n\n")[0]
    return kind != "tag" or content is None or f"tag {tag}".encode() in head.split(b"\n")


def _said(kind: str, content: bytes | None) -> tuple[dict[str, Any], str, str]:
    """Facts, moment and author of a tag object.

    Nothing of a bare reference, whose message is the commit's own.
    """
    if kind != "tag":
        return {}, "", ""
    head, _, message = (content or b"").decode(errors="replace").partition("\n\n")
    tagger = _TAGGER.search(head)
    return (
        tag_facts(message),
        iso_date(int(tagger[2])) if tagger else "",
        tagger[1].strip() if tagger else "",
    )


def tag_prefix(root: Path) -> str:
    """What stands before the names of a project's models, as GTO has it for a folder of a repository: "FOLDER="."""
    prefix = project_prefix(root).rstrip("/")
    if not prefix:
        return ""
    return f"{re.sub(r'[^A-Za-z0-9_/-]', '-', prefix)}="


def _other_projects(root: Path, project: str, names: Iterable[str]) -> set[str]:
    """The folders before a "=" in names of models that are projects of their own."""
    above = project.rstrip("=")
    found = {name.rpartition("=")[0] for name in names if "=" in name}
    declared = (f"HEAD:{above}{'/' if above else ''}{folder}/dvc.yaml" for folder in sorted(found))
    there = [
        bool(git(root, "rev-parse", "--verify", "--quiet", path, ok=(0, 1, 128)).strip())
        for path in declared
    ]
    return {folder for folder, known in zip(sorted(found), there, strict=True) if known}


def name_of(version: str) -> str:
    """The model of a version as text, "gbm" of "gbm@v1.2.0".

    A model's name may hold an @ itself.
    """
    found = TAG.fullmatch(version)
    return found["name"] if found else version


def shown_metrics(listed: Iterable[Version]) -> list[str]:
    """The metrics that a list of versions has room for.

    Those that are better one way first, in the usual order.
    """
    names = ordered({name for version in listed for name in version.metrics})
    return sorted(names, key=lambda name: direction(name) == NEITHER)[:SHOWN]


def find(root: Path, text: str) -> Version:
    """The version that NAME@vX.Y.Z, NAME@X.Y.Z, NAME@latest or NAME names.

    A NAME may hold an @ itself.

    Raises:
        RegistryError: There is no such version.
    """
    every = versions(root)
    before, _, number = text.rpartition("@")
    for version in every:  # the newest of each name first
        if version.name == text or (
            version.name == before and number.removeprefix("v") in ("", "latest", version.number)
        ):
            return version
    known = [version for version in every if version.name == (before or text)]
    if known:
        hint = f"there are: {', '.join(map(str, known))}"
    else:
        names = sorted({version.name for version in every})
        hint = (
            f"registered models: {', '.join(names)}"
            if names
            else "register one: furrow models register EXPERIMENT"
        )
    raise RegistryError(f"there is no version {text!r}", hint=hint)


def compare(one: Version, two: Version) -> dict[str, Any]:
    """What differs between two versions.

    Metrics side by side, the features' digest, the model's hash.
    """
    metrics = {}
    first, second = one.metrics, two.metrics
    for name in ordered({*first, *second}):
        old, new = first.get(name), second.get(name)
        metrics[name] = {
            "from": old,
            "to": new,
            "change": None if old is None or new is None else new - old,
        }
    same = {
        key: one.facts.get(key) == two.facts.get(key)
        for key in ("features_digest", "model_sha256", "service")
    }
    return {"from": str(one), "to": str(two), "metrics": metrics, "same": same}
