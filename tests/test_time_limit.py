"""The bound on processor time: what is honest passes, what runs for ever is named, and nothing is left behind."""

from __future__ import annotations

import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from furrow.errors import FurrowError
from furrow.time_limit import PATIENCE, TooLongError, time_limit

FOREVER = {
    "a loop": lambda: [None for _ in iter(int, 1)],
    "a pattern": lambda: re.fullmatch("(a+)+b", "a" * 200),
}
QUERY = "select count(*) from range(1000000000) a, range(1000000000) b where a.range <> b.range"


@pytest.mark.parametrize("what", FOREVER)
def test_what_runs_for_ever_ends(what: str) -> None:
    """Python and its regular expressions; signals are as they were before."""
    before = signal.getsignal(signal.SIGPROF)
    with pytest.raises(TooLongError, match=rf"{what} took more than 0.2 s"):
        with time_limit(0.2, what):
            FOREVER[what]()
    assert signal.getsignal(signal.SIGPROF) is before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("aside", [False, True])
def test_an_engine_is_interrupted(threads: int, aside: bool) -> None:
    """However many threads it has, and in whichever thread it was asked; then it answers again."""
    with duckdb.connect(":memory:", config={"threads": threads}) as db:

        def ask() -> str:
            try:
                with time_limit(0.2, "a query", interrupt=db.interrupt):
                    db.execute(QUERY).fetchall()
            except TooLongError as exc:
                return exc.message
            return ""

        with ThreadPoolExecutor(1) as pool:
            assert (pool.submit(ask).result() if aside else ask()) == "a query took more than 0.2 s"
        assert db.execute("select 1").fetchall() == [(1,)]
        with time_limit(60, "a query", interrupt=db.interrupt):
            assert db.execute("select 2").fetchall() == [(2,)]


def test_what_is_honest_passes() -> None:
    """Its value and its own errors, and no bound afterwards."""
    with time_limit(60, "adding up"):
        assert sum(range(1000)) == 499_500
    with pytest.raises(ValueError, match="of its own"), time_limit(60, "failing"):
        raise ValueError("of its own")
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_an_outer_bound_holds() -> None:
    """A bound inside of another can't lengthen it, and doesn't end it."""

    def nested() -> None:
        with time_limit(0.2, "outside"):
            with time_limit(3600, "inside"):
                pass
            FOREVER["a loop"]()

    with pytest.raises(TooLongError, match=r"outside took more than 0.2 s"):
        nested()


def test_in_another_thread_there_is_none() -> None:
    """Signals are the main thread's: elsewhere the block runs as it is."""
    found: list[int] = []

    def work() -> None:
        with time_limit(0.001, "never"):
            found.append(sum(range(100_000)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [4_999_950_000]


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much", ""])
def test_patience_is_a_number(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Another value is refused by name, not taken for one."""
    monkeypatch.setenv(PATIENCE, text)
    with pytest.raises(FurrowError, match=PATIENCE), time_limit(1, "nothing"):
        pass


def test_patience_lengthens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as long."""
    monkeypatch.setenv(PATIENCE, "10")
    with time_limit(50, "something"):
        assert 400 < signal.getitimer(signal.ITIMER_PROF)[0] < 501
