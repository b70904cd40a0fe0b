"""What the examples themselves declare: owners, factors and sentences that can be meant, of what is there."""

from pathlib import Path

import pytest
import yaml

from furrow.governance.card_sentences import missing_sentences, parse_sentences
from furrow.governance.cost_factors import read_factors
from furrow.governance.owners import parse_owners

ROOT = Path(__file__).parents[2]
PROJECTS = (ROOT, ROOT / "tests/projects/retail", ROOT / "tests/projects/segments")


@pytest.mark.parametrize("root", PROJECTS, ids=lambda root: root.name)
def test_what_an_example_declares_is_of_what_it_has(root: Path) -> None:
    experiments = yaml.safe_load((root / "conf/experiments.yaml").read_text())["experiments"]
    have = {
        "problems": {path.stem for path in (root / "conf/problem").glob("*.yaml")},
        "services": {one["service"] for one in experiments.values()},
    }
    owners = parse_owners((root / "conf/owners.yaml").read_bytes())
    assert owners.default.owner
    assert all(name in have[kind] for kind, name in owners.named)
    factors = read_factors(root)
    assert factors is not None
    assert factors.prices
    assert factors.budget["commit"] > 0
    assert {path.stem for path in (root / "conf/card").glob("*.yaml")} == have["problems"]
    for path in (root / "conf/card").glob("*.yaml"):
        assert missing_sentences(parse_sentences(path.read_bytes(), path.name)) == []
