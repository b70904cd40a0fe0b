"""Names that look like others: of models, versions and people. None passes for another."""

import subprocess
from pathlib import Path

import pytest

from furrow.governance.owners import OwnersError, parse_owners
from furrow.look_alikes import odd_name
from furrow.models.registry import RegistryError, find, versions
from furrow.proof.trust_policy import TrustPolicyError, parse_policy

pytestmark = pytest.mark.attack
TWINS = (
    "gbm@v1.0.0", "g\u0432m@v1.0.0", "gbm\u200b@v1.0.0", "\uff47bm@v1.0.0", "gbm@v\u0661.0.0",
    "gbm@v01.0.0", "gbm@v1.00.0", "gbm@v1.0.0\u202e", "gbe\u0301@v1.0.0", "\u0430\u0441\u0435@v1.0.0",
)  # fmt: skip
PEOPLE = {
    "\u0430da@example.com": "several scripts", "ada@ex\u0430mple.com": "several scripts", "ada\u200b@example.com": "not shown",
    "ada@example.com ": "spaces", "\uff41da@example.com": "usual", "e\u0301va@example.com": "usual", "\u03bfda@example.com": "several scripts",
    "ada@example.com\u202e": "not shown", "\u0430\u0441\u0435": "look like Latin", "x\u0320da@example.com": "several scripts",
}  # fmt: skip


def test_versions_that_look_like_one(repo: Path) -> None:
    """Of tags that anybody may push the one is a version: the others name none, newest or not."""
    for tag in TWINS:
        made = subprocess.run(
            ["git", "tag", "-am", "x", tag], cwd=repo, check=False, capture_output=True
        )
        assert made.returncode == 0, made.stderr
    assert [str(one) for one in versions(repo)] == ["gbm@v1.0.0"]
    for other in TWINS[1:]:
        with pytest.raises(RegistryError):
            find(repo, other)


@pytest.mark.parametrize("name", PEOPLE)
def test_people_who_look_like_one(name: str) -> None:
    """A line of conf/trust.yaml or conf/owners.yaml that a review would take for somebody who is known."""
    assert PEOPLE[name] in odd_name(name)
    with pytest.raises(TrustPolicyError, match="pass for another"):
        parse_policy({"roles": {"approve": {"who": ["ada@example.com", name], "count": 2}}})
    with pytest.raises(OwnersError, match="pass for another"):
        parse_owners(f"default: {{owner: {name!r}, tier: 1}}\n".replace("'", '"').encode())


def test_people_whose_names_are_their_own() -> None:
    """In any one script, with the accents that it has."""
    for name in (
        "ada@example.com",
        "\u00e9va@example.com",
        "\u043b\u0435\u0432",
        "\u6771\u4eac@example.com",
        "Zo\u00eb O'Neil <z@x.example>",
    ):
        assert odd_name(name) == ""
