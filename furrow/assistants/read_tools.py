"""Tools that read: each is a page of `furrow ui` as JSON. Nothing of the repository is run, nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from furrow.errors import UsageError
from furrow.ground.project_place import meaning
from furrow.web.asked import LONGEST, Asked
from furrow.web.pages import made
from furrow.web.plain_forms import as_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from furrow.web.site import Site

__all__ = ["READS", "Read", "read"]

_REV = {"rev": "a revision, such as HEAD, main~3 or v1.0.0; HEAD if left out"}
_LIST = {
    "where": "a filter: an SQL expression over columns, such as roc_auc > 0.75 and model = 'gbm'",
    "all": "1 for every branch, tag and trial",
    "since": "only commits since: 2026-01-31, 2 weeks ago",
}


@dataclass(frozen=True)
class Read:
    """A tool that reads.

    Attributes:
        page: The page that answers.
        what: What it tells.
        may: What may be said, by name: what it means.
        must: Names that must be said.
        several: Names of which there may be several values.
    """

    page: str
    what: str
    may: Mapping[str, str] = field(default_factory=dict)
    must: tuple[str, ...] = ()
    several: tuple[str, ...] = ()


READS = {
    "project": Read("home", "Problems, champions, what needs a person, the last commits.", _REV),
    "list_runs": Read(
        "runs",
        "Runs of one commit, the best first; or of a history, filtered and sorted.",
        {
            **_REV,
            **_LIST,
            "sort": "columns, - before one turns it round: -roc_auc,name",
            "columns": "names and patterns: run,roc_auc,model.*",
            "limit": "how many at most",
            "group": "a column to count runs by",
        },
    ),
    "list_columns": Read("columns", "What filters and sorting may name.", {**_REV, **_LIST}),
    "show_run": Read(
        "run",
        "One run whole: metrics, config, curves, data, replays, code.",
        {"run": "NAME, or NAME@REVISION"},
        ("run",),
    ),
    "compare_runs": Read(
        "compare",
        "2 to 50 runs: what of their configs and metrics differs; of two, better or luck.",
        {"run": "NAME, or NAME@REVISION"},
        ("run",),
        ("run",),
    ),
    "plan": Read(
        "plan",
        "What would change and why: of the work tree, or from one commit to another.",
        {"from": "the earlier revision", "to": "the later one"},
    ),
    "show_data": Read(
        "data",
        "The data's contract, versions, and which files changed since another revision.",
        {**_REV, "from": "what changed since this revision"},
    ),
    "list_features": Read(
        "features",
        "Feature views, services and features; or one of them whole.",
        {
            **_REV,
            "q": "words to search for",
            "name": "one of them, whole: its SQL, lineage and history",
            "from": "what changed since this revision",
        },
    ),
    "list_models": Read(
        "models",
        "Registered versions, what serves where, promotions and rollbacks; or one version whole.",
        {**_REV, "version": "one of them: gbm@v1.0.0"},
    ),
    "show_monitoring": Read(
        "monitoring", "Drift, performance and alarms.", {"environment": "such as production"}
    ),
    "trace_prediction": Read(
        "prediction", "What a logged prediction was made of.", {"id": "its id"}, ("id",)
    ),
}
"""The tools that read, by name."""


def read(site: Site, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a tool that reads.

    Args:
        site: What is read.
        name: One of READS.
        said: What was asked; texts, and lists of texts where several may be said.

    Raises:
        UsageError: Something is unknown, missing, or no text.
        FurrowError: It can't be told.
    """
    one = READS[name]
    values: dict[str, tuple[str, ...]] = {}
    for key, value in said.items():
        if key not in one.may:
            raise UsageError(
                f"{name} takes no {key[:40]!r}", hint=f"it takes: {', '.join(one.may)}"
            )
        texts = value if isinstance(value, list) and key in one.several else [value]
        if not all(isinstance(text, str | int) for text in texts):
            raise UsageError(f"{name}: {key} is no text", hint=one.may[key])
        values[key] = tuple(map(str, texts))
    for key in one.must:
        if not any(values.get(key, ())):
            raise UsageError(f"{name} needs {key}", hint=one.may[key])
    if sum(len(text) for texts in values.values() for text in texts) > LONGEST:
        raise UsageError("too much is said", hint=f"at most {LONGEST:,} characters")
    with meaning(site.project):
        return as_values(made(one.page, site, Asked(values), whole=True))
