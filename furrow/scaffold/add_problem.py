"""A problem more for a project that is there.

What init writes for its first one, beside what there is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from furrow.data.contract import load_contract
from furrow.features.manifest import load as load_manifest
from furrow.ground.feast.named_objects import named_objects
from furrow.layout import (
    CONF,
    CONTRACT,
    EXPERIMENTS_YAML,
    FEATURES,
    MANIFEST,
    TABLE_SQL,
    problem_yaml,
    table_sql,
)
from furrow.scaffold.additions import Addition, check_name, owner_of, problems_of
from furrow.scaffold.answer_error import AnswerError
from furrow.scaffold.answers import UNTOLD, answer_rows, complete_answers
from furrow.scaffold.conf_schemas import header
from furrow.scaffold.feature_sql import feature_tables
from furrow.scaffold.feature_texts import definitions_text, spine_text
from furrow.scaffold.label_candidates import label_candidates
from furrow.scaffold.label_guess import label_of
from furrow.scaffold.leaks import find_leaks
from furrow.scaffold.raw_profiles import raw_profiles
from furrow.scaffold.source_tables import MERGED
from furrow.scaffold.texts import abouts_of, experiments_of, problem_text
from furrow.training.declare import problem as declared_problem
from furrow.trials.edit import with_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from furrow.intake.table_profile import Reference, TableProfile
    from furrow.scaffold.answers import Answers, Asked
    from furrow.scaffold.source_tables import FeatureTable

__all__ = ["add_problem", "other_labels"]


def add_problem(root: Path, name: str, asked: Asked) -> Addition:
    """A problem: its declaration, its spine, a service of its own, and three experiments.

    What stands beside the new label is looked at anew, so that what is known only with it is no
    feature of it; tables of events that are there already are used as they are.

    Args:
        root: The project.
        name: Of the problem, and of its service.
        asked: What a person said of it.

    Raises:
        FurrowError: The name is taken, or the data do not bear the answers out.
    """
    check_name(name, [*problems_of(root), *load_manifest(root / MANIFEST).services])
    tables, references = raw_profiles(root)
    zone = load_contract(root / CONTRACT).clock.timezone
    asked = replace(asked, timezone=zone)
    if not asked.predict:
        raise AnswerError(
            "nothing says what the new problem predicts",
            hint=(
                "say it: --predict COLUMN; it may be one of these:"
                f" {', '.join(other_labels(root, tables))}"
            ),
        )
    answers = _answered(root, asked, tables, references)
    if answers.numbered:
        hint = "say it: --about COLUMN, or let pipelines/ingest.py number the rows"
        raise AnswerError(f"no column of {answers.table} names each row", hint=hint)
    answers = replace(answers, called=name)
    label = tables[answers.table]
    found = {**find_leaks(label, answers), **_other_labels(root, label, answers)}
    leaks = {column: why for column, why in found.items() if column not in answers.keep}
    kept = {column: one for column, one in label.columns.items() if column not in leaks}
    known = named_objects(root / FEATURES)
    there = {
        path.stem: path.read_text(encoding="utf-8") for path in (root / TABLE_SQL).glob("*.sql")
    }
    seen = {**tables, label.name: replace(label, columns=kept)}
    merge = MERGED in there  # as init wrote it: so that the same table is found again
    features, told = feature_tables(answers, seen, references, merge=merge)
    held = {text: table for table, text in there.items() if table in known.views}
    new = [_free(one, name, {*there, *tables}) for one in features if one.sql not in held]
    others = [known.views[held[one.sql]] for one in features if one.sql in held]
    module = f"{FEATURES}/{name}_features.py"
    row = next((one.name for one in new if one.name.startswith(f"{label.name}_profile")), "")
    abouts = abouts_of(answers, label, known.entities)
    text = definitions_text(abouts, new, owner_of(root), service=name, others=others, given=row)
    files = {
        problem_yaml(name): header("problem", problem_yaml(name)) + problem_text(answers),
        f"{FEATURES}/spines/{name}.sql": spine_text(answers, label),
        module: text,
        **{table_sql(one.name): one.sql for one in new},
    }
    notes = [
        f"{label.name}.{column} is left out: {why} (--keep {column} takes it all the same)"
        for column, why in leaks.items()
    ]
    return Addition(
        files,
        {EXPERIMENTS_YAML: _experiments(root, answers)},
        (module,),
        (*notes, *told),
        answer_rows(answers),
    )


def other_labels(root: Path, tables: Mapping[str, TableProfile]) -> list[str]:
    """Columns that a new problem may predict: those that look like it, without what others predict.

    Args:
        root: The project.
        tables: Its raw tables.
    """
    taken = {declared_problem(root / CONF, name).label for name in problems_of(root)}
    return [one for one in label_candidates(tables) if one.rpartition(".")[2] not in taken]


def _answered(
    root: Path, asked: Asked, tables: Mapping[str, TableProfile], references: Sequence[Reference]
) -> Answers:
    """The answers; whom it is about and when it is known as a problem of the same table has it, if open."""
    table, _ = label_of(asked.predict, tables, {})
    because: dict[str, str] = {}
    for name in problems_of(root):
        other = declared_problem(root / CONF, name)
        if other.label not in table.columns or not set(other.entity) <= set(table.columns):
            continue
        told = f"as {name} has it, whose label is in {table.name}, too"
        if not asked.about:
            asked, because["about"] = replace(asked, about=",".join(other.entity)), told
        found = complete_answers(asked, tables, references)
        if found.why.get("known_after", "").startswith(UNTOLD):
            asked, because["known_after"] = replace(asked, known_after=str(other.known_after)), told
        break
    answers = complete_answers(asked, tables, references)
    return replace(answers, why={**answers.why, **because})


def _other_labels(root: Path, table: TableProfile, answers: Answers) -> dict[str, str]:
    """Labels of other problems, which are known later than their rows; why, by column."""
    found = {}
    for name in problems_of(root):
        other = declared_problem(root / CONF, name)
        if other.label in table.columns and other.label != answers.label:
            found[other.label] = f"it is the label of {name}, known {other.known_after} later"
    return found


def _free(table: FeatureTable, problem: str, taken: set[str]) -> FeatureTable:
    """A feature table by a name that no other has."""
    return table if table.name not in taken else replace(table, name=f"{problem}_{table.name}")


def _experiments(root: Path, answers: Answers) -> str:
    text = (root / EXPERIMENTS_YAML).read_text(encoding="utf-8")
    for experiment, options in experiments_of(answers.task).items():
        entry = {"problem": answers.name, "service": answers.name, **options}
        path = ["experiments", f"{answers.name}_{experiment}"]
        text = with_value(text, path, entry, where=EXPERIMENTS_YAML)
    return text
