"""Registering a model.

The next version of a run that passed its gate, and what a version must keep to be deployed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow.files import sha256_file
from furrow.ground.git import git, is_dirty, is_shallow, resolve, show
from furrow.layout import CHAMPION, CI_YAML, METRICS_JSON, RECORD_JSON, RUNS, model, run_file
from furrow.models.registry import MODEL, RegistryError, Version, find, tag_prefix, versions
from furrow.models.trusted_version import check_signer, registration
from furrow.parse import parse_json, read_yaml
from furrow.proof.signed_statements import keep_signed
from furrow.proof.trust_policy import read_policy
from furrow.replay.believed_replays import believed
from furrow.training.champions import Champion, ChampionError, read_champions, verdict_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["champions_at", "next_number", "refusal", "register", "replay_holds", "settings"]


def settings(root: Path) -> dict[str, Any]:
    """What conf/ci.yaml asks.

    The branch, and whether a registered commit must have been replayed.
    """
    path = root / CI_YAML
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

    The major number grows when the features' digest changed, the minor one otherwise. A model that
    is registered already is not registered again.

    Args:
        root: The repository.
        experiment: The experiment; the champion, if None.
        rev: The commit.
        replayed: Whether the commit has been replayed; by default the verdicts in
            refs/notes/furrow/replay tell.
        sign: Sign the tag with the user's own key (user.signingKey): it then vouches for the model
            in other clones.

    Returns:
        The new version, or the one that the same model has.

    Raises:
        RegistryError: The gate was not passed, the tree is dirty, the model is missing or another
            one, the commit is not on the main branch, or was not replayed though conf/ci.yaml asks
            for it.
    """
    asked = settings(root)
    commit = resolve(root, rev)
    if is_dirty(root):
        raise RegistryError(
            "the work tree has changes that no commit holds",
            hint="commit or undo them, then register",
        )
    _on_branch(root, commit, asked["branch"])
    name = _passed(champions_at(root, commit), experiment, commit)
    _names_a_tag(root, name)
    record = _json(root, commit, run_file(name, RECORD_JSON), "the stage that evaluates writes it")
    if "model_sha256" not in record:
        hint = "the stage that trains writes the sha256 of build/models/NAME/model.joblib there"
        raise RegistryError(
            f"{RUNS}/{name}/record.json at {commit[:10]} names no model_sha256", hint=hint
        )
    _holds_model(root, name, record["model_sha256"])
    policy = read_policy(root)
    if replayed is None:
        belief = believed(root, commit, policy, experiment=name, now=datetime.now(UTC))
        replayed, why = bool(belief), f": {belief.why}" if belief.why else ""
    else:
        why = ""
    if asked["replayed"] and not replayed:
        raise RegistryError(
            f"{commit[:10]} has not been replayed, and conf/ci.yaml asks for it{why}",
            hint="run `furrow replay`",
        )
    before = versions(root, name)
    for version in before:
        if version.facts.get("model_sha256") == record["model_sha256"]:
            if sign and policy.roles.get("register"):
                _sign(root, commit, str(version), record["model_sha256"])
            return version
    facts = {
        "experiment": name,
        "model_sha256": record["model_sha256"],
        "features_digest": record.get("features_digest"),
        "service": record.get("service"),
        "metrics": _json(root, commit, run_file(name, METRICS_JSON), "run `dvc repro` and commit"),
        "replayed": bool(replayed),
    }
    number = next_number(before, facts["features_digest"])
    if "register" in policy.roles and not sign:
        hint = "furrow models register --sign; conf/trust.yaml says whose signature counts"
        raise RegistryError("conf/trust.yaml asks for a signature of whoever registers", hint=hint)
    if sign and git(root, "config", "--get", "gpg.format", ok=(0, 1)).strip() == b"ssh":
        _sign(root, commit, f"{name}@v{number}", record["model_sha256"])
    message = f"Register {name} v{number}\n\n{json.dumps(facts, sort_keys=True, indent=1)}\n"
    git(
        root,
        "tag",
        "--sign" if sign else "--annotate",
        "--file=-",
        f"{tag_prefix(root)}{name}@v{number}",
        commit,
        stdin=message.encode(),
    )
    return find(root, f"{name}@v{number}")


def refusal(root: Path, version: Version, *, merging: str = "") -> str:
    """Why a version may not be deployed.

    Empty if its commit passed the gate, bears the tag out and is merged.

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
        return (
            f"{version.commit[:10]}, which {version} is of, does not say that {version.name} passed"
            " the gate"
        )
    if not passed:
        return f"{version} did not pass the gate at {version.commit[:10]}"
    if wrong := version.invented:
        return (
            f"the tag {version} says what its commit {version.commit[:10]} does not:"
            f" {', '.join(wrong)}"
        )
    try:
        _on_branch(root, version.commit, settings(root)["branch"], merging=merging)
    except RegistryError as exc:
        return f"{version}: {exc.message}"
    return ""


def replay_holds(root: Path, version: Version) -> bool:
    """Whether a note that holds says that a version's commit was replayed well."""
    policy = read_policy(root)
    return bool(
        believed(root, version.commit, policy, experiment=version.name, now=datetime.now(UTC))
    )


def next_number(known: list[Version], features_digest: str | None) -> str:
    """The number after the newest: a new major one when features changed, else a new minor one."""
    if not known:
        return "1.0.0"
    newest = max(known, key=lambda version: version.order)
    major, minor, _ = newest.order
    same = newest.facts.get("features_digest") == features_digest
    return f"{major}.{minor + 1}.0" if same else f"{major + 1}.0.0"


def _passed(champions: Mapping[str, Champion], experiment: str | None, commit: str) -> str:
    """The name of the run to register, which the gate let pass.

    Raises:
        RegistryError: There is none, or it did not pass.
    """
    name = experiment or _only(champions, commit)
    verdict = verdict_of(champions, name)
    if not isinstance(verdict, dict):
        known = ", ".join(one for each in champions.values() for one in each.verdicts)
        raise RegistryError(
            f"there is no run {name!r} at {commit[:10]}", hint=f"there are: {known}"
        )
    if verdict.get("passed") is not True:
        failures = verdict.get("failures")
        worst = (
            failures[0]
            if isinstance(failures, list) and failures and isinstance(failures[0], dict)
            else {}
        )
        why = (
            f": {worst.get('rule')} is {worst.get('value')}, needs {worst.get('limit')}"
            if worst
            else ""
        )
        hint = "`furrow gate` shows every rule; train a better model"
        raise RegistryError(f"{name} did not pass the gate{why}", hint=hint)
    return name


def _names_a_tag(root: Path, name: str) -> None:
    """See that Git allows a tag of this name."""
    tag = f"refs/tags/{name}@v1.0.0"
    allowed = (
        git(root, "check-ref-format", "--normalize", tag, ok=(0, 1))
        .decode(errors="replace")
        .rstrip("\n")
    )
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
        raise RegistryError(
            f"{commit[:10]} has no champion", hint="`furrow gate` says which rules failed"
        )
    if len(names) > 1:
        raise RegistryError(
            f"{commit[:10]} has several champions: {', '.join(names)}", hint="name one of them"
        )
    return names[0]


def _on_branch(root: Path, commit: str, branch: str, *, merging: str = "") -> None:
    # of a branch alone: Git prefers a tag of the same name, which anybody may push
    places = (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}", merging)
    there = [
        candidate
        for candidate in filter(None, places)
        if git(
            root, "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}", ok=(0, 1)
        ).strip()
    ]
    for candidate in there:
        if commit in git(root, "merge-base", commit, candidate, ok=(0, 1)).decode().split():
            return
    if not there:
        raise RegistryError(
            f"there is no branch {branch} here, of which versions are made",
            hint=(
                f"call yours so: `git branch -m {branch}`; or name yours in {CI_YAML}:"
                " `branch: NAME`"
            ),
        )
    hint = f"merge it into {branch} first"
    if is_shallow(root):
        hint = "this clone is shallow: `git fetch --unshallow`, then register"
    raise RegistryError(f"{commit[:10]} is not on the branch {branch}", hint=hint)


def _holds_model(root: Path, name: str, sha256: str | None) -> None:
    if sha256 is None:
        raise RegistryError(
            f"{name} is a trial's run: there is no model of it", hint="run `dvc repro` and commit"
        )
    path = root / model(name) / MODEL
    if not path.is_file():
        raise RegistryError(
            f"{path.relative_to(root)} is not here",
            hint=f"run `dvc pull train@{name}` or `dvc repro`",
        )
    found = sha256_file(path)
    if found != sha256:
        raise RegistryError(
            f"{path.relative_to(root)} has sha256 {found[:12]}…, the commit records {sha256[:12]}…",
            hint=f"run `dvc checkout build/models/{name}`",
        )


def _sign(root: Path, commit: str, version: str, sha256: str) -> None:
    """Keep a signed statement of a registration, if whoever signs may make it."""
    made = registration(root, commit, version, sha256, now=datetime.now(UTC))
    check_signer(root, made, "register")
    keep_signed(root, commit, made)


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
