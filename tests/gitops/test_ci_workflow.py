"""The GitHub workflow: well formed, with the verbs that people use at home, and without rights for a fork."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from furrow.cli.ci import command as ci

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / ".github/workflows/furrow.yml"


class Loader(yaml.SafeLoader):
    """YAML as GitHub reads it: `on` is a word, not a truth value."""


Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in pairs
        if tag != "tag:yaml.org,2002:bool" or first not in "oO"
    ]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.fixture
def workflow():
    return yaml.load(FILE.read_text(), Loader=Loader)


def steps(workflow):
    return [(name, step) for name, job in workflow["jobs"].items() for step in job["steps"]]


def test_it_is_a_workflow(workflow, tmp_path):
    """Against GitHub's own schema, which notices a misspelt key."""
    assert valid(FILE).returncode == 0, valid(FILE).stdout
    workflow["jobs"]["trusted"]["step"] = []
    (tmp_path / "furrow.yml").write_text(json.dumps(workflow))
    misspelt = valid(tmp_path / "furrow.yml")
    assert misspelt.returncode == 1
    assert "step" in misspelt.stdout


def valid(file):
    command = Path(sys.executable).with_name("check-jsonschema")
    schema = ("--builtin-schema", "vendor.github-workflows")
    return subprocess.run([command, *schema, file], capture_output=True, text=True, check=False)


def test_its_commands_exist(workflow):
    """Shell that parses, options that `furrow ci` has, targets that the Makefile has."""
    options = {name for parameter in ci.params for name in parameter.opts}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = ""
    for _, step in steps(workflow):
        if "run" in step:
            used += step["run"] + "\n"
            done = subprocess.run(
                ["bash", "-n"], input=step["run"], text=True, capture_output=True, check=False
            )
            assert done.returncode == 0, done.stderr
    assert set(re.findall(r"make ([a-z-]+)", used)) <= targets
    calls = re.findall(r"furrow ci (.+)", used)
    assert len(calls) == 2
    for call in calls:
        assert set(re.findall(r"--[a-z-]+", call)) <= options, call


def test_text_from_outside_is_never_part_of_a_script(workflow):
    """A branch's name reaches a shell through the environment, where it is not read as commands."""
    for _, step in steps(workflow):
        assert "${{" not in step.get("run", "")


def test_a_fork_has_no_rights(workflow):
    """Read-only, no secret, no token left in the clone; the settings and Furrow are the target branch's."""
    job = workflow["jobs"]["untrusted"]
    assert workflow["permissions"] == {"contents": "read"} == job["permissions"]
    assert "pull_request_target" not in workflow["on"]
    assert "secrets." not in json.dumps(job)
    assert "token" not in json.dumps(job).lower()
    checkout = job["steps"][0]
    assert (
        checkout["with"]["persist-credentials"] == "false"
        or checkout["with"]["persist-credentials"] is False
    )
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    run = next(step["run"] for step in job["steps"] if "furrow ci" in step.get("run", ""))
    assert "--untrusted" in run
    assert "--offer" not in run


def test_caches_report_and_concurrency(workflow):
    """One run a branch; the environment and DVC's cache are kept; the report is a comment and an artifact."""
    assert "github.ref_name" in workflow["concurrency"]["group"]
    text = json.dumps(workflow["jobs"]["trusted"])
    for word in (
        "actions/cache@",
        ".dvc/cache",
        "requirements.lock",
        "gh pr comment",
        "upload-artifact@",
        "report.md",
    ):
        assert word in text
