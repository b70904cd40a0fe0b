"""What `furrow init` would write.

The data landed and looked at, the questions answered, every file as text.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from furrow.intake.file_patterns import pattern_of
from furrow.intake.given import Given, find_given
from furrow.intake.landed import land, number_rows
from furrow.intake.quiet_db import quiet_db
from furrow.intake.table_profile import counted, profile_tables, quoted, references, relation
from furrow.plurals import number_of
from furrow.scaffold.answer_error import AnswerError
from furrow.scaffold.answers import Answers, Asked, complete_answers
from furrow.scaffold.feature_sql import feature_tables
from furrow.scaffold.joint_keys import key_words
from furrow.scaffold.leaks import find_leaks, planned_notes
from furrow.scaffold.series_guess import series_note
from furrow.scaffold.texts import Facts, project_texts, raw_patterns
from furrow.training.tasks.task import NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from furrow.intake.landed import Landed
    from furrow.intake.table_profile import Reference, TableProfile
    from furrow.scaffold.source_tables import FeatureTable

__all__ = ["InitPlan", "Looked", "look", "plan_init", "written_for"]

FUTURE = 0.05  # the share of rows in the future that are taken for mistakes


@dataclass(frozen=True)
class Looked:
    """Data that were landed in a scratch folder, and what they look like.

    Attributes:
        given: Where each table came from.
        landed: The tables.
        tables: Their profiles.
        references: Which columns refer to which keys.
        timezone: Of moments that name no zone.
    """

    given: Sequence[Given]
    landed: Sequence[Landed]
    tables: Mapping[str, TableProfile]
    references: Sequence[Reference]
    timezone: str


@dataclass(frozen=True)
class InitPlan:
    """What would be written.

    Attributes:
        answers: To the six questions.
        texts: The text of each file, by path.
        landed: The tables.
        features: The feature tables.
        notes: What a person should know, a line each.
        given: Where each table comes from, as the project writes it down.
    """

    answers: Answers
    texts: Mapping[str, str]
    landed: Sequence[Landed]
    features: Sequence[FeatureTable]
    notes: tuple[str, ...]
    given: Sequence[Given] = ()


def look(
    sources: Sequence[str],
    scratch: Path,
    *,
    timezone: str = "UTC",
    watch: Callable[[str, int], None] | None = None,
) -> Looked:
    """Land what somebody gave in a scratch folder, and profile it.

    Args:
        sources: Files, folders, patterns, addresses.
        scratch: Gets NAME.parquet for each table.
        timezone: Of moments that name no zone.
        watch: Called with a table's name and the rows that were read, 0 where it begins; with no
            name where all are read and looked at.

    Raises:
        IntakeError: Something can't be read as a table.
        GivenError: There is nothing.
    """
    given = find_given(sources)
    landed = []
    for one in given:
        progress = None if watch is None else (lambda rows, name=one.name: watch(name, rows))
        if watch is not None:
            watch(one.name, 0)
        landed.append(
            land(one, scratch / f"{one.name}.parquet", timezone=timezone, progress=progress)
        )
    if watch is not None:
        watch("", 0)
    tables = profile_tables(landed, timezone=timezone)
    return Looked(given, landed, tables, references(tables), timezone)


def plan_init(root: Path, looked: Looked, asked: Asked, *, now: datetime) -> InitPlan:
    """Answer what is open, find leaks, and write every file as text.

    Args:
        root: The folder that becomes a project.
        looked: The data.
        asked: What the person said.
        now: Rows after it lie in the future.

    Raises:
        AnswerError: A question has no answer that the data bear out, or nothing is left to learn
            from.
    """
    asked = replace(asked, timezone=looked.timezone)
    answers = complete_answers(asked, looked.tables, looked.references)
    looked = _numbered(looked, answers)
    given = _from(root, looked.given)
    texts, features, notes = written_for(
        root, answers, given, looked.tables, looked.references, now=now
    )
    read = [f"{one.name}: {note}" for one in looked.landed for note in one.notes]
    if any(one.password for one in looked.given):
        notes.append(
            "the password is written nowhere: pipelines/ingest.py reads PGPASSWORD, or a password"
            " file (~/.pgpass)"
        )
    notes += _git_would_take(root, given)
    return InitPlan(answers, texts, looked.landed, features, (*read, *notes), given)


def _git_would_take(root: Path, given: Sequence[Given]) -> list[str]:
    """Raw files that a .gitignore which stays as it is does not name."""
    path = root / ".gitignore"
    if not path.is_file():
        return []
    there = path.read_text(encoding="utf-8", errors="replace").split("\n")
    missing = [one for one in raw_patterns(given) if one not in there]
    if not missing:
        return []
    lines = ", ".join(missing)
    return [
        f".gitignore stays as it is: add {lines} unless Git is to keep raw files; DVC keeps what lands"
    ]


def _numbered(looked: Looked, answers: Answers) -> Looked:
    """The data, the rows of the label's table counted where nothing else names them."""
    if not answers.numbered:
        return looked
    landed = [
        number_rows(one, answers.numbered) if one.name == answers.table else one
        for one in looked.landed
    ]
    table = counted(looked.tables[answers.table], answers.numbered)
    return replace(looked, landed=landed, tables={**looked.tables, table.name: table})


def written_for(
    root: Path,
    answers: Answers,
    given: Sequence[Given],
    tables: Mapping[str, TableProfile],
    references: Sequence[Reference],
    *,
    now: datetime,
) -> tuple[dict[str, str], list[FeatureTable], list[str]]:
    """Every file of a project as text.

    Args:
        root: The folder that becomes a project.
        answers: To the six questions.
        given: Where each table comes from, as the project writes it down.
        tables: What landed, all columns.
        references: Which columns refer to which keys.
        now: Rows after it lie in the future.

    Returns:
        The texts by path, the feature tables, and what a person should know.

    Raises:
        AnswerError: Nothing is left to learn from.
    """
    label = tables[answers.table]
    found = {} if answers.step else find_leaks(label, answers)  # a row to come has none of its own
    leaks = {name: why for name, why in found.items() if name not in answers.keep}
    kept = {
        name: _without(table, leaks if table is label else {}) for name, table in tables.items()
    }
    features, told = feature_tables(answers, kept, references)
    if not features:
        hint = "give more tables or columns" + (
            "" if answers.at else ", or say when it is predicted: --at COLUMN"
        )
        raise AnswerError(
            f"nothing says anything of {key_words(answers.entity)} but {answers.label}", hint=hint
        )
    until = _until(label, answers, now, told)
    facts = Facts(_project_name(root), answers, given, tables, references, features, until)
    notes = [
        f"{label.name}.{name} is left out: {why} (--keep {name} takes it all the same)"
        for name, why in leaks.items()
    ]
    notes += planned_notes(kept[label.name], answers)
    if answers.predicts == NUMBER and answers.at and not (answers.step or answers.numbered):
        notes += filter(None, [series_note(label, answers.entity, answers.at)])
    return project_texts(facts), features, [*notes, *told, *_about(answers, label)]


def _without(table: TableProfile, columns: Mapping[str, str]) -> TableProfile:
    return replace(
        table, columns={name: one for name, one in table.columns.items() if name not in columns}
    )


def _about(answers: Answers, table: TableProfile) -> list[str]:
    """What becomes of rows that can't be predicted."""
    found = []
    label = table.columns[answers.label]
    if label.nulls:
        found.append(
            f"{number_of(label.nulls, 'row')} of {table.name} without {label.name}: unlabelled is not"
            " negative, left out"
        )
    gaps = table.columns[answers.at].nulls if answers.at else 0
    if gaps:
        found.append(f"{number_of(gaps, 'row')} of {table.name} without {answers.at}: left out")
    if answers.repeated:
        moment = f" at one {answers.at}" if answers.at else ""
        rows = number_of(answers.repeated, "row")
        said = f"{key_words(answers.entity)} comes again{moment} in {rows} of {table.name}"
        other = "--about names another key, of several columns as A,B"
        found.append(f"{said}: the first of each is kept ({other})")
    if not answers.at:
        found.append(
            "predictions have no moment of their own: nothing can tell what was known before (--at"
            " COLUMN)"
        )
    return found


def _until(table: TableProfile, answers: Answers, now: datetime, told: list[str]) -> str:
    """The moment after which rows are left out, because no label can be known of them."""
    if not answers.at or table.columns[answers.at].most <= now:
        return ""
    with quiet_db() as db:
        query = f"SELECT count(*) FROM {relation(table.path)} WHERE {quoted(answers.at)} > ?"  # noqa: S608 - quoted
        ((later,),) = db.execute(query, [now]).fetchall()
    if later > FUTURE * table.rows:
        told.append(
            f"{number_of(later, 'row')} of {table.name} in the future of this machine's clock: taken as"
            " they are"
        )
        return ""
    told.append(
        f"{number_of(later, 'row')} of {table.name} in the future"
        f" ({table.columns[answers.at].most:%Y-%m-%d}): left out"
    )
    return now.isoformat(" ", "seconds")


def _from(root: Path, given: Sequence[Given]) -> list[Given]:
    """Places as the project writes them down: from its root, several files by the pattern of their names."""
    return [
        Given(
            one.name,
            tuple(_place(root, place) for place in _by_pattern(one)),
            one.table,
        )
        for one in given
    ]


def _by_pattern(given: Given) -> Sequence[str]:
    pattern = "" if given.table else pattern_of(given.places)
    return [pattern] if pattern else given.places


def _place(root: Path, place: str) -> str:
    if "://" in place:
        return place
    whole = os.path.abspath(place)  # noqa: PTH100 - a link stays as it was named
    base = os.path.abspath(root)  # noqa: PTH100 - the same
    return (
        os.path.relpath(whole, base).replace(os.sep, "/")
        if whole.startswith(f"{base}{os.sep}")
        else whole
    )


def _project_name(root: Path) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", root.resolve().name.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"project_{plain}".rstrip("_")
