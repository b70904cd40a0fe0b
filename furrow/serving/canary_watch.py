"""The canary's watch.

Processes count what came of requests, one of them decides, and what it decides is a hold.

Each worker keeps its counts in a file of its own (`counts/WORKER.json`); `decide` adds up what is
new in all of them. An abort is a hold, at once and on this machine. A promotion is only proposed: a
commit on a branch, with the evidence, for a person to merge.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow.files import FileError, read_json, write_json
from furrow.serving.canary_decision import ABORT, END, Evidence, Verdict
from furrow.serving.canary_test import Block
from furrow.serving.deployment_state import end_canary, read_followed, read_holds, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.serving.canary_spec import Canary

__all__ = ["LABEL", "Tally", "count_labels", "decide", "read_evidence"]

FORMAT = 1
EVIDENCE = "canary.json"
COUNTS = "counts"
LABEL = "label"
_SIGNALS = ("errors", "refused", "slow")


class Tally:
    """What one process has seen come of requests, for a canary as it is declared.

    Safe to use from several threads.

    Args:
        folder: The state folder.
        worker: The process's name: used once.
        digest: Of the canary, as it is declared.
        slow_us: From how many microseconds on an answer is slow; None if that doesn't count.
        variant: What is judged beside the main version: "canary" or "shadow".
    """

    def __init__(
        self,
        folder: Path,
        worker: str,
        digest: str,
        *,
        slow_us: int | None = None,
        variant: str = "canary",
    ) -> None:
        self._path = folder / COUNTS / f"{worker}.json"
        self._digest = digest
        self._slow = slow_us
        self._names = {"main": "main", variant: "canary"}
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(
        self,
        variant: str,
        *,
        count: int = 1,
        error: bool = False,
        refused: bool = False,
        latency_us: int = 0,
    ) -> None:
        """Count requests.

        Args:
            variant: "main" or the one that is judged; what another does counts for nothing.
            count: How many.
            error: Whether they failed.
            refused: Whether their scores were refused for want of features.
            latency_us: How long they took.
        """
        counted = self._names.get(variant)
        if counted is None:
            return
        slow = self._slow is not None and latency_us > self._slow
        with self._lock:
            self._counts[counted] += count
            for name, bad in (("errors", error), ("refused", refused), ("slow", slow)):
                self._counts[f"{counted} {name}"] += count * bad

    def write(self) -> None:
        """Let the counts be seen by the one who decides."""
        with self._lock:
            counts = dict(self._counts)
        write_json(self._path, {"format": FORMAT, "digest": self._digest, "counts": counts})


def count_labels(folder: Path, digest: str, seen: Block) -> None:
    """Let labels be seen by the one who decides.

    Args:
        folder: The state folder.
        digest: Of the canary, as it is declared.
        seen: All labelled predictions since it began, and the wrong ones; it only grows.
    """
    names = (f"{variant} {LABEL}" for variant in ("main", "canary"))
    counts = {}
    for name, (all_of, bad) in zip(names, (seen[:2], seen[2:]), strict=True):
        counts[name], counts[f"{name} wrong"] = all_of, bad
    value = {"format": FORMAT, "digest": digest, "counts": counts}
    write_json(folder / COUNTS / f"{LABEL}.json", value)


def read_evidence(folder: Path, digest: str) -> Evidence | None:
    """What is known about a canary as it is declared; None where nothing is."""
    found = _read(folder, digest)
    return None if found is None else Evidence.from_json(found["evidence"])


def decide(
    folder: Path,
    canary: Canary,
    digest: str,
    *,
    labels: Block | None = None,
    now: datetime | None = None,
    variant: str = "canary",
) -> Verdict | None:
    """Take in what is new, and do what follows from it.

    An abort, and an end without proof, are holds.

    Args:
        folder: The state folder.
        canary: As it is declared.
        digest: Of it.
        labels: Predictions whose labels became known since the last call, and the wrong ones.
        now: The time.
        variant: What is judged: "canary" or "shadow".

    Returns:
        The verdict; None while it does not answer, or a hold outranks what is declared.
    """
    followed = read_followed(folder)
    served = wanted(followed, read_holds(folder))
    answers = served.shadow if variant == "shadow" else served.canary
    if followed.canary_digest != digest or served.held is not None or answers is None:
        return None
    moment = now or datetime.now(UTC)
    stored = _read(folder, digest)
    taken: dict[str, dict[str, int]] = {} if stored is None else stored["taken"]
    evidence = Evidence(moment) if stored is None else Evidence.from_json(stored["evidence"])
    new: Counter[str] = Counter()
    for path in sorted((folder / COUNTS).glob("*.json")):
        counts = _counts(path, digest)
        before = taken.get(path.stem, {})
        new.update({name: max(0, count - before.get(name, 0)) for name, count in counts.items()})
        taken[path.stem] = {name: max(count, before.get(name, 0)) for name, count in counts.items()}
    evidence.add(canary, {**_blocks(new), LABEL: _label_block(new).plus(labels or Block())})
    value = {"format": FORMAT, "digest": digest, "taken": taken, "evidence": evidence.to_json()}
    write_json(folder / EVIDENCE, value)
    verdict = evidence.verdict(canary, moment)
    if verdict.action in (ABORT, END):
        kind = "abort" if verdict.action == ABORT else "end"
        end_canary(folder, verdict.why, evidence.told(), kind=kind, now=moment)
    return verdict


def _blocks(counts: Counter[str]) -> dict[str, Block]:
    return {
        name: Block(
            counts["main"], counts[f"main {name}"], counts["canary"], counts[f"canary {name}"]
        )
        for name in _SIGNALS
    }


def _label_block(counts: Counter[str]) -> Block:
    main, canary = f"main {LABEL}", f"canary {LABEL}"
    return Block(counts[main], counts[f"{main} wrong"], counts[canary], counts[f"{canary} wrong"])


def _counts(path: Path, digest: str) -> dict[str, int]:
    try:
        value = read_json(path)
    except FileError:
        return {}
    counts: dict[str, int] = value.get("counts", {}) if value.get("digest") == digest else {}
    return counts


def _read(folder: Path, digest: str) -> dict[str, Any] | None:
    if not (folder / EVIDENCE).is_file():
        return None
    value: dict[str, Any] = read_json(folder / EVIDENCE)
    return value if value.get("format") == FORMAT and value.get("digest") == digest else None
