"""Why a stage would run, in words, down to the key that changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.ground.parameters import MISSING, flat_diff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from furrow.plan.stage_prediction import Cause, Prediction

__all__ = ["Facts", "explain", "shown"]

_LONGEST = 48
_FILES = 4
_ENTRIES = {"digest": "train"}
"""Which stage's code the keys of `code` are of, where the two have other names."""


@dataclass(frozen=True)
class Facts:
    """What explaining asks, each thing looked up only when a cause needs it.

    Attributes:
        code: The changed files among those that a stage's module imports, by the stage's name.
        features: What changed of a feature service (None: of the service with this old digest), in
            words.
        data: What changed of a path of raw data, in words, given its old md5.
        files: The changed files below a path, as far as Git tells.
        form: Whether an input at a path differs in form only from what it was.
    """

    code: Callable[[str], Sequence[str]]
    features: Callable[[str, str], Sequence[str]]
    data: Callable[[str, str], Sequence[str] | None]
    files: Callable[[str], Sequence[str]]
    form: Callable[[str, str], bool]


def explain(prediction: Prediction, facts: Facts) -> tuple[str, ...]:
    """The reasons of a prediction, in words, the most telling first."""
    if any(cause.kind == "new" for cause in prediction.causes):
        return (f"{prediction.stage} has never run",)
    direct = [cause for cause in prediction.causes if cause.kind != "upstream"]
    lines = (
        ["frozen: its outputs are recorded as they are"] if prediction.action == "record" else []
    )
    for cause in direct or prediction.causes:
        lines += _words(cause, facts)
    return tuple(dict.fromkeys(lines))


def shown(value: Any) -> str:
    """A value as a person would write it, cut when it is long."""
    if value is MISSING:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _some(files: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(files[:_FILES]) + (
        f" and {len(files) - _FILES} more" if len(files) > _FILES else ""
    )


def _words(cause: Cause, facts: Facts) -> list[str]:
    match cause.kind:
        case "new":
            return ["new"]
        case "command":
            return [f"command {shown(cause.old)} -> {shown(cause.new)}"]
        case "unknown":
            return [cause.key]
        case "always":
            return ["runs each time"]
        case "upstream":
            return [f"if {cause.path} changes"]
        case "lost":
            return [f"{cause.path} is gone from DVC's cache"]
        case "out":
            said = _state(cause, absent="is missing", there="is not what dvc.lock records")
            return [f"{cause.path} {said}"]
        case "dep":
            return _dep(cause, facts)
        case "param":
            return _param(cause, facts)


def _state(cause: Cause, *, absent: str, there: str) -> str:
    return absent if cause.new is MISSING else there


def _dep(cause: Cause, facts: Facts) -> list[str]:
    if cause.new is MISSING:
        return [f"{cause.path} is missing"]
    if cause.old is MISSING:
        return [f"reads {cause.path}"]
    said = facts.data(cause.path, cause.old)
    if said is not None:
        return [f"data: {line}" for line in said] or [f"data: {cause.path} changed"]
    if facts.form(cause.path, cause.old):
        return [f"{cause.path}: form only, the result stays"]
    files = facts.files(cause.path)
    return [f"{cause.path} changed: {_some(files)}" if files else f"{cause.path} changed"]


def _param(cause: Cause, facts: Facts) -> list[str]:
    if not cause.key:
        return [f"reads {cause.path}"]
    lines: list[str] = []
    for key, old, new in flat_diff(cause.key, cause.old, cause.new) or [
        (cause.key, cause.old, cause.new)
    ]:
        parts = key.split(".")
        if parts[0] == "code":
            stage = _ENTRIES.get(parts[-1], parts[-1])
            files = facts.code(stage)
            lines.append(
                f"code: {_some(files)}"
                if files
                else f"code: of the stage {stage}, or what it imports"
            )
        elif parts[-1] == "digest" and old is not MISSING and new is not MISSING:
            lines += facts.features(str(old), str(new)) or [f"{key} changed"]
        elif key == "contract":
            lines.append("contract: conf/data/contract.yaml")
        elif parts[-1] == "digest" and new is not MISSING:
            continue
        else:
            lines.append(f"{key} {shown(old)} -> {shown(new)}")
    return lines
