"""How a server is set up: plain values, the same in each of its processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from furrow.errors import UsageError
from furrow.serving.log_settings import LogSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from furrow.serving.simulated_clock import SimulatedClock

__all__ = [
    "LOOPBACK",
    "Following",
    "Limits",
    "ServeSettings",
    "Served",
    "ServedModel",
    "StalePolicy",
]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})


@dataclass(frozen=True)
class StalePolicy:
    """What becomes of a score whose features are missing or expired.

    Attributes:
        action: "null" (the model sees a missing value), "default" or "refuse".
        defaults: With "default": what stands for a feature, by name; the others are null.
    """

    action: str = "null"
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.action not in ("null", "default", "refuse"):
            raise UsageError(
                f"features_stale {self.action!r} is unknown",
                hint="use null, default or refuse",
            )


@dataclass(frozen=True)
class Limits:
    """What a request may be, and what a process takes on.

    Attributes:
        body: Bytes of a body.
        rows: Rows of a request.
        explained: Rows of a request that asks for explanations.
        seconds: How long a request has, unless it says another time.
        longest_seconds: The longest that it may say.
        receive: Seconds in which a request's head, and then its body, must arrive.
        waiting: How many requests may wait for a slot.
        longest_wait: Seconds that are the longest to wait for one.
        connections: How many are open at a time.
    """

    body: int = 8 << 20
    rows: int = 10_000
    explained: int = 16
    seconds: float = 10.0
    longest_seconds: float = 60.0
    receive: float = 10.0
    waiting: int = 128
    longest_wait: float = 1.0
    connections: int = 1024


@dataclass(frozen=True)
class ServeSettings:
    """A server.

    Attributes:
        address: Where it listens.
        port: On which port; 0 for a free one.
        workers: How many processes answer.
        hosts: The names that it may be called by; None for any.
        tokens: The file of tokens; None lets everybody in.
        state: A folder of this server alone, for what its processes tell one another.
        log: The prediction log's folder; None for no log.
        at: Answer as of this moment, not of now: for demonstrations and trials.
        clock: Of a simulation; None outside of one.
        asked_by: The process that simulates, without which the server ends; 0 for none.
        stale: What becomes of scores whose features are absent.
        certificate: A PEM file of the server's certificate; with it the server speaks TLS.
        key: Its key.
        vertex: The paths that Vertex asks for health and for predictions.
        limits: What requests may be.
    """

    address: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    hosts: frozenset[str] | None = LOOPBACK
    tokens: Path | None = None
    state: Path | None = None
    log: Path | None = None
    at: datetime | None = None
    clock: SimulatedClock | None = None
    asked_by: int = 0
    stale: StalePolicy = field(default_factory=StalePolicy)
    certificate: Path | None = None
    key: Path | None = None
    vertex: tuple[str, str] = ("", "")
    limits: Limits = field(default_factory=Limits)

    def check(self, *, open_to_all: bool) -> None:
        """Refuse to let strangers in by oversight.

        Args:
            open_to_all: Whether whoever starts it said that it needs no tokens.

        Raises:
            UsageError: It would listen beyond this machine without tokens.
        """
        if self.address not in LOOPBACK and self.tokens is None and not open_to_all:
            raise UsageError(
                f"listening on {self.address} lets in whoever reaches this machine",
                hint=(
                    "give --tokens FILE (`furrow serve --new-token NAME --tokens FILE` makes one),"
                    " or --no-tokens"
                ),
            )
        if self.clock is not None and self.address not in LOOPBACK:
            raise UsageError(f"a simulation is served on this machine alone, not on {self.address}")
        if (self.certificate is None) != (self.key is None):
            raise UsageError("--certificate and --key belong together")


@dataclass(frozen=True)
class ServedModel:
    """One version on this machine, as plain values.

    Attributes:
        name: Under which it is asked for.
        folder: Its bundle.
        version: Such as "late@v1.0.0"; the beginning of its hash where nobody registered it.
        commit: The version's commit; empty where there is none.
        model_sha256: As its commit records it; None where there is no record.
        predictor_sha256: Likewise.
    """

    name: str
    folder: Path
    version: str
    commit: str = ""
    model_sha256: str | None = None
    predictor_sha256: str | None = None


@dataclass(frozen=True)
class Following:
    """What a server follows; see `furrow.serving.follow.FollowSettings`.

    Attributes:
        environment: Such as "production".
        remote: A path or an address; empty where what the state folder says is all that is served.
        branch: Its branch.
        state: The folder of what is known and decided on this machine.
        prefix: Of the project within its repository.
        every: Seconds between two looks.
        name: By which the model is asked for; the environment's, if empty.
    """

    environment: str
    remote: str
    branch: str
    state: Path
    prefix: str = ""
    every: float = 5.0
    name: str = ""


@dataclass(frozen=True)
class Served:
    """What a server serves; plain values, for each worker to open.

    Attributes:
        models: The versions; the first answers where no name is given.
        features: The features folder.
        logged: How predictions are logged, where settings name a folder.
        most: How many models stay in memory.
        following: Where the versions come from, in place of `models`; None where nothing is
            followed.
    """

    models: tuple[ServedModel, ...]
    features: Path
    logged: LogSettings = field(default_factory=LogSettings)
    most: int = 8
    following: Following | None = None
