"""Tools that draft: an experiment, a feature, a problem or files, each on a branch for a person to review."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from furrow.assistants.draft_branch import drafted
from furrow.errors import UsageError
from furrow.layout import table_sql

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DRAFTS", "DraftTool", "draft"]

Said = Mapping[str, Any]
Parts = tuple[dict[str, str], list[str]]

_WORD = re.compile(r"[a-z][a-z0-9_]{0,60}")
_BASE = {
    "base": "the revision that it comes after; HEAD if left out",
    "branch": "what the branch is called behind draft/; as the thing, if left out",
}


@dataclass(frozen=True)
class DraftTool:
    """A tool that drafts.

    Attributes:
        what: What it writes.
        may: What may be said, by name: what it means.
        must: Names that must be said.
        parts: Files and the furrow command, of what was said.
        objects: Names whose values are mappings of texts.
    """

    what: str
    may: Mapping[str, str]
    must: tuple[str, ...]
    parts: Callable[[Said], Parts]
    objects: tuple[str, ...] = field(default=())


def _experiment(said: Said) -> Parts:
    return {}, ["add", "experiment", _name(said), *_options(said, "problem", "service", "model",
                "calibration", "search")]  # fmt: skip


def _feature(said: Said) -> Parts:
    name = _name(said)
    return {table_sql(name): said["sql"]}, ["add", "view", name]


def _table(said: Said) -> Parts:
    return {}, ["add", "table", _name(said), *_options(said, "of", "about", "at")]


def _problem(said: Said) -> Parts:
    return {}, ["add", "problem", _name(said), *_options(said, "predict", "about", "at",
                "known_after", "test", "task")]  # fmt: skip


def _files(said: Said) -> Parts:
    return dict(said["files"]), ["compile", "--write"]


def _name(said: Said) -> str:
    name = str(said["name"])
    if not _WORD.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} is not a name", hint="use lower-case letters, digits and _"
        )
    return name


def _options(said: Said, *names: str) -> list[str]:
    """Options of the command line, each as one word, so that no value is read as another option."""
    return [f"--{name.replace('_', '-')}={said[name]}" for name in names if said.get(name)]


DRAFTS = {
    "draft_experiment": DraftTool(
        "An entry of conf/experiments.yaml.",
        {
            "name": "of the experiment: lower-case letters, digits and _",
            "problem": "that it solves; the only one, if left out",
            "service": "the feature service that it trains on",
            "model": "an option of conf/model, or of Furrow's: gbm, logistic, forest",
            "calibration": "an option of conf/calibration",
            "search": "an option of conf/search",
            **_BASE,
        },
        ("name",),
        _experiment,
    ),
    "draft_feature": DraftTool(
        "A feature table of your SQL, features/tables/NAME.sql, and a Feast view over it.",
        {
            "name": "of the table and its view",
            "sql": "a SELECT of join keys, event_timestamp (when each row became known) and values",
            **_BASE,
        },
        ("name", "sql"),
        _feature,
    ),
    "draft_feature_table": DraftTool(
        "A feature table over a raw table: last values, counts, sums and means of windows.",
        {
            "name": "of the table and its view",
            "of": "the raw table, as the contract names it",
            "about": "its column that says whom a row is about",
            "at": "its column of moments",
            **_BASE,
        },
        ("name", "of"),
        _table,
    ),
    "draft_problem": DraftTool(
        "A problem: its declaration, its spine, a service and three experiments.",
        {
            "name": "of the problem",
            "predict": "a column, or TABLE.COLUMN",
            "about": "whom it is about: a column, or a table's name",
            "at": "when it is predicted: a column, or one moment",
            "known_after": "when the label is known after that moment: 90d",
            "test": "what is tested: 3 months",
            "task": "binary, multiclass or regression",
            **_BASE,
        },
        ("name", "predict"),
        _problem,
    ),
    "draft_files": DraftTool(
        "Files of features/, pipelines/, tests/ and conf/ (experiments, models, problems, data),"
        " compiled.",
        {"name": "of the draft", "files": "whole texts by path", **_BASE},
        ("name", "files"),
        _files,
        ("files",),
    ),
}
"""The tools that draft, by name."""


def draft(repo: Path, name: str, said: Said) -> dict[str, Any]:
    """Draft on a branch.

    Args:
        repo: The project, or a bare repository.
        name: One of DRAFTS.
        said: What was asked.

    Raises:
        UsageError: Something is unknown, missing, or no text.
        FurrowError: It can't be drafted; nothing was changed.
    """
    tool = DRAFTS[name]
    for key, value in said.items():
        if key not in tool.may:
            raise UsageError(
                f"{name} takes no {key[:40]!r}", hint=f"it takes: {', '.join(tool.may)}"
            )
        pairs = value.items() if isinstance(value, dict) and key in tool.objects else [("", value)]
        if not all(isinstance(text, str) and "\0" not in text for pair in pairs for text in pair):
            raise UsageError(f"{name}: {key} is no text", hint=tool.may[key])
    for key in tool.must:
        if not said.get(key):
            raise UsageError(f"{name} needs {key}", hint=tool.may[key])
    files, command = tool.parts(said)
    branch = said.get("branch") or str(said["name"]).lower()
    made = drafted(repo, branch, files, command, base=said.get("base") or "")
    return {
        "branch": made.branch,
        "commit": made.commit,
        "base": made.base,
        "written": list(made.written),
        "notes": list(made.said),
        "next": [
            f"git log -p {made.base[:10]}..{made.branch}",
            f"furrow plan --rev {made.base[:10]}..{made.branch}",
            f"git switch {made.branch} && dvc repro",
        ],
    }
