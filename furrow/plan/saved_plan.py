"""Saved plans: written for later, and refused once anything that they were made from has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.files import read_json, write_json
from furrow.plan.make_plan import check_repository, make_plan, repository_name
from furrow.plan.plan_spec import Plan, PlanError, parse_plan

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_plan", "save_plan", "still_holds"]


def save_plan(plan: Plan, root: Path, path: Path) -> None:
    """Write a plan to a file, with the repository's name in it."""
    write_json(path, {**plan.to_json(), "repository": repository_name(root)})


def load_plan(path: Path) -> Plan:
    """Read a saved plan.

    Raises:
        FileError: The file is missing or is not JSON.
        PlanError: It is no plan, or of another format.
    """
    return parse_plan(read_json(path), str(path))


def still_holds(saved: Plan, root: Path, where: str) -> Plan:
    """The plan as it would be made now, if it is the saved one.

    Args:
        saved: The saved plan.
        root: The repository.
        where: The file, for messages.

    Raises:
        PlanError: It is of another repository, between commits, or something that it was made from
            has moved.
    """
    hint = "look at what changed, then save it again: furrow plan --out FILE"
    if saved.revisions:
        raise PlanError(
            f"{where} is a plan between commits, which can't be applied",
            hint="check the commit out, then plan there",
        )
    check_repository(saved, root, where)
    now = make_plan(root)
    moved = [
        path
        for path in sorted({*saved.made_from, *now.made_from})
        if saved.made_from.get(path) != now.made_from.get(path)
    ]
    if moved:
        more = f", and {len(moved) - 1} more" if len(moved) > 1 else ""
        raise PlanError(
            f"{where} no longer holds: {moved[0]} has changed since it was saved{more}", hint=hint
        )
    planned = [[(stage.name, stage.action) for stage in plan.stages] for plan in (saved, now)]
    if planned[0] != planned[1]:
        raise PlanError(f"{where} no longer holds: other stages would run by now", hint=hint)
    return now
