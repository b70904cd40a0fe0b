"""OpenMP, which scikit-learn's trees run on.

Nothing is loaded here, for it counts what is said before that.
"""

from __future__ import annotations

import os

__all__ = ["wait_asleep"]


def wait_asleep() -> None:
    """Let threads that wait leave the processor to others, in this process if it hasn't loaded OpenMP yet.

    By default they spin. Where several fits share a processor, each then takes two to four times
    its processor time.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
