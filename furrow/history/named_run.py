"""The run that a name means: `furrow.run("gbm", rev="HEAD~3")`.

RUN, wherever a person names one, is NAME (at HEAD), NAME@REVISION, or REVISION:NAME as Git names
files. A REVISION may also be the name of a DVC experiment; alone, that means the run which the
experiment changed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from furrow import layout
from furrow.ground.git import (
    UnknownRevisionError,
    experiment_commit,
    files_at,
    git,
    ids_at,
    resolve,
)
from furrow.ground.gitobjects import read_objects
from furrow.ground.project_place import project_prefix
from furrow.history.indexing import LARGEST
from furrow.history.load import NoSuchRunError, Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["parse_run", "run", "runs_named"]

MOST_READINGS = 20
"""Places where a RUN may be cut into a name and a revision: each costs a question to Git."""


def parse_run(text: str) -> tuple[str, str]:
    """Read RUN: NAME, NAME@REVISION or REVISION:NAME, as (name, revision)."""
    name, at, rev = text.partition("@")
    if at and ":" not in name and not (rev.startswith("{") and ":" in rev):
        return name, rev or "HEAD"
    if ":" in text:
        rev, _, name = text.rpartition(":")
        return name.removeprefix(f"{layout.RUNS}/").strip("/"), rev or "HEAD"
    return text, "HEAD"


def run(name: str, rev: str = "", *, repo: Path | str = ".") -> Run:
    """A run, with its config, metrics, predictions and model.

    Args:
        name: The experiment, or a whole RUN ("gbm@HEAD~3") when no revision is given.
        rev: A revision, or the name of a DVC experiment; HEAD by default.
        repo: A folder inside the repository.

    Raises:
        NoSuchRunError: The commit has no such run.
        UnknownRevisionError: There is no such revision.
        NotARepositoryError: There is no repository.
    """
    folder = Path(repo)
    if rev:
        return _run_at(folder, name, rev)
    parsed = parse_run(name)
    try:
        return _meant(folder, name) if parsed == (name, "HEAD") else _run_at(folder, *parsed)
    except (NoSuchRunError, UnknownRevisionError):
        for reading in _readings(name):
            if reading != parsed:
                with suppress(NoSuchRunError, UnknownRevisionError):
                    return (
                        _meant(folder, name)
                        if reading == (name, "HEAD")
                        else _run_at(folder, *reading)
                    )
        raise


def runs_named(names: Sequence[str], *, repo: Path | str = ".") -> list[Run]:
    """Several runs, as `run` gives them, with few questions to Git however many they are.

    Args:
        names: Each a whole RUN.
        repo: A folder inside the repository.

    Raises:
        FurrowError: As of `run`, of the first that is not there.
    """
    folder = Path(repo)
    parsed = {name: parse_run(name) for name in names}
    commits: dict[str, str] = {}
    for rev in {rev for _, rev in parsed.values()}:
        with suppress(UnknownRevisionError):
            commits[rev] = resolve(folder, rev)
    held = {commit: ids_at(folder, commit, layout.RUNS) for commit in set(commits.values())}
    places: list[tuple[str, str, str]] = []
    for text, (name, rev) in parsed.items():
        prefix = f"{layout.run(name)}/"
        for path, oid in held.get(commits.get(rev, ""), {}).items():
            if _is_name(name) and path.startswith(prefix):
                places.append((text, path.removeprefix(prefix), oid))
    answers = read_objects(folder, [oid for _, _, oid in places], largest=LARGEST)
    files: dict[str, dict[str, bytes | None]] = {}
    for (text, path, _), (_, kind, content, _) in zip(places, answers, strict=True):
        if kind == "blob":
            files.setdefault(text, {})[path] = content
    return [
        Run(parsed[text][0], commits[parsed[text][1]], folder, files[text])
        if text in files
        else run(text, repo=folder)  # a trial, or a name with an @ or a colon in it
        for text in names
    ]


def _readings(text: str) -> Iterator[tuple[str, str]]:
    """What else RUN may mean, as (name, revision).

    Names of runs, branches and tags may hold an @ or a colon.
    """
    yield text, "HEAD"
    places = [at for at, character in enumerate(text) if character in "@:"]
    for at in places[:MOST_READINGS]:
        before, after = text[:at], text[at + 1 :]
        if text[at] == "@" and before and after:
            yield before, after
        elif text[at] == ":" and before and after:
            yield after.removeprefix(f"{layout.RUNS}/").strip("/"), before


def _meant(folder: Path, name: str) -> Run:
    """The run at HEAD by this name; where there is none, that of a trial by this name."""
    commit = resolve(folder, "HEAD")
    trial = experiment_commit(folder, name)
    if trial and name not in _names(folder, commit) and (of := _tried(folder, name, trial)):
        return _run_at(folder, of, trial)
    return _run_at(folder, name, "HEAD")


def _run_at(folder: Path, name: str, rev: str) -> Run:
    commit = resolve(folder, rev)
    ids = ids_at(folder, commit, layout.run(name)) if _is_name(name) else {}
    if not ids:
        names = _names(folder, commit)
        # A list writes bytes out that are no UTF-8; what it shows can be asked for, too.
        written = {os.fsencode(one).decode(errors="backslashreplace"): one for one in names}
        if written.get(name, name) != name:
            return _run_at(folder, written[name], rev)
        raise NoSuchRunError(name, rev, names)
    answers = read_objects(folder, ids.values(), largest=LARGEST)
    prefix = f"{layout.RUNS}/{name}/"
    files = {
        path.removeprefix(prefix): content
        for path, (_, kind, content, _) in zip(ids, answers, strict=True)
        if kind == "blob"
    }
    return Run(name, commit, folder, files)


def _is_name(name: str) -> bool:
    """Whether a folder in runs/ can be called so."""
    return bool(name) and "\0" not in name and not {"", ".", ".."} & set(name.split("/"))


def _names(folder: Path, commit: str) -> list[str]:
    every = files_at(folder, commit, "runs")
    return sorted({path.split("/")[1] for path in every if path.count("/") > 1})


def _tried(folder: Path, trial: str, commit: str) -> str:
    """The run that a trial is about.

    Named by `furrow try` after it, else the only one whose metrics it changed.
    """
    named = [name for name in _names(folder, commit) if trial.startswith(f"{name}-")]
    if named:
        return max(named, key=len)
    prefix = project_prefix(folder)
    pattern = f":(top){prefix}{layout.RUNS}/*/{layout.METRICS_JSON}"
    listed = git(
        folder, "diff-tree", "-r", "-z", "--name-only", "--no-commit-id", commit, "--", pattern
    )
    changed = [
        os.fsdecode(path)[len(prefix) :].split("/")[1] for path in listed.split(b"\0") if path
    ]
    return changed[0] if len(changed) == 1 else ""
