"""From a request's body to the value of its answer: rows, turn, score, log."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.serving.admission import Admission
from furrow.serving.csv_body import read_csv
from furrow.serving.http_problem import Problem
from furrow.serving.open_inference import read_infer, told_infer
from furrow.serving.openapi import example_row
from furrow.serving.prediction_answers import absent_of, answer_of, record_of
from furrow.serving.prediction_record import new_id
from furrow.serving.protocols import FORMS
from furrow.serving.request_body import CSV
from furrow.serving.row_fields import RowError
from furrow.serving.scorer import FeaturesAbsentError
from furrow.serving.strict_json import decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from furrow.serving.app import Request
    from furrow.serving.model_host import Host, Loaded
    from furrow.serving.prediction_log import PredictionLog
    from furrow.serving.serve_settings import ServeSettings
    from furrow.serving.server_metrics import ServerMetrics

__all__ = ["Scoring"]

LOGGER = logging.getLogger("furrow.serving")
SHADOWS = 64
"""How many requests may wait for a shadow."""

INLINE_ROWS = 32
"""Up to so many rows are scored in the loop itself: that is shorter than handing them to a thread."""
INLINE_BYTES = 1 << 16
THREADS = 4
REMOTE_SLOTS = 16


class Answer:
    """What rows came to, in their order."""

    __slots__ = ("identities", "loaded", "moved", "scored")

    def __init__(self, count: int) -> None:
        self.loaded: list[Any] = [None] * count
        self.scored: list[Any] = [None] * count
        self.identities: list[str] = [""] * count
        self.moved: list[dict[str, float] | None] = [None] * count


class Scoring:
    """Scores requests of one process.

    Args:
        host: The models.
        settings: How the server is set up.
        log: Where predictions are written before they are told.
        metrics: Where they are counted.
    """

    def __init__(
        self,
        host: Host,
        settings: ServeSettings,
        log: PredictionLog | None,
        metrics: ServerMetrics,
    ) -> None:
        self.host = host
        self.settings = settings
        self.log = log
        self.metrics = metrics
        limits = settings.limits
        waiting = {"most": limits.waiting, "longest": limits.longest_wait}
        self._short = Admission(slots=1, **waiting)  # type: ignore[arg-type]
        self._long = Admission(slots=THREADS, **waiting)  # type: ignore[arg-type]
        self._remote = Admission(slots=REMOTE_SLOTS, **waiting)  # type: ignore[arg-type]
        self._behind = ThreadPoolExecutor(1, thread_name_prefix="shadow")
        self._counting = threading.Lock()
        self._shadows = 0
        self._threads = ThreadPoolExecutor(THREADS + REMOTE_SLOTS, thread_name_prefix="score")

    @property
    def waiting(self) -> int:
        """How many requests wait for a turn."""
        return self._short.waiting + self._long.waiting + self._remote.waiting

    async def loaded(self, name: str) -> Loaded:
        """A model, brought into memory if need be."""
        found = self.host.ready(name)
        return found if found is not None else await self._thread(self.host.current, name)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=True)
        self._behind.shutdown(wait=True, cancel_futures=True)

    def warm(self, loaded: Loaded) -> None:
        """Score the example row, so that what is loaded on first use is loaded."""
        with suppress(FeaturesAbsentError):  # as declared; it is warm all the same
            loaded.scorer.score([example_row(loaded.scorer)], at=self._moments()[1])

    def _moments(self) -> tuple[datetime, datetime | None]:
        """When a request is answered, and as of when its features are."""
        if self.settings.clock is None:
            return datetime.now(UTC), self.settings.at
        moment = self.settings.clock.now()
        return moment, moment

    async def answer(
        self, form: str, name: str, content: bytes | bytearray, request: Request
    ) -> Any:
        """The answer's value.

        Args:
            form: The interface: "rows", "vertex", "invocation" or "infer".
            name: The model; empty for the default one.
            content: The body.
            request: Its query, and until when it has to be answered.

        Raises:
            Problem: The body or a row is not as it should be; or it is not its turn.
            FurrowError: The model, the store or the log fails.
        """
        explain = _explain(request.query)
        name = name or self.host.default
        loaded = self.host.ready(name)
        if loaded is None:
            async with self._long.turn(request.deadline):
                loaded = await self._thread(self.host.current, name)
        admission = self._admission(loaded, len(content), explain=explain)

        def work() -> Any:
            return self._work(form, name, loaded, content, request, explain=explain)

        if admission is self._short:
            async with self._short.turn(request.deadline):
                done = self._work(
                    form, name, loaded, content, request, explain=False, most=INLINE_ROWS
                )
            if done is not None:
                return done
            admission = self._long
        async with admission.turn(request.deadline):
            return await self._thread(work)

    def refuse_early(self, name: str, request: Request) -> None:
        """Refuse a request whose turn would not come before its body is read: that costs least.

        Raises:
            Problem: As many wait as may, or too long.
        """
        loaded = self.host.ready(name or self.host.default)
        length = request.headers.get(b"content-length", b"")
        if loaded is not None and length.isdigit():
            first = self._admission(loaded, int(length[:20]), explain=_explain(request.query))
            first.check(request.deadline)

    def _admission(self, loaded: Loaded, length: int, *, explain: bool) -> Admission:
        """Where a body of so many bytes takes its turn first."""
        if not loaded.scorer.client.store.embedded or (
            self.log is not None and self.log.settings.durable
        ):
            return self._remote
        return self._short if length <= INLINE_BYTES and not explain else self._long

    async def _thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _work(
        self,
        form: str,
        name: str,
        loaded: Loaded,
        content: bytes | bytearray,
        request: Request,
        *,
        explain: bool,
        most: int | None = None,
    ) -> Any:
        """Everything that takes the processor; None if there are more rows than `most`."""
        value: Any = None if request.kind == CSV else decode(content)
        wanted: list[str] = []
        if request.kind == CSV:
            rows = read_csv(content, loaded.scorer.fields)
        elif form == "infer":
            rows, wanted = read_infer(value, loaded.scorer.fields)
        else:
            rows = FORMS[form].read(value)
        if most is not None and len(rows) > most:
            return None
        self._check_count(len(rows), explain=explain)
        answer = self._score(name, rows, request, explain=explain)
        if form == "infer":
            return told_infer(
                answer.loaded[0] if rows else loaded,
                [one.prediction for one in answer.scored],
                answer.identities,
                wanted=wanted,
                request_id=value.get("id"),
            )
        told = [
            answer_of(*one)
            for one in zip(
                answer.loaded, answer.scored, answer.identities, answer.moved, strict=True
            )
        ]
        return FORMS[form].tell(told, {"model": name})

    def _check_count(self, count: int, *, explain: bool) -> None:
        limits = self.settings.limits
        most = limits.explained if explain else limits.rows
        if count > most:
            said = (
                f"a request may have {most:,} rows{' with explanations' if explain else ''}, not"
                f" {count:,}"
            )
            raise Problem(413, "rows", said)
        if not count:
            raise Problem(422, "rows", "the request has no row")

    def _score(
        self, name: str, rows: list[dict[str, Any]], request: Request, *, explain: bool
    ) -> Answer:
        """Score rows, each by the version that the host gives it to, and log them."""
        answer = Answer(len(rows))
        moment, at = self._moments()
        records = []
        for loaded, places in self.host.split(name, rows):
            asked = rows if len(places) == len(rows) else [rows[place] for place in places]
            try:
                scored = loaded.scorer.score(asked, at=at)
            except FurrowError as exc:
                self._count_failure(name, loaded, len(places), exc)
                raise
            latency = time.monotonic() - request.began
            self.host.count(
                name, loaded.variant, count=len(scored), latency_us=round(latency * 1e6)
            )
            absent = 0
            for place, one in zip(places, scored, strict=True):
                identity = new_id(moment)
                answer.loaded[place], answer.scored[place] = loaded, one
                answer.identities[place] = identity
                if explain:
                    answer.moved[place] = loaded.scorer.explain(one)
                absent += len(absent_of(one))
                if self.log is not None:
                    records.append(record_of(loaded, one, identity, time=moment, latency=latency))
            self.metrics.scored(loaded.name, loaded.version, loaded.variant, len(scored), absent)
        if self.log is not None:
            self.log.append(records)
            shadow = self.host.shadow(name, answer.identities[0])
            if shadow is not None:
                self._shadow(name, shadow, rows, moment)
        return answer

    def _count_failure(self, name: str, loaded: Loaded, count: int, exc: Exception) -> None:
        """Tell the host of rows that a version failed on.

        What the asker did wrong is no failure of the version.
        """
        refused = isinstance(exc, FeaturesAbsentError)
        if refused or not isinstance(exc, RowError):
            self.host.count(name, loaded.variant, count=count, error=not refused, refused=refused)

    def _shadow(
        self, name: str, shadow: Loaded, rows: list[dict[str, Any]], moment: datetime
    ) -> None:
        """Have rows scored for the log alone, later; where much waits already, not at all."""
        if self._shadows < SHADOWS and not self.waiting:
            with self._counting:
                self._shadows += 1
            self._behind.submit(self._score_shadow, name, shadow, rows, moment)

    def _score_shadow(
        self, name: str, shadow: Loaded, rows: list[dict[str, Any]], moment: datetime
    ) -> None:
        began, counted = time.monotonic(), False
        try:
            scored = shadow.scorer.score(
                rows, at=moment if self.settings.clock else self.settings.at
            )
            latency = time.monotonic() - began
            took = round(latency * 1e6)
            self.host.count(name, shadow.variant, count=len(scored), latency_us=took)
            counted = True
            records = [
                record_of(shadow, one, new_id(moment), time=moment, latency=latency)
                for one in scored
            ]
            if self.log is not None:
                self.log.append(records)
        except Exception as exc:  # noqa: BLE001 - a shadow may fail in any way, and nobody waits for it
            LOGGER.warning("the shadow %s failed: %s", shadow.version, exc)
            if not counted:
                self._count_failure(name, shadow, len(rows), exc)
        finally:
            with self._counting:
                self._shadows -= 1


def _explain(query: bytes) -> bool:
    """Whether explanations are asked for; nothing else may be.

    Raises:
        Problem: The query says something else.
    """
    if query in (b"", b"explain=0"):
        return False
    if query == b"explain=1":
        return True
    raise Problem(400, "query", "the query may say explain=1, and nothing else")
