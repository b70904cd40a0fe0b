"""Furrow reads DVC's files as DVC does: at rest if and only if `dvc status` is clean; the stages that it runs."""

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from .drawn_projects import Drawn, projects
from .edits import EDITS
from .peer import Peer, removed, standing_in, told

SEARCHING = settings().max_examples > 100
EXAMPLES, ROUNDS = (settings().max_examples, 3) if SEARCHING else (24, 1)
"""Projects that are drawn, and how often each is edited and compared: few by `make test`, thousands by `make search`."""


@pytest.fixture
def peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Peer]]:
    """Makes projects, one after another, each removed with the next."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("SHELL", "/bin/sh")
    numbers = itertools.count()
    made: list[Peer] = []

    def make() -> Peer:
        while made:
            last = made.pop()
            last.close()
            removed(last.root)
        made.append(Peer(tmp_path / f"p{next(numbers)}"))
        return made[0]

    yield make
    for last in made:
        last.close()


@pytest.mark.long
@pytest.mark.timeout(14_400)  # `make search` draws thousands
@given(made=projects(), seed=st.integers(0, 2**32), rounds=st.integers(1, ROUNDS), data=st.data())
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
def test_at_rest_and_what_runs(
    peers: Callable[[], Peer], made: Drawn, seed: int, rounds: int, data: st.DataObject
) -> None:
    """After any edits: at rest if and only if `dvc status` is clean; what `dvc repro` runs and restores is the plan's."""
    peer, pick = peers(), random.Random(seed)
    made.plant(peer.root)
    with standing_in(peer.root):
        peer.add(made.tracked)
        agree(peer)
        for _ in range(rounds):
            for name in data.draw(st.lists(st.sampled_from(sorted(EDITS)), min_size=1, max_size=3)):
                note(name)
                EDITS[name](peer.root, made, pick)
            agree(peer)


def agree(peer: Peer) -> None:
    """Ask both, let DVC do the work, and ask both again; with what it wrote told beforehand, the plan is exact."""
    planned, status = peer.plan(), peer.status()
    note(f"plan: {planned}\nstatus: {status}")
    event("refused" if status.rest is None else "at rest" if status.rest else "to do")
    if status.rest is None:
        assert planned.rest is not True, "DVC refuses the project, Furrow says that it is at rest"
        return
    assert planned.rest is not None, "Furrow refuses a project that DVC reads"
    assert planned.rest == status.rest
    with peer.as_before() as before:
        done = peer.run()
        note(f"repro: {done}")
        event(f"failed {done.failed}, ran {bool(done.ran)}, restored {bool(done.restored)}")
        if done.failed:
            assert not planned.rest
            return
        written = peer.written()
        with before(), told(written):
            exact = peer.plan()
    note(f"plan in hindsight: {exact}")
    event(f"unsure {bool(planned.maybe)}")
    assert not planned.failed, "something unknown that DVC knows"
    assert planned.ran <= done.ran, "predicted for certain"
    assert planned.restored <= done.restored
    assert (done.ran | done.restored) <= (planned.ran | planned.restored | planned.maybe), (
        "not predicted"
    )
    assert (exact.ran, exact.restored, exact.maybe) == (done.ran, done.restored, frozenset()), (
        "told what stages write"
    )
    planned, status = peer.plan(), peer.status()
    note(f"plan after: {planned}\nstatus after: {status}")
    assert planned.rest == status.rest
