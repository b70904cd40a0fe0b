"""The registry: versions of models as Git tags, in GTO's form, each bound to hashes, a gate and a commit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import sha256_file
from furrow.ground.git import git, is_dirty, is_shallow, resolve, show
from furrow.parse import ParseError, parse_json, read_yaml
from furrow.replay.statement import read_verdicts

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "MODEL",
    "RegistryError",
    "Version",
    "compare",
    "find",
    "next_number",
    "refusal",
    "register",
    "settings",
    "versions",
]

MODEL = "model.joblib"  # as models/bundle.py writes it, whose libraries a plan need not load
TAG = re.compile(r"(?P<name>[a-zA-Z0-9][a-zA-Z0-9_-]*)@v(?P<number>\d+\.\d+\.\d+)")
FIELDS = (
    "%(refname:strip=2)%00%(*objectname)%00%(objectname)%00%(taggerdate:iso-strict)%00%(taggername)%00%(contents)%01"
)


class RegistryError(FurrowError):
    """A version can't be registered, or does not exist."""


@dataclass(frozen=True)
class Version:
    """A registered version of a model.

    Attributes:
        name: The experiment's name.
        number: Such as "1.2.0".
        commit: The commit that it is of.
        facts: What the tag carries: model_sha256, features_digest, service, metrics.
        registered: When, ISO 8601; empty for a tag that is not annotated.
        by: Who.
    """

    name: str
    number: str
    commit: str
    facts: dict[str, Any]
    registered: str = ""
    by: str = ""

    def __str__(self) -> str:
        return f"{self.name}@v{self.number}"

    @property
    def order(self) -> tuple[int, ...]:
        """The number as integers, for sorting."""
        return tuple(int(part) for part in self.number.split("."))


def versions(root: Path, name: str | None = None) -> list[Version]:
    """Registered versions, by name and then newest first; tags that GTO's own command made count too."""
    text = git(root, "for-each-ref", f"--format={FIELDS}", "refs/tags").decode(errors="replace")
    found = []
    for line in text.split("\x01\n"):
        if not line.strip("\n"):
            continue
        tag, peeled, own, date, by, message = line.split("\x00")
        match = TAG.fullmatch(tag)
        if match and name in (None, match["name"]):
            found.append(Version(match["name"], match["number"], peeled or own, _facts(message), date, by))
    return sorted(found, key=lambda version: (version.name, [-part for part in version.order]))


def _facts(message: str) -> dict[str, Any]:
    """The JSON that stands under the first line of a tag's message; empty when there is none."""
    _, _, body = message.partition("\n\n")
    try:
        value = parse_json(body)
    except ParseError:
        return {}
    return value if isinstance(value, dict) else {}


def find(root: Path, text: str) -> Version:
    """The version that NAME@vX.Y.Z, NAME@X.Y.Z, NAME@latest or NAME names.

    Raises:
        RegistryError: There is no such version.
    """
    name, _, number = text.partition("@")
    known = versions(root, name)
    number = number.removeprefix("v")
    for version in known:
        if number in ("", "latest", version.number):
            return version
    if known:
        hint = f"there are: {', '.join(map(str, known))}"
    else:
        names = sorted({version.name for version in versions(root)})
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


def register(root: Path, experiment: str | None = None, *, rev: str = "HEAD", replayed: bool | None = None) -> Version:
    """Register an experiment's model at a commit as its next version.

    The major number grows when the features' digest changed, the minor one otherwise. A model that is registered
    already is not registered again.

    Args:
        root: The repository.
        experiment: The experiment; the champion, if None.
        rev: The commit.
        replayed: Whether the commit has been replayed; by default the verdicts in refs/notes/furrow/replay tell.

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
    champion = _json(root, commit, "runs/champion.json", "run `dvc repro` and commit")
    name = experiment or champion["experiment"]
    if name is None:
        raise RegistryError(f"{commit[:10]} has no champion", hint="`furrow gate` says which rules failed")
    verdict = champion["verdicts"].get(name)
    if verdict is None:
        raise RegistryError(
            f"there is no run {name!r} at {commit[:10]}", hint=f"there are: {', '.join(champion['verdicts'])}"
        )
    if not verdict["passed"]:
        worst = verdict["failures"][0]
        raise RegistryError(
            f"{name} did not pass the gate: {worst['rule']} is {worst['value']}, needs {worst['limit']}",
            hint="`furrow gate` shows every rule; train a better model",
        )
    record = _json(root, commit, f"runs/{name}/record.json", "run `dvc repro` and commit")
    _holds_model(root, name, record["model_sha256"])
    if replayed is None:
        replayed = _replayed(root, commit, name)
    if asked["replayed"] and not replayed:
        raise RegistryError(
            f"{commit[:10]} has not been replayed, and conf/ci.yaml asks for it", hint="run `furrow replay`"
        )
    known = versions(root, name)
    for version in known:
        if version.facts.get("model_sha256") == record["model_sha256"]:
            return version
    facts = {
        "experiment": name,
        "model_sha256": record["model_sha256"],
        "features_digest": record["features_digest"],
        "service": record["service"],
        "metrics": _json(root, commit, f"runs/{name}/metrics.json", "run `dvc repro` and commit"),
        "replayed": bool(replayed),
    }
    number = next_number(known, record["features_digest"])
    message = f"Register {name} v{number}\n\n{json.dumps(facts, sort_keys=True, indent=1)}\n"
    git(root, "tag", "--annotate", "--file=-", f"{name}@v{number}", commit, stdin=message.encode())
    return find(root, f"{name}@v{number}")


def refusal(root: Path, version: Version) -> str:
    """Why a version may not be deployed, in words; empty if its tag carries hashes and its commit passed the gate."""
    if "model_sha256" not in version.facts:
        return f"{version} was tagged without Furrow: it carries no hash and no gate"
    try:
        verdict = _json(root, version.commit, "runs/champion.json", "")["verdicts"][version.name]
        passed = bool(verdict["passed"])
    except (RegistryError, KeyError, TypeError):
        return f"{version.commit[:10]}, which {version} is of, does not say that {version.name} passed the gate"
    return "" if passed else f"{version} did not pass the gate at {version.commit[:10]}"


def next_number(known: list[Version], features_digest: str) -> str:
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
    first, second = one.facts.get("metrics", {}), two.facts.get("metrics", {})
    for name in sorted({*first, *second}):
        old, new = first.get(name), second.get(name)
        metrics[name] = {"from": old, "to": new, "change": new - old if None not in (old, new) else None}
    same = {key: one.facts.get(key) == two.facts.get(key) for key in ("features_digest", "model_sha256", "service")}
    return {"from": str(one), "to": str(two), "metrics": metrics, "same": same}


def _on_branch(root: Path, commit: str, branch: str) -> None:
    for candidate in (branch, f"origin/{branch}"):
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
    """Whether the newest verdict on a commit that covers an experiment's training is a good one."""
    covering = [one for one in read_verdicts(root, commit) if not one.scope or one.scope.get("experiment") == name]
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
