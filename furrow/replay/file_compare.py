"""Two versions of a file, compared by what they hold.

Keys of JSON, rows and columns of tables, lines of text.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.parse import parse_json
from furrow.replay.replay_verdict import DIFFERENT, IDENTICAL, TOLERATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from furrow.replay.replay_settings import Settings

__all__ = ["SHOWN", "Comparison", "compare", "is_number", "judged", "shown", "words_of"]

SHOWN = 12


@dataclass(frozen=True)
class Comparison:
    """How two versions of a file compare.

    Attributes:
        status: identical, within tolerance, or different.
        differences: In words.
        values: The first values that differ, as (recorded, replayed), for whoever looks for the
            cause.
        at_hand: Whether both versions were at hand; else their hashes differ.
    """

    status: str
    differences: tuple[str, ...] = ()
    values: tuple[tuple[Any, Any], ...] = ()
    at_hand: bool = True


def compare(path: str, recorded: bytes, replayed: bytes, settings: Settings) -> Comparison:
    """Compare what a commit holds with what a replay gave.

    Args:
        path: The file's path from the root: its ending says what it holds, its tolerance goes by
            it.
        recorded: What the commit says.
        replayed: What the replay gave.
        settings: The declared tolerances.
    """
    if recorded == replayed:
        return Comparison(IDENTICAL)
    kind = path.rsplit(".", 1)[-1].lower()
    try:
        if kind in ("csv", "parquet"):
            # pandas, which most replays do without
            from furrow.replay.table_compare import compare_tables  # noqa: PLC0415

            return compare_tables(kind, path, recorded, replayed, settings)
        return (_json if kind == "json" else _text)(path, recorded, replayed, settings)
    except (ValueError, TypeError, KeyError, OSError) as exc:
        sizes = f"{len(recorded):,} bytes recorded, {len(replayed):,} replayed"
        return Comparison(
            DIFFERENT, (f"{sizes}; not comparable by content ({type(exc).__name__})",)
        )


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key in value:
            yield from _leaves(value[key], f"{at}.{key}" if at else str(key))
    elif isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from _leaves(one, f"{at}[{number}]")
    else:
        yield at, value


def _json(path: str, recorded: bytes, replayed: bytes, settings: Settings) -> Comparison:
    before, after = dict(_leaves(parse_json(recorded))), dict(_leaves(parse_json(replayed)))
    words = [
        f"{key}: recorded {words_of(before[key])}, not replayed"
        for key in before
        if key not in after
    ]
    words += [
        f"{key}: replayed {words_of(after[key])}, not recorded"
        for key in after
        if key not in before
    ]
    values, tolerated = [], 0
    for key in [key for key in before if key in after]:
        if _same(before[key], after[key]):
            continue
        rule = settings.tolerance(path, key)
        if (
            rule
            and is_number(before[key])
            and is_number(after[key])
            and rule.allows(before[key], after[key])
        ):
            tolerated += 1
            continue
        values.append((before[key], after[key]))
        words.append(
            f"{key}: recorded {words_of(before[key])}, replayed"
            f" {words_of(after[key])}{_gap(before[key], after[key])}"
        )
    return judged(path, words, values, tolerated, settings)


def judged(
    path: str, words: list[str], values: list[Any], tolerated: int, settings: Settings
) -> Comparison:
    """The verdict on a file, from the differences that were found and those that are tolerated."""
    if words:
        return Comparison(DIFFERENT, shown(words), tuple(values[:SHOWN]))
    if tolerated:
        return Comparison(TOLERATED, (f"{tolerated} values within tolerance",))
    if settings.of(path):
        return Comparison(TOLERATED, ("every value is equal, the bytes are not",))
    return Comparison(
        DIFFERENT,
        (
            (
                "every value is equal, the bytes are not: written by another version, or in another"
                " order"
            ),
        ),
    )


def _text(path: str, recorded: bytes, replayed: bytes, settings: Settings) -> Comparison:
    del settings
    try:
        before, after = recorded.decode().splitlines(), replayed.decode().splitlines()
    except UnicodeDecodeError:
        before, after = [], []
    if not before or not after or b"\0" in recorded[:8000]:
        at = next(
            (n for n, (a, b) in enumerate(zip(recorded, replayed, strict=False)) if a != b), -1
        )
        first = f"the first at {at:,}" if at >= 0 else "one is the beginning of the other"
        sizes = f"{len(recorded):,} bytes recorded, {len(replayed):,} replayed"
        return Comparison(DIFFERENT, (f"the bytes differ, {first} ({sizes})",))
    lines = [line for line in difflib.unified_diff(before, after, "recorded", "replayed", n=0, lineterm="")
             if line[:1] in "+-" and not line.startswith(("---", "+++"))]  # fmt: skip
    words = [
        f"{'recorded' if line[0] == '-' else 'replayed'}: {line[1:].strip()[:200]}"
        for line in lines
    ]
    changed = [line[1:] for line in lines if line[0] == "+"]
    gone = [line[1:] for line in lines if line[0] == "-"]
    if not words:
        words = [f"line ends differ in {path.rsplit('/', 1)[-1]}"]
    return Comparison(DIFFERENT, shown(words), tuple(zip(gone, changed, strict=False))[:SHOWN])


def _same(one: Any, other: Any) -> bool:
    if (
        isinstance(one, float)
        and isinstance(other, float)
        and math.isnan(one)
        and math.isnan(other)
    ):
        return True
    return type(one) is type(other) and bool(one == other)


def is_number(value: Any) -> bool:
    """Whether a value is a number, which a tolerance can be for."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _gap(one: Any, other: Any) -> str:
    return f" ({other - one:+.3g})" if is_number(one) and is_number(other) else ""


def words_of(value: Any) -> str:
    """A value as messages show it."""
    text = repr(value.item() if hasattr(value, "item") else value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def shown(words: list[str]) -> tuple[str, ...]:
    """The first differences, and how many there are besides."""
    return (*words[:SHOWN], *([f"and {len(words) - SHOWN} more"] if len(words) > SHOWN else []))
