"""Why DVC could not get something, in the line of it that says so."""

import pytest

from furrow.ground.dvcget import reason

AROUND = "Having any troubles? Hit us up at https://dvc.org/support, we are always happy to help!"


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("ERROR: no such file\n", "no such file"),
        (f"{AROUND}\nERROR: unexpected error - disk is full\n", "unexpected error - disk is full"),
        (f"ERROR: gone\n\n{AROUND}\nERROR: later\n", "gone"),
        (f"WARNING: slow\n{AROUND}\n", "WARNING: slow"),
        (AROUND, "no message"),
        ("\n", "no message"),
    ],
)
def test_the_reason_is_the_first_error(stderr: str, said: str) -> None:
    assert reason(stderr) == said
