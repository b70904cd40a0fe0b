"""The ML Test Score of a commit.

1 for a test that runs by itself, 0.5 for one that a person did, with a date.

conf/score.yaml says what no file shows:

    manual:                                  # half a point, for as long as `valid` says
      data.5: {by: ada@example.com, date: 2024-05-01, how: docs/privacy.md}
    tests:                                   # a point: they are in this commit, and CI runs them
      infrastructure.2: [tests/test_models.py::test_each_model_is_built]
    run: make test                           # stands in what CI runs
    valid: 180d
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.governance.score_tests import SECTIONS, TESTS
from furrow.layout import SCORE_YAML
from furrow.parse import ParseError, parse_yaml
from furrow.plurals import number_of
from furrow.training.problem import ProblemError, span

if TYPE_CHECKING:
    from furrow.governance.score_evidence import Evidence
    from furrow.governance.score_tests import ScoreTest

__all__ = ["Answer", "Score", "ScoreError", "badge", "score"]

_MEANS = (
    (0, "more of a research project than a productionized system"),
    (1, "not totally untested, but serious holes in reliability are possible"),
    (2, "there has been a first pass at basic productionization"),
    (3, "reasonably tested; more of it could be automated"),
    (5, "strong levels of automated testing and monitoring"),
    (7, "exceptional levels of automated testing and monitoring"),
)
"""Table 2 of the paper: up to which score what is said of a system."""


class ScoreError(FurrowError):
    """conf/score.yaml says what can't be meant."""


@dataclass(frozen=True)
class Answer:
    """What one test is worth.

    Attributes:
        id: Such as "data.1".
        asks: What it asks.
        points: 0, 0.5 or 1.
        evidence: In words; empty for none.
        command: What shows it.
        missing: What would be evidence; empty where there is.
    """

    id: str
    asks: str
    points: float
    evidence: str
    command: str
    missing: str


@dataclass(frozen=True)
class Score:
    """The answers to all 28."""

    answers: tuple[Answer, ...]

    @property
    def sections(self) -> dict[str, float]:
        """The points of each section."""
        return {
            name: sum(one.points for one in self.answers if one.id.startswith(f"{name}."))
            for name in SECTIONS
        }

    @property
    def total(self) -> float:
        """The score: that of the lowest section."""
        return min(self.sections.values())

    @property
    def points(self) -> float:
        """All of them, of 28.

        It falls with every check that goes, the score with the lowest section's.
        """
        return sum(one.points for one in self.answers)

    @property
    def means(self) -> str:
        """What the paper says of such a score."""
        return next(words for limit, words in _MEANS if self.total <= limit)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "format": 1,
            "score": self.total,
            "points": self.points,
            "sections": self.sections,
            "means": self.means,
            "tests": [asdict(one) for one in self.answers],
        }


def score(of: Evidence, *, now: datetime) -> Score:
    """Answer the 28 tests.

    Args:
        of: What the commit holds.
        now: The time, by which what a person did is too old.

    Raises:
        ScoreError: conf/score.yaml can't be meant.
    """
    said = _declared(of)
    return Score(tuple(_answer(one, of, said, now) for one in TESTS))


def _answer(test: ScoreTest, of: Evidence, said: dict[str, Any], now: datetime) -> Answer:
    evidence, points = test.look(of), 1.0
    missing = ""
    if not evidence:
        evidence, missing = _named_tests(test.id, of, said)
    if not evidence:
        evidence, why = _manual(test.id, said, now)
        points = 0.5 if evidence else 0.0
        missing = why or missing or test.missing
        if evidence:
            missing = "a person did it: have it run by itself"
    return Answer(test.id, test.asks, points, evidence, test.command, missing)


def _named_tests(name: str, of: Evidence, said: dict[str, Any]) -> tuple[str, str]:
    """The tests that are named as evidence, if they are in the commit and CI runs them."""
    listed = said["tests"].get(name, [])
    if not listed:
        return "", ""
    run = said.get("run", "")
    if not run or run not in of.ci:
        return "", f"nothing that CI runs holds `run: {run}` of {SCORE_YAML}"
    for text in listed:
        path, _, function = text.partition("::")
        if not re.search(rf"^\s*def {re.escape(function)}\(", of.tests.get(path, ""), re.MULTILINE):
            return "", f"{text} is not in this commit"
    return f"CI runs {', '.join(listed)} (`{run}`)", ""


def _manual(name: str, said: dict[str, Any], now: datetime) -> tuple[str, str]:
    """What a person did, if it is not too old; or why it does not count."""
    entry = said["manual"].get(name)
    if entry is None:
        return "", ""
    age = now.date() - entry["date"]
    if age < timedelta(0):
        return "", f"it was done on {entry['date']}, which is yet to come"
    if age > said["valid"]:
        return "", f"it was done on {entry['date']}, {number_of(age.days, 'day')} ago: do it again"
    return f"{entry['by']} on {entry['date']}: {entry['how']}", ""


def _declared(of: Evidence) -> dict[str, Any]:
    """conf/score.yaml, checked."""
    content = of.files.get(SCORE_YAML)
    try:
        value = parse_yaml(content) if content else {}
    except ParseError as exc:
        raise ScoreError(f"{SCORE_YAML} is not valid YAML: {exc.reason}", hint="mend it") from exc
    said = _mapping(value or {}, "it", ("manual", "tests", "run", "valid"))
    names = tuple(one.id for one in TESTS)
    found: dict[str, Any] = {"run": str(said.get("run", "")), "manual": {}, "tests": {}}
    for name, entry in _mapping(said.get("manual", {}), "manual", names).items():
        entry_said = _mapping(entry, f"manual.{name}", ("by", "date", "how"))
        on = entry_said.get("date")
        dated = isinstance(on, date) and not isinstance(on, datetime)
        if not dated or not entry_said.get("by") or not entry_said.get("how"):
            hint = "{by: ada, date: 2024-05-01, how: docs/x.md}"
            raise ScoreError(f"{SCORE_YAML}: manual.{name} lacks by, date or how", hint=hint)
        found["manual"][name] = entry_said
    for name, listed in _mapping(said.get("tests", {}), "tests", names).items():
        if not isinstance(listed, list) or not all(
            isinstance(one, str) and "::" in one for one in listed
        ):
            raise ScoreError(
                f"{SCORE_YAML}: tests.{name} is not a list of FILE::TEST",
                hint="[tests/test_x.py::test_y]",
            )
        found["tests"][name] = listed
    try:
        found["valid"] = span(str(said.get("valid", "180d")), where=f"{SCORE_YAML}: valid")
    except ProblemError as exc:
        raise ScoreError(exc.message, hint=exc.hint) from exc
    return found


def _mapping(value: Any, where: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScoreError(f"{SCORE_YAML}: {where} is not a mapping", hint=f"of {', '.join(known)}")
    for key in value:
        if key not in known:
            raise ScoreError(
                f"{SCORE_YAML}: {where}: there is no {key}", hint=f"there are: {', '.join(known)}"
            )
    return value


def badge(made: Score, at: datetime) -> str:
    """A badge in SVG that loads nothing."""
    colour = "#b42318" if made.total < 1 else "#b54708" if made.total < 3 else "#2f6f4f"
    value = f"{made.total:g} of 7"
    text = f"ML Test Score {value}, {at.astimezone(UTC):%Y-%m-%d}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="160" height="20" role="img"'
        f' aria-label="{text}"><title>{text}</title><rect width="104" height="20"'
        f' fill="#1d2433"/><rect x="104" width="56" height="20" fill="{colour}"/><g fill="#fff"'
        ' font-family="Verdana,sans-serif" font-size="11" text-anchor="middle"><text x="52"'
        f' y="14">ML Test Score</text><text x="132" y="14">{value}</text></g></svg>\n'
    )
