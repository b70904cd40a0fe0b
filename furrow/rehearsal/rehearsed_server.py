"""The server of a simulation.

`furrow serve ENV --follow` in a process of its own, asked over HTTP.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.ground.background_process import in_background
from furrow.ground.start_python import python
from furrow.layout import FEATURES
from furrow.rehearsal.rehearsed_project import RehearsalError
from furrow.serving.deployment_state import read_followed, read_holds, state_folder, wanted
from furrow.serving.scorer import Scorer
from furrow.serving.serving_client import PredictionRefusedError, ServingClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from furrow.ground.background_process import Background
    from furrow.rehearsal.rehearsed_project import Rehearsed
    from furrow.serving.deployment_state import Followed, Local, Wanted

__all__ = ["RehearsedServer", "serving"]

_EVERY = 0.5
"""Seconds between two looks at the branch."""
_COUNTED = 1.3
"""Seconds after which what came of requests is counted."""
_LOOKED = 0.3
"""Seconds after which what is decided is served."""
_PATIENCE = 300.0
_ADDRESS = re.compile(r"on (http://127\.0\.0\.1:\d+)")


@dataclass
class RehearsedServer:
    """A server under way.

    Attributes:
        double: What it serves.
        process: It.
        client: Asks it.
    """

    double: Rehearsed
    process: Background
    client: ServingClient

    @property
    def state(self) -> Path:
        """The state folder."""
        return state_folder(self.double.project, self.double.asked.environment)

    @property
    def log(self) -> Path:
        """The prediction log."""
        return self.state / "log"

    def followed(self) -> Followed:
        """What it knows of the branch."""
        return read_followed(self.state, self.double.asked.environment)

    def serves(self) -> Wanted:
        """What answers now."""
        return wanted(self.followed(), read_holds(self.state))

    def fields(self) -> list[str]:
        """What rows for the version that answers must hold."""
        main: Local | None = self.serves().main
        if main is None:
            raise RehearsalError("nothing is served", hint=str(self.process.errors))
        scorer = Scorer.open(
            Path(main.folder),
            self.double.project / FEATURES,
            model_sha256=main.model_sha256,
            predictor_sha256=main.predictor_sha256 or None,
        )
        try:
            return [name for name, one in scorer.fields.fields.items() if one.required]
        finally:
            scorer.close()

    def ask(self, rows: Sequence[Mapping[str, Any]], moment: datetime) -> int:
        """Ask for predictions at a moment.

        How many were given: refused ones are counted by the server.
        """
        self.double.clock.set(moment)
        try:
            return len(self.client.predict(rows))
        except PredictionRefusedError:
            return 0

    def digest(self, moment: datetime) -> None:
        """Wait until whatever happened so far was counted, judged and followed.

        A poll that began after a tick of the clock saw all that was before; the judgement after it
        comes before the next one.

        Args:
            moment: The time now; three ticks of a microsecond are added.
        """
        clock = self.double.clock
        clock.set(moment)
        time.sleep(_COUNTED)
        until = time.monotonic() + _PATIENCE
        for tick in range(1, 4):
            mark = moment + timedelta(microseconds=tick)
            clock.set(mark)
            while not self._polled(mark):
                self.process.said()
                if time.monotonic() > until:
                    raise RehearsalError(f"the server stands still: {self.followed().problem}")
                time.sleep(0.05)
        time.sleep(_LOOKED)

    def _polled(self, mark: datetime) -> bool:
        """Whether the branch was looked at since a tick."""
        said = self.followed().asked
        return bool(said) and datetime.fromisoformat(said) >= mark


@contextmanager
def serving(double: Rehearsed) -> Iterator[RehearsedServer]:
    """Start the server of a double, and end it with the block.

    Args:
        double: From `rehearse_in`; the features of its first day are in the store.

    Raises:
        BackgroundError: It ended at once.
        RehearsalError: It is never ready.
    """
    words = ["serve", double.asked.environment, "--follow", f"origin/{double.branch}"]
    words += ["--every", str(_EVERY), "--port", "0", "--simulated", str(os.getpid())]
    words += ["--workers", str(double.asked.workers)]
    command, folder = python("-m", "furrow", *words), double.asked.folder / "server"
    with in_background(command, double.project, folder) as process:
        until = time.monotonic() + _PATIENCE
        while (found := _ADDRESS.search(process.said())) is None:
            _wait(until, process)
        with ServingClient(found[1], timeout=30.0) as client:
            while not _ready(client):
                process.said()
                _wait(until, process)
            yield RehearsedServer(double, process, client)


def _ready(client: ServingClient) -> bool:
    try:
        return client.ready()
    except FurrowError:
        return False


def _wait(until: float, process: Background) -> None:
    if time.monotonic() > until:
        raise RehearsalError("the server is never ready", hint=f"what it said: {process.errors}")
    time.sleep(0.1)
