"""Models whose bytes are others and whose predictions are the recorded ones.

A class of verdict of its own.

conf/replay.yaml declares which outputs are models, and what they predicted. On another processor a
library may leave other last digits in a model; what counts then is what it predicts, within the
tolerance that is declared. Later files name such a model, or predictions within tolerance, by
hashes: these may be others, too, if they are of the files that this replay gave.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from furrow.ground.pipeline import overlaps
from furrow.replay.replay_verdict import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    OTHER_BYTES,
    TOLERATED,
    Output,
    Reason,
    StageVerdict,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from furrow.ground.dvc import Project
    from furrow.replay.replay_settings import Settings

__all__ = ["hashes_of", "named_again", "proven", "recognised"]

_SAME = (IDENTICAL, TOLERATED)
_HASH = re.compile(rb"(?<![0-9a-zA-Z])[0-9a-f]{16,64}(?![0-9a-zA-Z])")
_TEXTS = (".json", ".md", ".csv", ".yaml", ".txt")


def recognised(outputs: Sequence[Output], settings: Settings, *, downstream: bool) -> list[Output]:
    """A stage's outputs, its models judged by what they predict.

    Args:
        outputs: As their bytes and tolerances judge them.
        settings: Which outputs are models, and of which predictions.
        downstream: Whether an earlier stage gave a model with other bytes, so that what can't be
            compared for want of the recorded file may be what follows from it.
    """
    found = {output.path: output for output in outputs}
    for rule in settings.models:
        predictions = [one for one in outputs if _is_one(one, rule.predictions)]
        known = [one for one in predictions if one.compared or one.status in _SAME]
        if not predictions or any(one.status not in _SAME for one in known):
            continue
        says = (
            "its predictions are the recorded ones"
            if known == predictions
            else "its predictions are not at hand"
        )
        for one in outputs:
            if one.status == DIFFERENT and one.md5 and _is_one(one, [rule.path]):
                found[one.path] = replace(
                    one, status=OTHER_BYTES, differences=(says, *one.differences)
                )
        if known != predictions and any(one.status == OTHER_BYTES for one in found.values()):
            found |= {
                one.path: replace(one, status=OTHER_BYTES)
                for one in predictions
                if one not in known
            }
    if downstream:
        lost = [one for one in outputs if one.status == DIFFERENT and one.md5 and not one.compared]
        found |= {one.path: replace(one, status=OTHER_BYTES) for one in lost}
    return list(found.values())


def hashes_of(outputs: Sequence[Output]) -> dict[str, str]:
    """The sha256 of each file that is not the recorded one and yet counts as equal, and how equal it is."""
    return {
        sha256: output.status
        for output in outputs
        if output.status in {TOLERATED, OTHER_BYTES}
        for sha256 in output.sha256.values()
    }


def named_again(
    path: str, recorded: bytes, replayed: bytes, hashes: Mapping[str, str]
) -> tuple[bytes, str]:
    """A replayed text with hashes of files that count as equal written as they were recorded.

    Returns:
        The text, and how equal the files are that it names; "" where it names none.
    """
    if not hashes or not path.endswith(_TEXTS):
        return replayed, ""
    before: list[bytes] = _HASH.findall(recorded)
    after: list[bytes] = _HASH.findall(replayed)
    if len(before) != len(after):
        return replayed, ""
    told = iter(before)
    status = [IDENTICAL]

    def recorded_name(match: re.Match[bytes]) -> bytes:
        was, now = next(told), match.group()
        of = [how for sha256, how in hashes.items() if sha256.startswith(now.decode())]
        if was == now or len(was) != len(now) or not of:
            return now
        status.append(of[0])
        return was

    renamed: bytes = _HASH.sub(recorded_name, replayed)
    return renamed, worst(status) if len(status) > 1 else ""


def proven(
    stages: Sequence[StageVerdict], project: Project, settings: Settings
) -> tuple[StageVerdict, ...]:
    """Verdicts in which a model whose predictions are not at hand counts as equal only if a later stage bears it out.

    What bears it out is a file that Git holds (metrics), made from those predictions and equal
    within tolerance.
    """
    return tuple(_borne_out(one, stages, project, settings) for one in stages)


def _borne_out(
    one: StageVerdict, stages: Sequence[StageVerdict], project: Project, settings: Settings
) -> StageVerdict:
    patterns = [pattern for rule in settings.models for pattern in rule.predictions]
    lost = [
        output.path
        for output in one.outputs
        if output.status == OTHER_BYTES and _is_one(output, patterns)
    ]
    if not lost or one.status != OTHER_BYTES:
        return one
    later = [other for other in stages if other is not one and _reads(project, other.stage, lost)]
    tells = any(
        output.tracked and output.status in _SAME for other in later for output in other.outputs
    )
    if tells and not any(other.status in {DIFFERENT, FAILED} for other in later):
        return one
    words = (
        f"{lost[0]} is other than recorded, and neither the recorded file nor metrics made from it"
        " are at hand"
    )
    return replace(one, status=DIFFERENT, reasons=(*one.reasons, Reason("unknown", words)))


def _reads(project: Project, stage: str, paths: Sequence[str]) -> bool:
    """Whether a stage depends on one of some paths."""
    return any(overlaps(dep.path, path) for dep in project.stages[stage].deps for path in paths)


def _is_one(output: Output, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(output.path, pattern) for pattern in patterns)
