"""The workflow runs what was reviewed: each action by its whole commit hash, no more rights than the job needs."""

import re
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.attack
WORKFLOWS = sorted((Path(__file__).parents[2] / ".github/workflows").glob("*.y*ml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(path):
    """A tag or a branch of an action can move; a commit can't. The release that it is stands beside it."""
    lines = [line for line in path.read_text().splitlines() if re.search(r"^\s*(- )?uses:", line)]
    assert lines
    for line in lines:
        assert re.fullmatch(
            r"\s*(- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line
        ), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_rights(path):
    """Reading is the default; strangers' commits run on `pull_request`, never with this repository's secrets."""
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in workflow[True]  # YAML 1.1 reads `on` as true
    outside = workflow["jobs"]["untrusted"]
    assert outside["permissions"] == {"contents": "read"}
    assert "secrets." not in yaml.safe_dump(outside)
    assert all(
        step["with"].get("persist-credentials") is False
        for name in ("checks", "untrusted")
        for step in workflow["jobs"][name]["steps"]
        if step.get("uses", "").startswith("actions/checkout@")
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_expression_in_a_script(path):
    """What a branch, a title or an author is called reaches a shell through the environment alone."""
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), step
