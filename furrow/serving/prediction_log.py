"""The prediction log, as a server writes it: a record is with the kernel before its answer leaves.

A log is a folder. `live/` holds segments, each written by one process, which holds a lock on it
(flock) for as long as it lives; `sealed/HOUR/SEGMENT/` holds the Parquet that became of closed ones
(`furrow.serving.log_seal`). Any number of processes and servers write one log: none writes
another's file. What a killed one left is sealed by whoever opens the log next.

Before an answer a record is written (write(2): it survives the process); a thread calls fdatasync
at most every `sync_every` seconds (it survives the machine). While the disk stalls or is full,
nothing
waits: records go to a buffer within bounds, and what that can't hold is counted and told by a note
in the log.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow.serving.log_files import live_folder
from furrow.serving.log_frames import NOTE, RECORD, FrameError, frame, new_head
from furrow.serving.log_seal import BEGUN, seal
from furrow.serving.log_settings import LogError, LogSettings, is_sampled, redact
from furrow.serving.prediction_record import new_id, pack, to_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from furrow.serving.prediction_record import PredictionRecord

__all__ = ["LogError", "LogSettings", "PredictionLog"]

SYNC: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
"""Brings a file's data to the disk; not every system has it without the rest."""

_NOTES_EVERY = 60.0
"""Seconds between two notes of what sampling left out."""


class PredictionLog:
    """One process's hand in a prediction log; safe to use from several threads.

    Args:
        folder: The log's folder, beside the store.
        settings: What is declared.
        sync: Brings a file's data to the disk.
    """

    def __init__(
        self, folder: Path, settings: LogSettings, *, sync: Callable[[int], None] = SYNC
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.dropped = 0
        """Records that are in no file: the disk was full or stalled."""
        self._sync = sync
        self._lock = threading.Lock()
        self._synced = threading.Condition(self._lock)
        self._wake = threading.Event()
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._written = self._safe = 0
        self._sync_began = 0.0
        self._untold = {"dropped": 0, "sampled_out": 0}
        self._told = time.monotonic()
        self._why = self._failed = ""
        self._closing = False
        self._open_segment()
        self._thread = threading.Thread(target=self._tend, name="prediction-log", daemon=True)

    @classmethod
    def open(
        cls, folder: Path, settings: LogSettings | None = None, **options: Any
    ) -> PredictionLog:
        """Open a log, and seal what killed processes left in it.

        Args:
            folder: The log's folder; made if it is not there.
            settings: What is declared.
            options: Of the class.

        Raises:
            LogError: The folder can't be written.
        """
        try:
            live_folder(folder).mkdir(parents=True, exist_ok=True)
            log = cls(folder, settings or LogSettings(), **options)
        except OSError as exc:
            raise LogError(
                f"the prediction log {folder} can't be opened: {exc.strerror}",
                hint="name another folder, or mend this one's permissions",
            ) from exc
        log._thread.start()
        return log

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Write records; when it returns they are with the kernel, or on the disk if that is declared.

        It takes microseconds, but for `durable`, which waits for the disk: call it in a thread
        then.

        Args:
            records: Of one request, or of several.

        Raises:
            LogError: The disk is full or stalls, and the log is declared to stop then: don't
                answer.
        """
        kept = [one for one in records if is_sampled(one.id, self.settings.sample)]
        payloads = [to_payload(redact(one, self.settings)) for one in kept]
        with self._lock:
            if self._closing:
                raise LogError("the prediction log is closed")
            self._untold["sampled_out"] += len(records) - len(kept)
            self._put(payloads)
            if self.settings.durable:
                self._wait()

    def close(self) -> None:
        """Bring everything to the disk, close the segment and seal it."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        self._wake.set()
        self._thread.join(timeout=60)
        seal(self.folder, self.settings, wait=True)

    @property
    def stalled(self) -> bool:
        """Whether an fdatasync hangs for longer than it may."""
        began = self._sync_began
        return bool(began) and time.monotonic() - began > self.settings.stalled_after

    def _put(self, payloads: list[bytes]) -> None:
        """Write frames, or hold them; the lock is held."""
        if not payloads:
            return
        if (self.stalled or self._held) and self.settings.when_full == "stop":
            self._refuse("the disk of the prediction log stalls")
        frames = []
        for payload in payloads:
            try:
                frames.append(frame(RECORD, payload, self._seed))
            except FrameError:
                self._drop(1, "too long")
        if self.stalled or self._held:
            self._hold(frames, "stalled")
        elif why := self._write(b"".join(frames)):
            if self.settings.when_full == "stop":
                self._refuse(f"the prediction log can't be written: {why}")
            self._drop(len(frames), why)
        self._wake.set()

    def _refuse(self, what: str) -> None:
        raise LogError(
            f"{what}, and it is declared to stop then",
            hint="free some space, or declare `when_full: continue` under log",
        )

    def _hold(self, frames: list[bytes], why: str) -> None:
        for each in frames:
            if self._held_bytes + len(each) > self.settings.buffer_bytes:
                self._drop(1, why)
                continue
            self._held.append(each)
            self._held_bytes += len(each)

    def _drop(self, count: int, why: str) -> None:
        self.dropped += count
        self._untold["dropped"] += count
        self._why = why

    def _write(self, content: bytes) -> str:
        """Write whole frames or none; why not, if it fails."""
        note = self._note()
        try:
            rest = memoryview(note + content)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as exc:
            os.ftruncate(
                self._file, self._size
            )  # what comes later must not stand behind a torn one
            os.lseek(self._file, self._size, os.SEEK_SET)
            return exc.strerror or "unknown"
        self._size += len(note) + len(content)
        self._written += len(note) + len(content)
        if note:
            self._untold, self._told = dict.fromkeys(self._untold, 0), time.monotonic()
        return ""

    def _note(self, *, last: bool = False) -> bytes:
        """A frame that tells what was not logged.

        At once if records were lost, else now and then.
        """
        due = last or time.monotonic() - self._told > _NOTES_EVERY
        if not self._untold["dropped"] and not (self._untold["sampled_out"] and due):
            return b""
        note = {**self._untold, "why": self._why, "until": datetime.now(UTC)}
        return frame(NOTE, pack(note), self._seed)

    def _wait(self) -> None:
        """Wait until what was written is on the disk; the lock is held."""
        mark = self._written
        while self._safe < mark:
            self._wake.set()
            self._synced.wait(timeout=self.settings.stalled_after)
            if self.stalled or self._failed:
                if self.settings.when_full == "stop":
                    self._refuse("the disk of the prediction log stalls")
                return

    def _open_segment(self) -> None:
        """Begin a segment of this process's own; its name sorts by time and is used once.

        It gets its name when it is locked: whoever seals would take it for a dead process's before.
        """
        hour = _hour()
        path = live_folder(self.folder) / f"{hour}-{new_id()}.log"
        begun = path.with_suffix(BEGUN)
        file = os.open(begun, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        fcntl.flock(file, fcntl.LOCK_EX)
        head, seed = new_head()
        try:
            begun.rename(path)
            os.write(file, head)
        except OSError:
            os.close(file)
            raise
        self._file, self._hour, self._seed = file, hour, seed
        self._size = self._empty = len(head)

    def _tend(self) -> None:
        """The thread's work: sync, begin a new segment by the hour, have closed ones sealed."""
        self._seal_beside()
        while True:
            self._wake.wait(timeout=1.0)
            closing = self._closing
            if self._wake.is_set() or closing:
                self._wake.clear()
                self._sync_once()
            if closing:
                break
            if self._is_over() and self._roll():
                self._seal_beside()
            if not self.settings.durable:
                time.sleep(self.settings.sync_every)
        with self._lock:
            self._end_segment(self._file)
        os.close(self._file)

    def _seal_beside(self) -> None:
        """Seal in a thread of its own: the next sync doesn't wait for it."""
        threading.Thread(
            target=seal, args=(self.folder, self.settings), name="prediction-seal", daemon=True
        ).start()

    def _sync_once(self) -> None:
        mark, file = self._written, self._file
        self._sync_began = time.monotonic()
        try:
            self._sync(file)
            self._failed = ""
        except OSError as exc:
            mark, self._failed = self._safe, exc.strerror or "unknown"
        finally:
            self._sync_began = 0.0
        with self._lock:
            self._safe = max(self._safe, mark)
            self._synced.notify_all()
            if self._held:
                held, self._held, self._held_bytes = self._held, [], 0
                if why := self._write(b"".join(held)):
                    self._drop(len(held), why)
                self._wake.set()

    def _is_over(self) -> bool:
        if self._size <= self._empty:
            return False
        return self._size > self.settings.longest_segment or self._hour != _hour()

    def _roll(self) -> bool:
        """Close the segment and begin another; whether it could be."""
        with self._lock:
            if self._held:
                return False
            before = self._file
            self._end_segment(before)
            try:
                self._open_segment()
            except OSError as exc:  # a full disk: the old one goes on
                self._why = exc.strerror or "unknown"
                return False
        try:
            self._sync(before)
        except OSError as exc:
            self._failed = exc.strerror or "unknown"
        os.close(before)
        return True

    def _end_segment(self, file: int) -> None:
        """Write down what is still untold; the lock is held."""
        if note := self._note(last=True):
            with suppress(OSError):
                os.write(file, note)
                self._size += len(note)
                self._untold = dict.fromkeys(self._untold, 0)


def _hour() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H")
