"""The time of a simulation: a file that whoever simulates moves on, and that one server reads.

It holds in a simulation's own folder alone, which is marked as one: no server beside it can be told
another time than its machine's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from furrow.errors import UsageError
from furrow.files import FileError, read_json, write_json
from furrow.ground.kept_here import require_kept
from furrow.layout import SIMULATION

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

__all__ = ["SimulatedClock"]

FORMAT = 1
_NAME = "clock"


class SimulatedClock:
    """A clock that stands still until it is set.

    Args:
        path: The file of its time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = path.with_name(f".{path.name}")

    @classmethod
    def begin(cls, root: Path, moment: datetime) -> Self:
        """Mark a project as a simulation, and set its clock.

        Args:
            root: The project, made for the simulation.
            moment: The time that it begins at.
        """
        marker = root / SIMULATION
        clock = cls(marker.with_name(_NAME))
        marker.parent.mkdir(parents=True, exist_ok=True)
        clock.set(moment)
        write_json(marker, {"format": FORMAT, "project": str(root.resolve())})
        return clock

    @classmethod
    def of(cls, root: Path) -> Self:
        """The clock of a simulation.

        Args:
            root: The project.

        Raises:
            NotKeptError: A commit says that it is one.
            UsageError: It is none: whatever is served from it is served now.
        """
        marker = root / SIMULATION
        require_kept(root)
        try:
            value = read_json(marker)
            ours = value["format"] == FORMAT and value["project"] == str(root.resolve())
        except (FileError, KeyError, TypeError):
            ours = False
        if not ours:
            raise UsageError(
                f"{root} is no simulation: a server of it has no other time than now",
                hint="furrow simulate ENV --server --from DAY --to DAY",
            )
        return cls(marker.with_name(_NAME))

    def now(self) -> datetime:
        """The time that it was set to."""
        return datetime.fromisoformat(self._path.read_text(encoding="ascii"))

    def set(self, moment: datetime) -> None:
        """Let it be another time, from the next look on."""
        self._next.write_text(moment.astimezone(UTC).isoformat(), encoding="ascii")
        self._next.replace(self._path)
