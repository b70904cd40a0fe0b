"""What init wrote, kept in the repository's objects.

The base that a later version's texts are merged over.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.ground.git import git
from furrow.ground.project_place import project_prefix
from furrow.intake.given import Given
from furrow.layout import INIT_BASE
from furrow.parse import ParseError, parse_json
from furrow.scaffold.answers import Answers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Base", "TemplateError", "base_text", "keep_base", "read_base"]

FORMAT = 1


class TemplateError(FurrowError):
    """What init once wrote is not known here."""


@dataclass(frozen=True)
class Base:
    """What init wrote.

    Attributes:
        texts: Each file, by path.
        answers: To the six questions.
        given: Where each table comes from.
    """

    texts: Mapping[str, str]
    answers: Answers
    given: Sequence[Given]


def base_text(texts: Mapping[str, str], answers: Answers, given: Sequence[Given]) -> str:
    """What is to be kept, as JSON.

    Args:
        texts: Each file that init writes, by path.
        answers: To the six questions.
        given: Where each table comes from.
    """
    said = {**asdict(answers), "why": {}}
    value = {
        "format": FORMAT,
        "texts": dict(texts),
        "answers": said,
        "given": [{"name": one.name, "places": one.places, "table": one.table} for one in given],
    }
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def keep_base(root: Path, text: str | None = None) -> None:
    """Put it among the repository's objects, under a reference of the project's own.

    Args:
        root: The project, in a repository.
        text: As JSON; by default what init left in its folder, if there is any.
    """
    place = root / INIT_BASE
    if text is None:
        if not place.is_file():
            return
        text = place.read_text(encoding="utf-8")
    blob = git(root, "hash-object", "-w", "--stdin", stdin=text.encode()).decode().strip()
    git(root, "update-ref", _reference(root), blob)
    place.unlink(missing_ok=True)


def read_base(root: Path) -> Base:
    """What init wrote in this project.

    Raises:
        TemplateError: It is not in this clone, or can't be read.
    """
    reference = _reference(root)
    content = git(root, "cat-file", "blob", reference, ok=(0, 128))
    if not content:
        hint = (
            f"where it was made: git push origin {reference}; here: git fetch origin"
            f" {reference}:{reference}"
        )
        raise TemplateError(
            f"this clone has no {reference}, which holds what init wrote", hint=hint
        )
    try:
        value: dict[str, Any] = parse_json(content)
        if value["format"] != FORMAT:
            raise TemplateError(f"{reference} is of format {value['format']}", hint="update Furrow")
        known = {one.name for one in fields(Answers)}
        said = {key: one for key, one in value["answers"].items() if key in known}
        answers = Answers(
            **{**said, **{one: tuple(said.get(one, ())) for one in ("keep", "horizons")}}
        )
        given = [Given(one["name"], tuple(one["places"]), one["table"]) for one in value["given"]]
        return Base({str(path): str(text) for path, text in value["texts"].items()}, answers, given)
    except (ParseError, KeyError, TypeError, AttributeError) as exc:
        raise TemplateError(
            f"{reference} is damaged: {exc}", hint=f"git update-ref -d {reference}"
        ) from exc


def _reference(root: Path) -> str:
    prefix = project_prefix(root).rstrip("/")
    return f"refs/furrow/init/{prefix}" if prefix else "refs/furrow/init-root"
