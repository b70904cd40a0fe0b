"""The registry: versions of models as Git tags, in GTO's form, each bound to hashes, a gate and a commit."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import sha256_file
from furrow.ground.git import git, is_dirty, is_shallow, resolve, show
from furrow.ground.gitobjects import iso_date, list_refs, peel, read_objects
from furrow.ground.project_place import project_prefix
from furrow.history.metrics_file import numbers
from furrow.history.signed_tags import LARGEST, TAG, tag_facts
from furrow.layout import CHAMPION, run_file
from furrow.parse import ParseError, parse_json, read_yaml
from furrow.replay.note_verify import verify
from furrow.training.champions import Champion, ChampionError, read_champions, verdict_of
from furrow.training.metric_registry import NEITHER, direction, ordered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "MODEL",
    "RegistryError",
    "Version",
    "champions_at",
    "compare",
    "find",
    "name_of",
    "next_number",
    "refusal",
    "register",
    "replay_holds",
    "settings",
    "shown_metrics",
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
        facts: What its commit records: model_sha256, features_digest, service, metrics; nothing for a tag that was
            made without Furrow. Whether it was replayed is the tag's word alone: notes tell.
        claims: What the tag's text says. Whoever may push can write one: a claim, until the commit bears it out.
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
        return [key for key in (*_RECORDED, "metrics") if self.claims.get(key) not in (None, self.facts.get(key))]

    @property
    def metrics(self) -> dict[str, float]:
        """What the commit says of its metrics: numbers by name, nested ones as `val.auc`, in order."""
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
    """Registered versions, by name and then newest first; tags that GTO's own command made count too."""
    lines = (os.fsdecode(line).partition(" ") for line in list_refs(root, "refs/tags").splitlines())
    project = _project(root)
    start = f"refs/tags/{project}"
    named = ((oid, ref.removeprefix(start)) for oid, _, ref in lines if ref.startswith(start))
    tags = [(match, oid) for oid, tag in named if (match := TAG.fullmatch(tag))]
    tags = [(match, oid) for match, oid in tags if name in (None, match["name"])]
    elsewhere = _other_projects(root, project, (match["name"] for match, _ in tags))
    tags = [(match, oid) for match, oid in tags if match["name"].rpartition("=")[0] not in elsewhere]
    commits = peel(root, (oid for _, oid in tags))  # of a tag of a tag, too; what is gone or no commit is no version
    tags = [(match, oid) for match, oid in tags if oid in commits]
    objects = read_objects(root, (oid for _, oid in tags), largest=LARGEST)
    said = [_said(kind, content) for _, kind, content, _ in objects]
    prefix = project_prefix(root)
    names = [
        f"{commits[oid]}:{prefix}{run_file(match['name'], file)}"
        for match, oid in tags
        for file in ("record.json", "metrics.json")
    ]
    files = [_mapping(content) for _, _, content, _ in read_objects(root, names, largest=LARGEST)]
    found = []
    for place, ((match, oid), (claims, when, by)) in enumerate(zip(tags, said, strict=True)):
        facts = _facts_of(match["name"], claims, *files[2 * place : 2 * place + 2])
        found.append(Version(match["name"], match["number"], commits[oid], facts, when, by, project, claims))
    return sorted(found, key=lambda version: (version.name, [-part for part in version.order]))


def _facts_of(name: str, claims: dict[str, Any], record: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    """What a commit says of a version, in the words of a tag; nothing for a tag that was made without Furrow."""
    if "model_sha256" not in claims or not record:
        return {}
    true = {key: record.get(key) for key in _RECORDED}
    return {"experiment": name, **true, "metrics": metrics, "replayed": bool(claims.get("replayed"))}


def _mapping(content: bytes | None) -> dict[str, Any]:
    try:
        value = parse_json(content or b"{}")
    except ParseError:
        return {}
    return value if isinstance(value, dict) else {}


def _said(kind: str, content: bytes | None) -> tuple[dict[str, Any], str, str]:
    """Facts, moment and author of a tag object; nothing of a bare reference, whose message is the commit's own."""
    if kind != "tag":
        return {}, "", ""
    head, _, message = (content or b"").decode(errors="replace").partition("\n\n")
    tagger = _TAGGER.search(head)
    return tag_facts(message), iso_date(int(tagger[2])) if tagger else "", tagger[1].strip() if tagger else ""


def _project(root: Path) -> str:
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
    there = [bool(git(root, "rev-parse", "--verify", "--quiet", path, ok=(0, 1, 128)).strip()) for path in declared]
    return {folder for folder, known in zip(sorted(found), there, strict=True) if known}


def name_of(version: str) -> str:
    """The model of a version as text, "gbm" of "gbm@v1.2.0"; a model's name may hold an @ itself."""
    found = TAG.fullmatch(version)
    return found["name"] if found else version


def shown_metrics(listed: Iterable[Version]) -> list[str]:
    """The metrics that a list of versions has room for: those that are better one way first, in the usual order."""
    names = ordered({name for version in listed for name in version.metrics})
    return sorted(names, key=lambda name: direction(name) == NEITHER)[:SHOWN]


def find(root: Path, text: str) -> Version:
    """The version that NAME@vX.Y.Z, NAME@X.Y.Z, NAME@latest or NAME names; a NAME may hold an @ itself.

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
        hint = f"registered models: {', '.join(names)}" if names else "register one: furrow models register EXPERIMENT"
    raise RegistryError(f"there is no version {text!r}", hint=hint)


def settings(root: Path) -> dict[str, Any]:
    """What conf/ci.yaml asks: the branch, and whether a registered commit must have been replayed."""
    path = root / "conf/ci.yaml"
    value = (read_yaml(path) or {}) if path.is_file() else {}
    return {
        "branch": value.get("branch", "main"),
        "replayed": bool((value.get("register") or {}).get("replayed", False)),
    }


def register(
    root: Path,
    experiment: str | None = None,
    *,
    rev: str = "HEAD",
    replayed: bool | None = None,
    sign: bool = False,
) -> Version:
    """Register an experiment's model at a commit as its next version.

    The major number grows when the features' digest changed, the minor one otherwise. A model that is registered
    already is not registered again.

    Args:
        root: The repository.
        experiment: The experiment; the champion, if None.
        rev: The commit.
        replayed: Whether the commit has been replayed; by default the verdicts in refs/notes/furrow/replay tell.
        sign: Sign the tag with the user's own key (user.signingKey): it then vouches for the model in other clones.

    Returns:
        The new version, or the one that the same model has.

    Raises:
        RegistryError: The gate was not passed, the tree is dirty, the model is missing or another one, the commit is
            not on the main branch, or was not replayed though conf/ci.yaml asks for it.
    """
    asked = settings(root)
    commit = resolve(root, rev)
    if is_dirty(root):
        raise RegistryError("the work tree has changes that no commit holds", hint="commit or undo them, then register")
    _on_branch(root, commit, asked["branch"])
    name = _passed(champions_at(root, commit), experiment, commit)
    _names_a_tag(root, name)
    record = _json(root, commit, f"runs/{name}/record.json", "the stage that evaluates writes it")
    if "model_sha256" not in record:
        hint = "the stage that trains writes the sha256 of build/models/NAME/model.joblib there"
        raise RegistryError(f"runs/{name}/record.json at {commit[:10]} names no model_sha256", hint=hint)
    _holds_model(root, name, record["model_sha256"])
    if replayed is None:
        replayed = _replayed(root, commit, name)
    if asked["replayed"] and not replayed:
        raise RegistryError(
            f"{commit[:10]} has not been replayed, and conf/ci.yaml asks for it", hint="run `furrow replay`"
        )
    before = versions(root, name)
    for version in before:
        if version.facts.get("model_sha256") == record["model_sha256"]:
            return version
    facts = {
        "experiment": name,
        "model_sha256": record["model_sha256"],
        "features_digest": record.get("features_digest"),
        "service": record.get("service"),
        "metrics": _json(root, commit, f"runs/{name}/metrics.json", "run `dvc repro` and commit"),
        "replayed": bool(replayed),
    }
    number = next_number(before, facts["features_digest"])
    message = f"Register {name} v{number}\n\n{json.dumps(facts, sort_keys=True, indent=1)}\n"
    git(
        root,
        "tag",
        "--sign" if sign else "--annotate",
        "--file=-",
        f"{_project(root)}{name}@v{number}",
        commit,
        stdin=message.encode(),
    )
    return find(root, f"{name}@v{number}")


def refusal(root: Path, version: Version, *, merging: str = "") -> str:
    """Why a version may not be deployed; empty if its commit passed the gate, bears the tag out and is merged.

    Args:
        root: The project.
        version: The version.
        merging: A commit that is judged before it is merged: its history will be the branch's then.
    """
    if "model_sha256" not in version.claims:
        return f"{version} was tagged without Furrow: it carries no hash and no gate"
    try:
        verdict = verdict_of(champions_at(root, version.commit), version.name)
        passed = bool((verdict or {})["passed"])
    except (RegistryError, KeyError, TypeError):
        return f"{version.commit[:10]}, which {version} is of, does not say that {version.name} passed the gate"
    if not passed:
        return f"{version} did not pass the gate at {version.commit[:10]}"
    if wrong := version.invented:
        return f"the tag {version} says what its commit {version.commit[:10]} does not: {', '.join(wrong)}"
    try:
        _on_branch(root, version.commit, settings(root)["branch"], merging=merging)
    except RegistryError as exc:
        return f"{version}: {exc.message}"
    return ""


def replay_holds(root: Path, version: Version) -> bool:
    """Whether a note that holds says that a version's commit was replayed well."""
    return _replayed(root, version.commit, version.name)


def next_number(known: list[Version], features_digest: str | None) -> str:
    """The number after the newest: a new major one when features changed, else a new minor one."""
    if not known:
        return "1.0.0"
    newest = max(known, key=lambda version: version.order)
    major, minor, _ = newest.order
    same = newest.facts.get("features_digest") == features_digest
    return f"{major}.{minor + 1}.0" if same else f"{major + 1}.0.0"


def compare(one: Version, two: Version) -> dict[str, Any]:
    """What differs between two versions: metrics side by side, the features' digest, the model's hash."""
    metrics = {}
    first, second = one.metrics, two.metrics
    for name in ordered({*first, *second}):
        old, new = first.get(name), second.get(name)
        metrics[name] = {"from": old, "to": new, "change": None if old is None or new is None else new - old}
    same = {key: one.facts.get(key) == two.facts.get(key) for key in ("features_digest", "model_sha256", "service")}
    return {"from": str(one), "to": str(two), "metrics": metrics, "same": same}


def _passed(champions: Mapping[str, Champion], experiment: str | None, commit: str) -> str:
    """The name of the run to register, which the gate let pass.

    Raises:
        RegistryError: There is none, or it did not pass.
    """
    name = experiment or _only(champions, commit)
    verdict = verdict_of(champions, name)
    if not isinstance(verdict, dict):
        known = ", ".join(one for each in champions.values() for one in each.verdicts)
        raise RegistryError(f"there is no run {name!r} at {commit[:10]}", hint=f"there are: {known}")
    if verdict.get("passed") is not True:
        failures = verdict.get("failures")
        worst = failures[0] if isinstance(failures, list) and failures and isinstance(failures[0], dict) else {}
        why = f": {worst.get('rule')} is {worst.get('value')}, needs {worst.get('limit')}" if worst else ""
        hint = "`furrow gate` shows every rule; train a better model"
        raise RegistryError(f"{name} did not pass the gate{why}", hint=hint)
    return name


def _names_a_tag(root: Path, name: str) -> None:
    """See that Git allows a tag of this name."""
    tag = f"refs/tags/{name}@v1.0.0"
    allowed = git(root, "check-ref-format", "--normalize", tag, ok=(0, 1)).decode(errors="replace").rstrip("\n")
    if allowed != tag or name.startswith("-"):
        raise RegistryError(f"Git allows no tag {name}@v1.0.0", hint="rename the experiment")


def champions_at(root: Path, commit: str) -> dict[str, Champion]:
    """The champion of each problem at a commit.

    Raises:
        RegistryError: The commit holds no verdicts.
    """
    content = show(root, commit, CHAMPION)
    if content is None:
        raise RegistryError(f"{commit[:10]} has no {CHAMPION}", hint="run `dvc repro` and commit")
    try:
        return read_champions(content)
    except ChampionError as exc:
        raise RegistryError(f"{exc.message} (at {commit[:10]})", hint=exc.hint) from exc


def _only(champions: Mapping[str, Champion], commit: str) -> str:
    """The champion's name, where there is one champion."""
    names = [one.experiment for one in champions.values() if one.experiment is not None]
    if not names:
        raise RegistryError(f"{commit[:10]} has no champion", hint="`furrow gate` says which rules failed")
    if len(names) > 1:
        raise RegistryError(f"{commit[:10]} has several champions: {', '.join(names)}", hint="name one of them")
    return names[0]


def _on_branch(root: Path, commit: str, branch: str, *, merging: str = "") -> None:
    for candidate in filter(None, (branch, f"origin/{branch}", merging)):
        if git(root, "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}", ok=(0, 1)).strip():
            bases = git(root, "merge-base", commit, candidate, ok=(0, 1)).decode().split()
            if commit in bases:
                return
    hint = f"merge it into {branch} first"
    if is_shallow(root):
        hint = "this clone is shallow: `git fetch --unshallow`, then register"
    raise RegistryError(f"{commit[:10]} is not on the branch {branch}", hint=hint)


def _holds_model(root: Path, name: str, sha256: str | None) -> None:
    if sha256 is None:
        raise RegistryError(f"{name} is a trial's run: there is no model of it", hint="run `dvc repro` and commit")
    path = root / "build/models" / name / MODEL
    if not path.is_file():
        raise RegistryError(f"{path.relative_to(root)} is not here", hint=f"run `dvc pull train@{name}` or `dvc repro`")
    found = sha256_file(path)
    if found != sha256:
        raise RegistryError(
            f"{path.relative_to(root)} has sha256 {found[:12]}…, the commit records {sha256[:12]}…",
            hint=f"run `dvc checkout build/models/{name}`",
        )


def _replayed(root: Path, commit: str, name: str) -> bool:
    """Whether the newest note on a commit that holds, and covers an experiment's training, says that it is good."""
    holding = sorted((one.verdict for one in verify(root, commit) if one and one.verdict), key=lambda one: one.started)
    covering = [one for one in holding if not one.scope or one.scope.get("experiment") == name]
    return bool(covering) and bool(covering[-1])


def _json(root: Path, commit: str, path: str, hint: str) -> dict[str, Any]:
    content = show(root, commit, path)
    if content is None:
        raise RegistryError(f"{commit[:10]} has no {path}", hint=hint)
    try:
        value = parse_json(content)
    except ValueError as exc:
        raise RegistryError(f"{path} at {commit[:10]} is not valid JSON: {exc}", hint=hint) from exc
    if not isinstance(value, dict):
        raise RegistryError(f"{path} at {commit[:10]} holds no mapping", hint=hint)
    return value
