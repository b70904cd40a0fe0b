"""What `furrow plan` says of a repository, read from its JSON."""

import json
import sys
from pathlib import Path

from .conftest import run

FURROW = str(Path(sys.executable).with_name("furrow"))


def planned(folder: Path, *options: str) -> dict:
    """The plan of a folder."""
    return json.loads(run(folder, FURROW, "plan", "--json", *options).stdout)


def stages(plan: dict, action: str = "run") -> set[str]:
    """The stages of a plan that are to be run, or restored."""
    return {stage["name"] for stage in plan["stages"] if stage["action"] == action}
