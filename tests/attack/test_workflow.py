"""The workflow runs what was reviewed: each action by its whole commit hash, no more rights than the job needs."""

import re
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.attack
ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))


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


def test_the_threat_models_table_names_tests_that_there_are():
    """Each boundary of docs/SECURITY.md has tests: files, functions and classes that exist, and no file of attacks is left out."""
    text = (ROOT / "docs/SECURITY.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "test_" in line]
    named: set[str] = set()
    for row in rows:
        file = ""
        for path, name in re.findall(r"`([\w/.]*\.py)?(?:::(\w+))?`", row.rpartition(" | ")[2]):
            file = path or file
            place = ROOT / file if "/" in file else ROOT / "tests/attack" / file
            assert place.is_file(), (row, file)
            named.add(place.name)
            if name:
                assert re.search(rf"^\s*(def|class) {name}\b", place.read_text(), re.MULTILINE), (
                    name
                )
    assert len(rows) > 20
    assert {path.name for path in (ROOT / "tests/attack").glob("test_*.py")} - named == UNLISTED


UNLISTED = {"test_fuzz_tool.py"}
"""What tests a tool rather than a boundary."""
