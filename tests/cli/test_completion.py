"""A shell completes furrow's words."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from furrow.cli.completion import command
from furrow.cli.group import COMMANDS, cli


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    """It asks furrow itself; a shell that is on this machine takes it."""
    script = CliRunner().invoke(command, [shell]).output
    assert f"_FURROW_COMPLETE={shell}_complete" in script
    if place := shutil.which(shell):
        subprocess.run([place, "-n"], input=script.encode(), check=True)


def test_what_is_completed() -> None:
    """Commands, the commands of a group, and options."""
    asked = ShellComplete(cli, {}, "furrow", "_FURROW_COMPLETE")
    assert {one.value for one in asked.get_completions([], "")} == set(COMMANDS)
    assert [one.value for one in asked.get_completions(["add"], "pr")] == ["problem"]
    assert "--predict" in {one.value for one in asked.get_completions(["init"], "--")}
    assert [one.value for one in asked.get_completions(["completion"], "z")] == ["zsh"]
