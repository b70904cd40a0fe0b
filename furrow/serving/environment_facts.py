"""What an environment is declared to serve, and what its server on this machine does, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.layout import DEPLOYMENT
from furrow.serving.deployment_spec import parse_deployment
from furrow.serving.deployment_state import (
    FOLLOWED,
    read_followed,
    read_holds,
    state_folder,
    wanted,
)

if TYPE_CHECKING:
    from pathlib import Path

    from furrow.serving.deployment_state import Followed, Hold, Wanted

__all__ = ["facts", "served_here", "state"]


def served_here(root: Path) -> list[Path]:
    """The state files of servers on this machine."""
    return sorted(state_folder(root, "x").parent.glob(f"*/{FOLLOWED}"))


def facts(root: Path, environment: str) -> dict[str, Any]:
    """What is declared and served of an environment, as plain values."""
    declared, problem = "", ""
    path = root / DEPLOYMENT / f"{environment}.yaml"
    try:
        if path.is_file():
            declared = parse_deployment(path.read_bytes(), str(path.relative_to(root))).model
    except FurrowError as exc:
        problem = exc.message
    folder = state_folder(root, environment)
    followed = read_followed(folder, environment)
    return {
        "environment": environment,
        "declared": declared,
        "problem": problem,
        **state(followed, wanted(followed, read_holds(folder))),
    }


def state(followed: Followed, now: Wanted) -> dict[str, Any]:
    """What a server serves and why, as plain values."""
    return {
        "serves": now.main.version if now.main else "",
        "commit": followed.commit,
        "canary": now.canary.version if now.canary else _ended(now.ended),
        "shadow": now.shadow.version if now.shadow else "",
        "before": followed.previous.version if followed.previous else "",
        "held": f"{now.held.kind}: {now.held.why or 'no reason given'}" if now.held else "",
        "asked": followed.asked[:19].replace("T", " "),
        "not_served": followed.problem,
    }


def _ended(hold: Hold | None) -> str:
    return f"{hold.kind}: {hold.why}" if hold else ""
