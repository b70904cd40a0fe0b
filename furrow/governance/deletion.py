"""A request to be forgotten: what holds a key, how to take it out, and what that makes invalid.

Nothing is removed.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.governance.audit import Audit
from furrow.governance.key_places import in_git_texts, in_online_store, on_remote
from furrow.governance.key_search import Holding, find_key, parse_key, rows_in
from furrow.ground.git import files_at, show
from furrow.ground.notes import noted
from furrow.history.artifacts import pointed, trained_on
from furrow.layout import DEPLOYMENT, FURROW, RECORD_JSON, RUNS, TABLES, TRAINING
from furrow.models.deployment import current
from furrow.models.registry import versions
from furrow.parse import ParseError, parse_json
from furrow.proof.signed_statements import NOTE
from furrow.proof.trust_policy import trusted_commit
from furrow.serving.deployment_state import state_folders
from furrow.serving.log_search import records_about

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

__all__ = ["deletion_request"]


def deletion_request(root: Path, texts: Sequence[str], *, now: datetime) -> Audit:
    """Everything on this machine that holds a key.

    Args:
        root: The project.
        texts: As for `parse_key`: each is one way to name somebody.
        now: The time.

    Raises:
        AskedKeyError: A text names nobody.
    """
    keys = parse_key(texts)
    made = Audit(" or ".join(texts), "key", now.isoformat())
    holdings, unknown = find_key(root, keys, [one.commit for one in versions(root)])
    made.unknown += unknown
    kinds: dict[str, list[Holding]] = {"data": [], "features": [], "training": [], "other": []}
    for one in holdings:
        source = one.output in pointed(root, one.commits[0])
        kinds["data" if source else _kind(one.output)].append(one)
    models = _models(root, kinds["training"], made.unknown)
    try:
        places = state_folders(root)
    except FurrowError as exc:
        places = []
        made.unknown.append(f"logs and labels of this machine's servers: {exc.message}")
    logs = _logs(places, keys, made.unknown)
    made.sections = {
        "data versions": [_told(one) for one in kinds["data"]],
        "features": [_told(one) for one in kinds["features"]],
        "training sets": [_told(one) for one in kinds["training"]],
        "models": models,
        "other outputs (predictions, say)": [_told(one) for one in kinds["other"]],
        "prediction logs": logs,
        "labels, and other files of servers": _landed(root, places, keys, made.unknown),
        "online store": in_online_store(root, keys, made.unknown),
        "the remote's objects": on_remote(root, {one.file_md5 for one in holdings}, made.unknown),
        "texts in Git, and notes": in_git_texts(root, keys, made.unknown),
    }
    serving = _serving(root, {one["version"] for one in models if one["version"]})
    landed = [str(one["path"]) for one in made.sections["labels, and other files of servers"]]
    made.sections["plan"] = [
        *_plan(kinds, models, _log_steps(logs, texts), landed, serving),
        *_plan_elsewhere(made.sections, named=bool(kinds["features"] or kinds["training"])),
    ]
    made.sections["what that makes invalid"] = [
        *_invalid(root, holdings, models, logs),
        *_invalid_elsewhere(made.sections),
    ]
    made.unknown.append(
        "copies elsewhere: other clones, other remotes, backups, and what the data came from"
    )
    if any(any(one.glob("monitor/*")) for one in places):
        made.unknown.append(
            "figures of monitoring: profiles and references name the values of a column that"
            " has few"
        )
    return made


def _kind(path: str) -> str:
    if path.startswith(f"{TABLES}/"):
        return "features"
    return "training" if path.startswith(f"{TRAINING}/") else "other"


def _told(one: Holding) -> dict[str, Any]:
    return {
        "path": one.path,
        "rows": one.rows,
        "version": one.md5,
        "content": one.file_md5,
        "commits": len(one.commits),
        "newest": one.commits[0],
    }


def _models(root: Path, sets: Sequence[Holding], unknown: list[str]) -> list[dict[str, Any]]:
    """The runs whose training set holds the key, by commit; each with its version, if it is one."""
    registered = {(one.commit, one.name): str(one) for one in versions(root)}
    by_commit: dict[str, set[str]] = {}
    for one in sets:
        for commit in one.commits:
            by_commit.setdefault(commit, set()).add(one.path)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for commit in by_commit:
        for path in files_at(root, commit, RUNS):
            if not path.endswith(f"/{RECORD_JSON}"):
                continue
            name = path.split("/")[-2]
            try:
                record = parse_json(show(root, commit, path) or b"{}")
                trained, sha256 = trained_on(record), str(record.get("model_sha256") or "")
            except (ParseError, KeyError, TypeError, AttributeError):
                unknown.append(f"{path} at {commit[:10]} does not say what it was trained on")
                continue
            if trained not in by_commit.get(commit, ()):
                continue
            version = registered.get((commit, name), "")
            known = found.setdefault(
                (name, sha256),
                {
                    "model": name,
                    "sha256": sha256,
                    "trained on": trained,
                    "commits": 0,
                    "version": "",
                },
            )
            known["commits"] += 1
            known["version"] = known["version"] or version
    return list(found.values())


def _logs(
    places: Sequence[Path], keys: Sequence[Mapping[str, str]], unknown: list[str]
) -> list[dict[str, Any]]:
    found = []
    for folder in (one / "log" for one in places if (one / "log").is_dir()):
        name = folder.parent.name
        for key in keys:
            counted, unread = records_about(folder, key)
            unknown += [f"{name}: {path} of its log can't be read" for path in unread]
            found += [
                {"environment": name, "segment": where, "version": version, "records": count}
                for (where, version), count in counted.items()
            ]
    return found


def _landed(
    root: Path,
    places: Sequence[Path],
    keys: Sequence[Mapping[str, str]],
    unknown: list[str],
) -> list[dict[str, Any]]:
    """The tables beside prediction logs: labels that were landed, say."""
    found = []
    for place, path in ((one, path) for one in places for path in sorted(one.rglob("*.parquet"))):
        name = path.relative_to(root).as_posix()
        if path.relative_to(place).parts[0] == "log":
            continue
        rows = rows_in(path, keys)
        if rows is None:
            unknown.append(f"{name} can't be read")
        elif rows:
            found.append({"path": name, "rows": rows})
    return found


def _serving(root: Path, held: set[str]) -> list[str]:
    """Environments that are declared to serve one of some versions."""
    tip = trusted_commit(root)
    found = []
    for path in files_at(root, tip, DEPLOYMENT) if tip else ():
        name = path.rpartition("/")[2].removesuffix(".yaml")
        try:
            if current(root, name, tip) in held:
                found.append(name)
        except FurrowError:
            continue  # malformed: it declares nothing
    return found


def _plan(
    kinds: Mapping[str, Sequence[Holding]],
    models: Sequence[Mapping[str, Any]],
    log_steps: Sequence[str],
    landed: Sequence[str],
    serving: Sequence[str],
) -> list[str]:
    """What to do, in order."""
    steps = []
    if kinds["data"]:
        paths = sorted({one.path for one in kinds["data"]})
        steps.append(
            "take the rows out at the source and out of"
            f" {', '.join(paths[:5])}{' ...' if len(paths) > 5 else ''}, then `dvc add"
            f" {kinds['data'][0].output}` and commit"
        )
    if kinds["features"] or kinds["training"] or models:
        steps.append("`dvc repro`, and commit: features, training sets and models without them")
        steps.append("`furrow features materialize --full`: the online store without them")
    named = sorted({str(one["version"]) for one in models if one["version"]})
    if serving:
        steps.append(
            f"`furrow models register`, then promote the new version to {', '.join(serving)}"
        )
    if named:
        steps.append(f"take back the versions {', '.join(named)}: `git tag -d`, on the remote too")
    steps += log_steps
    if landed:
        steps.append(f"land labels that take theirs back, and remove from {', '.join(landed[:5])}")
    if any(kinds.values()):
        steps.append(
            "`furrow gc --drop FILE.json --yes`, with the JSON of this, removes these contents from"
            " DVC's cache, with --remote from a remote that is a folder; other clones must do"
            " so, too"
        )
    return steps


def _log_steps(logs: Sequence[Mapping[str, Any]], texts: Sequence[str]) -> list[str]:
    """How prediction logs are told to name them no more."""
    asked = " ".join(f"--forget {shlex.quote(text)}" for text in texts)
    places = sorted({str(one["environment"]) for one in logs})
    commands = [f"`furrow log {FURROW}/serving/{one}/log {asked} --yes`" for one in places]
    if not commands:
        return []
    return [f"{', '.join(commands)}; `log: {{redact: [NAME]}}` keeps later ones out"]


def _plan_elsewhere(sections: Mapping[str, Sequence[Any]], *, named: bool) -> list[str]:
    """What to do about the online store and Git itself."""
    steps = []
    if sections["online store"] and not named:
        steps.append("`furrow features materialize --full`: the online store without them")
    texts = sections["texts in Git, and notes"]
    notes = sorted({str(one["in"]) for one in texts if one["in"] != "Git"})
    files = sorted({str(one["path"]) for one in texts if one["in"] == "Git"})
    if notes:
        commands = [
            f"`git notes --ref={one['in'].removeprefix('notes/')} remove {one['path']}`"
            for one in texts
            if one["in"] != "Git"
        ]
        steps.append(f"{', '.join(commands[:5])}, and push {', '.join(notes)}")
    if files:
        steps.append(
            f"take it out of {', '.join(files[:5])} and commit; history keeps it until it is"
            " rewritten (`git filter-repo`), which gives every later commit another name"
        )
    return steps


def _invalid_elsewhere(sections: Mapping[str, Sequence[Any]]) -> list[str]:
    """What ends with the online store's records and with texts in Git."""
    said = []
    if views := sections["online store"]:
        said.append(
            f"{_count(len(views), 'view')} of the online store answers `missing` for them: scores"
            " differ"
        )
    texts = sections["texts in Git, and notes"]
    if notes := [one for one in texts if one["in"] != "Git"]:
        said.append(
            f"{_count(len(notes), 'note')} says no more what it said: its commit is unproved"
        )
    if len(notes) < len(texts):
        said.append(
            "a history that is rewritten makes every tag, note, signature and replay of it void:"
            " versions are registered anew"
        )
    return said


def _invalid(
    root: Path,
    holdings: Sequence[Holding],
    models: Sequence[Mapping[str, Any]],
    logs: Sequence[Mapping[str, Any]],
) -> list[str]:
    """What can no longer be proved or made again, once that is done."""
    commits = {commit for one in holdings for commit in one.commits}
    said = []
    if commits:
        replayed = len(commits & noted(root, NOTE))
        said.append(f"what {_count(len(commits), 'commit')} recorded can't be replayed any more")
        if replayed:
            said.append(
                f"{_count(replayed, 'commit')} of them keep the note of a replay, and `furrow"
                " verify` says that its objects are absent"
            )
    if models:
        said.append(
            f"{_count(len(models), 'model')} can't be trained again as before; metrics stay as text"
        )
    if logs:
        count = sum(int(one["records"]) for one in logs)
        said.append(f"{_count(count, 'logged prediction')} can't be traced any more")
    return said


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
