"""What an answer may hold and where a draft may write, as tables."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from furrow.assistants.bounded_answers import LARGEST, bounded
from furrow.assistants.draft_branch import PREFIX
from furrow.assistants.draft_paths import DraftError, check_path, is_compiled
from furrow.cli import mcp


@pytest.mark.parametrize(
    "value",
    [
        {"rows": [[n, "x" * 50] for n in range(100_000)]},
        {"text": "\x1b[31m" * 1_000_000},
        {f"key{n}": ["y" * 1000] * 100 for n in range(1000)},
        {"deep": json.loads("[" * 500 + "]" * 500)},
        {"wide": {"k" * 10_000 + str(n): n for n in range(5000)}},
    ],
)  # fmt: skip
def test_an_answer_has_an_end(value: dict[str, Any]) -> None:
    """Whatever a repository holds, an assistant gets a bounded part of it, and is told."""
    found = bounded(value)
    assert len(json.dumps(found)) <= LARGEST + 300
    assert found["cut"] or "deep" in value
    assert "\x1b" not in json.dumps(found, ensure_ascii=False)


def test_a_small_answer_is_whole() -> None:
    assert bounded({"a": [1, None, True, "ß"]}) == {"a": [1, None, True, "ß"], "cut": ""}


@pytest.mark.parametrize(
    "path",
    ["features/tables/x.sql", "features/x.py", "conf/experiments.yaml", "conf/problem/x.yaml", "pipelines/a/b.py",
     "tests/test_x.py", "conf/data/contract.yaml"],
)  # fmt: skip
def test_where_a_draft_may_write(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["conf/deployment/production.yaml", "conf/gate/late.yaml", "conf/ci.yaml", "conf/trust.yaml", "conf/owners.yaml",
     "dvc.lock", "dvc.yaml", ".github/workflows/x.yml", "/etc/passwd", "features/../dvc.lock", "features//x.py",
     "features/.git/config", "runs/gbm/metrics.json", "features/x.sh", "", "features/x.py\n", "features/" + "x" * 300 + ".py",
     "pipelines/\x1b.py", "conf/problem/../gate/x.yaml", "features/feature_store.yaml/../../x.py"],
)  # fmt: skip
def test_where_a_draft_may_not_write(path: str) -> None:
    """Neither what deploys, judges or guards, nor what a run recorded, nor out of the project."""
    with pytest.raises(DraftError, match="may not write"):
        check_path(path)


def test_what_compiling_writes_goes_along() -> None:
    assert is_compiled("runs/x/config.yaml")
    assert is_compiled("features/manifest.json")
    assert not is_compiled("runs/x/metrics.json")
    assert PREFIX == "draft/"


def test_the_command_says_how_it_is_started() -> None:
    """What an assistant's program is told, word for word."""
    said = CliRunner().invoke(mcp.command, ["--help"])
    assert '"args": ["-C", "/path/of/project", "mcp"]' in said.output
