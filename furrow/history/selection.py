"""What history a list of runs is asked about, in a person's words."""

from __future__ import annotations

from typing import NamedTuple

from furrow.errors import UsageError

__all__ = ["Selection"]


class Selection(NamedTuple):
    """What history to look at.

    Attributes:
        rev: A revision, whose own runs are meant, or a range A..B of history. Empty: HEAD.
        everything: The history of every branch, tag and DVC experiment.
        branches: The history of these branches.
        since: Only commits later than this, in any form that Git reads ("2 weeks ago",
            "2026-01-31").
    """

    rev: str = ""
    everything: bool = False
    branches: tuple[str, ...] = ()
    since: str = ""

    @property
    def single(self) -> bool:
        """Whether the runs of one commit are meant, not of a history."""
        return not (self.everything or self.branches or self.since or ".." in self.rev)

    def check(self) -> None:
        """See that it says one thing.

        Raises:
            UsageError: It says several.
        """
        if sum((self.everything, bool(self.branches), bool(self.rev))) > 1:
            raise UsageError(
                "a revision, --all and --branch exclude one another", hint="give one of them"
            )
