"""The tutorial, typed line by line in an empty folder: each command works, and says what the page says."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/TUTORIAL.md"
BLOCKS = re.findall(r"```(sh|text)\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_page_has_commands_and_what_they_say() -> None:
    """Every text follows commands, so that none is left out below."""
    kinds = [kind for kind, _ in BLOCKS]
    assert kinds[0] == "sh"
    assert kinds.count("sh") >= 5
    assert all(before == "sh" for before, kind in itertools.pairwise(kinds) if kind == "text")


@pytest.mark.long
def test_the_tutorial(tmp_path: Path) -> None:
    """In one shell after another, as a reader would: the folder goes along."""
    place = tmp_path
    own = Path(sys.executable).parent
    path = f"{own}{os.pathsep}{os.environ['PATH']}"
    said = ""
    for kind, text in BLOCKS:
        if kind == "sh":
            script = f"set -eu\n{text}\npwd > {tmp_path}/place\n"
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=place,
                env={**os.environ, "PATH": path, "FURROW_TRUST": "1"},
                capture_output=True,
                text=True,
                check=False,
            )
            said = done.stdout + done.stderr
            assert done.returncode == 0, f"{text}\n{said}"
            place = Path((tmp_path / "place").read_text().strip())
            continue
        for words in text.splitlines():
            assert words in said, f"{words!r} is not in\n{said}"
