"""Ctrl-C between any two lines of a library ends in an interrupt, never in what the library says about itself."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from furrow.ground.hydra import structured
from furrow.ground.interrupts import kept_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@dataclass
class Part:
    names: list[str] = field(default_factory=list)


@dataclass
class Whole:
    part: Part = field(default_factory=Part)
    seed: int = 0


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """Python's own handler, whatever whoever started the tests does with the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    sys.settrace(None)
    signal.signal(signal.SIGINT, before)


def at_line(number: int) -> tuple[Callable[..., Any], list[int]]:
    """A tracer that sends SIGINT at a line of OmegaConf, counted from the first, and the count so far."""
    seen = [0]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if "omegaconf" not in frame.f_code.co_filename:
            return trace
        if event == "line":
            seen[0] += 1
            if seen[0] == number:
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return trace

    return trace, seen


def check_config() -> None:
    structured(Whole, {"part": {"names": ["a", "b"]}, "seed": 3}, where="test")


def interrupted_at(number: int) -> tuple[str, int]:
    """What checking a config ends in when it is interrupted at a line, and how many lines it had."""
    trace, seen = at_line(number)
    ended = "done"
    sys.settrace(trace)
    try:
        with kept_interrupts() as check:
            check_config()
            check()
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - whatever it is, it is looked at
        ended = type(exc).__name__
    finally:
        sys.settrace(None)
    return ended, seen[0]


def test_at_any_line_of_a_library() -> None:
    check_config()  # what is cached is cached
    ended, lines = interrupted_at(-1)
    assert ended == "done"
    assert lines > 500
    every = {number: interrupted_at(number)[0] for number in range(1, lines, lines // 400)}
    assert {number: ended for number, ended in every.items() if ended != "KeyboardInterrupt"} == {}


def test_swallowed_altogether() -> None:
    with kept_interrupts() as check:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            check()


def test_an_error_without_an_interrupt_is_that_error() -> None:
    with pytest.raises(ValueError, match="own"), kept_interrupts():
        raise ValueError("own")


def test_the_handler_is_put_back() -> None:
    with kept_interrupts():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_job_in_the_background_goes_on_ignoring_it() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with kept_interrupts() as check:
        signal.raise_signal(signal.SIGINT)
        check()
