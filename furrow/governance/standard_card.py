"""A model card and a data card in the forms that others read.

Model Cards, Datasheets, Hugging Face's metadata.

What can be told is generated, what only a person can say comes from conf/card, and what nobody
wrote is said to be missing. A list says under which headings of the EU AI Act's Annex IV and of
NIST's AI RMF the same things are asked for: it is an index, and claims no compliance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from furrow.features.raw_columns import declared_columns
from furrow.governance.card_sentences import SENTENCES, missing_sentences, sentences_at
from furrow.governance.owners import owners_at
from furrow.ground.git import show
from furrow.history.raw_data import raw_data
from furrow.layout import CONTRACT, RECORD_JSON, run_file
from furrow.parse import ParseError, parse_json, parse_yaml
from furrow.plurals import number_of
from furrow.safe_text import markdown_code, markdown_text
from furrow.training.tasks import load_task, task_names

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.models.registry import Version

__all__ = ["data_card", "model_card"]

_MISSING = "*Nobody wrote this yet: conf/card/{}.yaml, {}.*"
_INDEX = (
    ("intended use, uses out of scope", "1(a), 3", "MAP 1.1, MAP 1.6"),
    ("data: origin, contract, versions", "2(d)", "MAP 2.3, MEASURE 2.2"),
    ("training, features, configuration", "2(a), 2(b), 2(c)", "MAP 2.1, MEASURE 2.1"),
    ("metrics with intervals, by slice", "2(g), 3, 4", "MEASURE 2.3, MEASURE 2.11"),
    ("limitations, ethical considerations", "3", "MAP 3.2, MEASURE 2.6"),
    ("approvals, owners", "2(e)", "GOVERN 2.1, MANAGE 1.1"),
    ("monitoring, incidents, rollbacks", "9", "MANAGE 2.4, MANAGE 4.1"),
    ("environment, versions, replays", "1(c), 6", "MEASURE 2.8, GOVERN 6.1"),
)


def model_card(root: Path, version: Version) -> str:
    """The card of a version, in Markdown with Hugging Face's metadata block.

    The same for the same commit.

    Args:
        root: The project; it may be bare.
        version: The version.

    Raises:
        CardError: conf/card of its commit can't be meant.
    """
    record = _json(root, version.commit, run_file(version.name, RECORD_JSON))
    problem = str(record.get("problem") or "")
    said = sentences_at(root, version.commit, problem) if problem else {}
    own = show(root, version.commit, run_file(version.name, "card.md")) or b""
    owner = owners_at(root, version.commit).of("problems", problem).owner
    lines = [
        "---",
        yaml.safe_dump(
            _metadata(version, record, said), sort_keys=False, allow_unicode=True
        ).rstrip(),
        "---",
        "",
        own.decode(errors="replace").rstrip() or f"# {markdown_text(version.name)}",
        "",
        f"- version: {markdown_text(str(version))}, commit `{version.commit}`",
        f"- owner: {markdown_text(owner) or 'nobody is declared'}",
        "",
        *_sentences(said, problem),
        *_index(),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _metadata(version: Version, record: dict[str, Any], said: dict[str, str]) -> dict[str, Any]:
    task = str(record.get("task"))
    kind = load_task(task).tag if task in task_names() else "other"
    metrics = [
        {"type": name, "value": value, "name": name} for name, value in version.metrics.items()
    ]
    result = {
        "task": {"type": kind},
        "dataset": {"name": str(record.get("problem") or "unknown"), "type": "tabular"},
        "metrics": metrics,
    }
    return {
        "license": said.get("license") or "unknown",
        "library_name": "furrow",
        "pipeline_tag": kind,
        "tags": ["tabular", "furrow"],
        "metrics": [one["type"] for one in metrics],
        "model-index": [{"name": str(version), "results": [result]}],
    }


def _sentences(said: dict[str, str], problem: str) -> list[str]:
    lacking = set(missing_sentences(said))
    lines = []
    for key, heading in SENTENCES.items():
        text = _MISSING.format(problem or "PROBLEM", key) if key in lacking else _text(said[key])
        lines += [f"## {heading}", "", text, ""]
    return lines


def _text(text: str) -> str:
    """A person's sentences as plain words: no markup, no HTML, paragraphs kept."""
    return "\n".join(markdown_text(line) for line in text.strip().splitlines())


def _index() -> list[str]:
    rows = [f"| {one} | {annex} | {nist} |" for one, annex, nist in _INDEX]
    return [
        "## Where others ask for the same",
        "",
        (
            "An index, not a claim of compliance: which headings ask for what stands here or in"
            " `furrow audit`."
        ),
        "",
        "| what | EU AI Act, Annex IV | NIST AI RMF 1.0 |",
        "|---|---|---|",
        *rows,
        "",
    ]


def data_card(root: Path, commit: str, problem: str) -> str:
    """The datasheet of a problem's data at a commit (Gebru et al. 2021).

    What is known, and what a person must say.

    Args:
        root: The project; it may be bare.
        commit: The full id.
        problem: Whose sentences.

    Raises:
        CardError: conf/card of the commit can't be meant.
    """
    said = sentences_at(root, commit, problem)
    lacking = set(missing_sentences(said))

    def sentence(key: str) -> str:
        return _MISSING.format(problem, key) if key in lacking else _text(said[key])

    data = raw_data(root, commit)
    size = (
        f"{number_of(data.files, 'file')}, {number_of(data.size, 'byte')}"
        if data and data.files and data.size
        else "unknown"
    )
    lines = [
        f"# Data of {markdown_text(problem)}",
        "",
        f"Commit `{commit}`, version {markdown_code(data.md5) if data else 'unknown'}, {size}.",
        "",
        "## Motivation",
        "",
        sentence("intended_use"),
        "",
        "## Composition",
        "",
        *_tables(root, commit),
        "",
        "## Collection",
        "",
        sentence("data_origin"),
        "",
        sentence("data_consent"),
        "",
        "## Uses",
        "",
        sentence("out_of_scope"),
        "",
        "## Maintenance",
        "",
        sentence("contact"),
    ]
    return "\n".join(lines) + "\n"


def _tables(root: Path, commit: str) -> list[str]:
    """The raw tables and columns that the contract names."""
    try:
        value = parse_yaml(show(root, commit, CONTRACT) or b"")
    except ParseError:
        return [f"{CONTRACT} can't be read."]
    tables = value.get("tables") if isinstance(value, dict) else None
    if not isinstance(tables, dict):
        return [f"There is no {CONTRACT}."]
    lines = ["| table | column | type | may be missing |", "|---|---|---|---|"]
    for name, table in tables.items():
        columns = declared_columns(table) if isinstance(table, dict) else {}
        for column, rule in columns.items():
            known = rule if isinstance(rule, dict) else {"type": rule}
            missing = "yes" if known.get("nullable") else "no"
            cells = (markdown_code(str(one)) for one in (name, column, known.get("type")))
            lines.append(f"| {' | '.join(cells)} | {missing} |")
    return lines


def _json(root: Path, commit: str, path: str) -> dict[str, Any]:
    try:
        value = parse_json(show(root, commit, path) or b"{}")
    except ParseError:
        return {}
    return value if isinstance(value, dict) else {}
