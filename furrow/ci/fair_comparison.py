"""Which runs of a commit were judged on other days than the target branch's, and what a fair comparison says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow import layout
from furrow.ci.bring_contents import bring_of
from furrow.ci.gather import (
    Pair,
    blocks_of,
    champion_before,
    champions_of,
    changed_experiments,
    evaluation,
)
from furrow.errors import FurrowError
from furrow.ground.git import show
from furrow.ground.isolate import run
from furrow.ground.start_python import python
from furrow.history.artifacts import trained_on
from furrow.layout import CHAMPION
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.ci.run_ci import Session

__all__ = ["rejudged"]


def rejudged(session: Session) -> dict[Pair, tuple[dict[str, tuple[float, float, str]], str]]:
    """The champions, and every experiment that changed, where the two evaluations are of other days.

    The comparison runs as the commit's stages do: what it reads may be of a branch from outside.
    """
    pairs = [pair for pair in dict.fromkeys(_candidates(session)) if _other_days(session, pair)]
    if not pairs:
        return {}
    _bring(session, pairs)
    session.say(
        f"comparing {len(pairs)} run{'s' * (len(pairs) > 1)} that were judged on other days"
    )
    words = [f"{one.commit}:{one.name}:{one.other_commit}:{one.other}" for one in pairs]
    try:
        held, bench = session.bench.held, session.bench
        place, isolation = (held.judge, held.judging) if held else (bench.place, bench.running)
        text = run(python("-m", "furrow", "ci", "rejudge", *words), place, isolation)
        answers = parse_json(text)["pairs"]
        return {
            pair: (
                {str(metric): _difference(one) for metric, one in answer["differences"].items()},
                answer["method"],
            )
            for pair, answer in zip(pairs, answers, strict=True)
        }
    except (FurrowError, ValueError, KeyError, TypeError, AttributeError) as exc:
        why = exc.message if isinstance(exc, FurrowError) else "the comparison gave no answer"
        return {
            pair: ({}, f"not tested: the two were judged on other days, and {why}")
            for pair in pairs
        }


def _difference(value: list[object]) -> tuple[float, float, str]:
    low, high, verdict = value
    return float(str(low)), float(str(high)), str(verdict)


def _candidates(session: Session) -> Iterator[Pair]:
    there = champions_of(show(session.root, session.tip, CHAMPION)) if session.tip else {}
    for one in champions_of(show(session.root, session.result, CHAMPION)).values():
        before = champion_before(there, one)
        if one.experiment and before is not None and before.experiment:
            yield Pair(session.tip, before.experiment, session.result, one.experiment)
    if session.base:
        for name in changed_experiments(session.root, session.base, session.result):
            yield Pair(session.base, name, session.result, name)


def _other_days(session: Session, pair: Pair) -> bool:
    one = evaluation(session.root, pair.commit, pair.name)
    two = evaluation(session.root, pair.other_commit, pair.other)
    return one is not None and two is not None and blocks_of(one) != blocks_of(two)


def _bring(session: Session, pairs: list[Pair]) -> None:
    """What the comparison reads, into the cache.

    Predictions, the earlier models, the later training sets.
    """
    wanted: dict[str, set[str]] = {}
    for pair in pairs:
        wanted.setdefault(pair.commit, set()).update(
            {layout.predictions(pair.name), layout.model(pair.name)}
        )
        later = wanted.setdefault(pair.other_commit, set())
        later.add(layout.predictions(pair.other))
        try:
            record = parse_json(
                show(session.root, pair.commit, layout.run_file(pair.name, layout.RECORD_JSON))
                or b"{}"
            )
            later.add(trained_on(record))
        except (ValueError, KeyError, TypeError):
            continue
    for commit, paths in wanted.items():
        bring_of(session, commit, paths)
