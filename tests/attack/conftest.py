"""Attacks on what holds a stranger's commands: skipped where nothing does, but for those that say what happens then."""

import pytest

from tests.attack.holding import can_hold

HELD = {"test_jail", "test_ci_attacks", "test_rejudge_jail"}


@pytest.fixture(autouse=True)
def held_or_skipped(request: pytest.FixtureRequest) -> None:
    """A jail, or a reason."""
    name = request.module.__name__.rpartition(".")[2]
    if name in HELD and not request.node.get_closest_marker("nowhere") and not can_hold():
        pytest.skip("nothing can be held here")
