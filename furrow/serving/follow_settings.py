"""What a server follows, and where it keeps what it knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["FollowSettings", "one_line"]


def _now() -> datetime:
    return datetime.now(UTC)


def _quiet(_text: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class FollowSettings:
    """What is followed, and where the state is.

    Attributes:
        environment: Such as "production".
        remote: A path or an address, from `git_mirror.remote_address`; empty where nothing is
            polled, and what the state folder says is served (`furrow.serving.deploy_here`).
        branch: Its branch.
        state: The state folder.
        features: The features folder whose store the versions read.
        name: Under which the model is asked for; the environment's, if empty.
        prefix: Of the project within its repository, with a slash behind it.
        every: Seconds between two polls.
        clock: The time; a simulation's is its own.
        tell: Is given a line for a person whenever something changes.
        tried: Is told after each try to load what the state folder names why it is not served;
            empty where it is.
    """

    environment: str
    remote: str
    branch: str
    state: Path
    features: Path
    name: str = ""
    prefix: str = ""
    every: float = 5.0
    clock: Callable[[], datetime] = _now
    tell: Callable[[str], None] = _quiet
    tried: Callable[[str], None] = _quiet

    @property
    def mirror(self) -> Path:
        """The repository in which the branch is kept."""
        return self.state / "mirror.git"


def one_line(exc: Exception) -> str:
    """What went wrong, and what to do, on one line."""
    return "; ".join(" ".join(line.split()) for line in str(exc).splitlines() if line.strip())[:500]
