"""What a server keeps beside Git.

Which versions it has, which one it serves, and its own decisions (holds).

A state folder holds `followed.json` (written by the one process that follows Git) and `holds.json`
(written by whoever decides: an operator's command, or a canary's abort). A hold outranks what Git
declares until Git declares something else. Both files are replaced whole.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import machine_folder, open_lock, read_json, write_json
from furrow.ground.kept_here import kept_folder
from furrow.layout import FURROW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "Followed",
    "Hold",
    "Local",
    "StateError",
    "Wanted",
    "change_holds",
    "hold",
    "read_followed",
    "read_holds",
    "release",
    "roll_back",
    "state_folder",
    "state_folders",
    "wanted",
    "write_followed",
]

FORMAT = 1
_SERVING = f"{FURROW}/serving"
FOLLOWED = "followed.json"
HOLDS = "holds.json"
MAIN, CANARY = "main", "canary"


class StateError(FurrowError):
    """What is asked of an environment doesn't fit what its server does."""


@dataclass(frozen=True)
class Local:
    """A version whose bundle is on this machine.

    Attributes:
        version: Such as "gbm@v1.0.0".
        commit: Its commit.
        folder: The bundle.
        model_sha256: Of its model.
        predictor_sha256: Of its portable form; empty where there is none.
        features_digest: Of its feature service.
    """

    version: str
    commit: str
    folder: str
    model_sha256: str
    predictor_sha256: str = ""
    features_digest: str = ""


@dataclass(frozen=True)
class Followed:
    """What a server knows of its environment.

    Attributes:
        environment: Its name.
        commit: The commit of the branch that this is from.
        asked: When the remote answered last, ISO 8601.
        problem: Why what Git declares now is not served; empty where it is.
        main: The version that Git declared last and that could be taken.
        previous: The one before.
        canary: Beside it.
        shadow: Behind it.
        declared: The text of the deployment's file that they are from.
        canary_digest: Of the canary as it is declared; without one, of a shadow that is judged.
        paused: Who has paused the environment, and why; empty where nobody has.
    """

    environment: str
    commit: str = ""
    asked: str = ""
    problem: str = ""
    main: Local | None = None
    previous: Local | None = None
    canary: Local | None = None
    shadow: Local | None = None
    declared: str = ""
    canary_digest: str = ""
    paused: str = ""


@dataclass(frozen=True)
class Hold:
    """A decision that outranks Git.

    Attributes:
        kind: "rollback", "hold" or "abort".
        declared: What Git declared when it was taken; with anything else it ends.
        since: When, ISO 8601.
        why: In words.
        serve: The version that is served; nothing for a canary, which is not.
        evidence: What it rests on.
    """

    kind: str
    declared: str
    since: str
    why: str
    serve: Local | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """Which versions answer.

    Attributes:
        main: The version that does.
        canary: For some entities.
        shadow: For nobody.
        held: The hold on the main version, if there is one.
        ended: The hold on the canary, if there is one.
    """

    main: Local | None
    canary: Local | None
    shadow: Local | None
    held: Hold | None = None
    ended: Hold | None = None


def state_folder(root: Path, environment: str) -> Path:
    """Where a project's server keeps the state of an environment, unless told otherwise.

    Raises:
        NotKeptError: A commit says what lies there.
        FileError: A folder on the way is a symbolic link.
    """
    return kept_folder(root, f"{_SERVING}/{environment}")


def state_folders(root: Path) -> list[Path]:
    """The state of every environment that a server of the project has had on this machine, sorted.

    Raises:
        NotKeptError, FileError: As of `state_folder`.
    """
    place = kept_folder(root, _SERVING)
    found = sorted(one.name for one in place.iterdir()) if place.is_dir() else []
    whole = [machine_folder(root, f"{_SERVING}/{name}") for name in found]
    return [one for one in whole if one.is_dir()]


def read_followed(folder: Path, environment: str = "") -> Followed:
    """What is known; nothing, before Git was followed for the first time."""
    if not (folder / FOLLOWED).is_file():
        return Followed(environment)
    value = _checked(folder / FOLLOWED)
    for name in ("main", "previous", "canary", "shadow"):
        value[name] = value[name] and Local(**value[name])
    return Followed(**value)


def write_followed(folder: Path, followed: Followed) -> None:
    """Keep what is known."""
    write_json(folder / FOLLOWED, {"format": FORMAT, **asdict(followed)})


def read_holds(folder: Path) -> dict[str, Hold]:
    """The holds, by what they are on: "main" or "canary"."""
    if not (folder / HOLDS).is_file():
        return {}
    found = {}
    for name, value in _checked(folder / HOLDS)["holds"].items():
        value["serve"] = value["serve"] and Local(**value["serve"])
        found[name] = Hold(**value)
    return found


@contextmanager
def change_holds(folder: Path) -> Iterator[dict[str, Hold]]:
    """Change the holds: what the mapping is at the end of the block is written, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    with open_lock(folder / f".{HOLDS}.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        holds = read_holds(folder)
        before = dict(holds)
        yield holds
        if holds != before:
            value = {name: asdict(one) for name, one in sorted(holds.items())}
            write_json(folder / HOLDS, {"format": FORMAT, "holds": value})


def wanted(followed: Followed, holds: dict[str, Hold]) -> Wanted:
    """Which versions answer: what Git declares, but for the holds that were taken on just that."""
    held, ended = holds.get(MAIN), holds.get(CANARY)
    if held is not None and held.declared != _version(followed.main):
        held = None
    if ended is not None and ended.declared != followed.canary_digest:
        ended = None
    main = followed.main if held is None else held.serve
    canary = followed.canary if ended is None and held is None else None
    shadow = followed.shadow if ended is None or followed.canary is not None else None
    return Wanted(main, canary, shadow, held, ended)


def roll_back(folder: Path, *, why: str = "", now: datetime | None = None) -> Hold:
    """Serve the version before, from now on until Git declares another one.

    Raises:
        StateError: There is none on this machine.
    """
    followed = read_followed(folder)
    with change_holds(folder) as holds:
        current = wanted(followed, holds).main
        if current is not None and current == followed.previous:
            raise StateError(
                f"{current.version} is served already, which is the one before",
                hint="furrow release goes back to what Git declares",
            )
        if followed.previous is None:
            raise StateError(
                "there is no version before this one on this machine",
                hint="revert the deployment in Git: furrow models rollback ENV",
            )
        holds[MAIN] = _hold("rollback", followed, followed.previous, why, now)
        return holds[MAIN]


def hold(folder: Path, *, why: str = "", now: datetime | None = None) -> Hold:
    """Keep the version that is served, without a canary, until it is released or Git declares another one.

    Raises:
        StateError: None is served.
    """
    followed = read_followed(folder)
    with change_holds(folder) as holds:
        current = wanted(followed, holds).main
        if current is None:
            raise StateError("nothing is served yet", hint="furrow serve ENV --follow BRANCH")
        holds[MAIN] = _hold("hold", followed, current, why, now)
        return holds[MAIN]


def release(folder: Path) -> list[Hold]:
    """End every hold: what Git declares counts again."""
    with change_holds(folder) as holds:
        ended = list(holds.values())
        holds.clear()
    return ended


def end_canary(
    folder: Path,
    why: str,
    evidence: dict[str, Any],
    *,
    kind: str = "abort",
    now: datetime | None = None,
) -> None:
    """Let a canary answer no more, until it is declared otherwise."""
    followed = read_followed(folder)
    with change_holds(folder) as holds:
        made = _hold(kind, followed, None, why, now)
        holds[CANARY] = replace(made, declared=followed.canary_digest, evidence=evidence)


def _hold(
    kind: str, followed: Followed, serve: Local | None, why: str, now: datetime | None
) -> Hold:
    since = (now or datetime.now(UTC)).isoformat()
    return Hold(kind, _version(followed.main), since, why, serve)


def _version(local: Local | None) -> str:
    return "" if local is None else f"{local.version} {local.model_sha256}"


def _checked(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict) or value.pop("format", None) != FORMAT:
        raise StateError(f"{path} is of another format", hint="use the Furrow that wrote it")
    return value
