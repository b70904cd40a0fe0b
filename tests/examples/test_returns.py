"""examples/returns is what `furrow init` writes, to the byte, and nothing else: nobody edited it by hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from furrow.data.contract import load_contract
from furrow.scaffold.answers import Asked
from furrow.scaffold.place_files import scratch
from furrow.scaffold.plan_init import look, plan_init

from .conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RETURNS = ROOT / "examples/returns"
ASKED = Asked(predict="Returned", about="invoice", at="Invoice Date", known_after="30d")
"""furrow init given/*.csv --predict Returned --about invoice --at "Invoice Date" --known-after 30d --yes"""
STAGES = re.compile(r"\n\n  (?:tables|training_set)_\w+:\n(?:    .*\n)+")
"""Stages of tables and training sets: `furrow compile --write`, which init runs, adds them to dvc.yaml."""


def committed() -> set[str]:
    """What Git holds of it; the files that are there where there is no Git."""
    done = subprocess.run(
        ["git", "-C", str(RETURNS), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {
            path.relative_to(RETURNS).as_posix() for path in RETURNS.rglob("*") if path.is_file()
        }
    return set(done.stdout.split())


def test_init_writes_what_is_committed(tmp_path: Path) -> None:
    """From the two given files, every other file comes again, byte by byte; there is none beside them."""
    root = tmp_path / "returns"
    shutil.copytree(RETURNS / "given", root / "given")
    given = [str(path) for path in sorted((root / "given").glob("*.csv"))]
    looked = look(given, scratch(root) / "landed")
    plan = plan_init(root, looked, ASKED, now=datetime.now(UTC))
    there = committed()
    assert there == {*plan.texts, "given/orders.csv", "given/credit_notes.csv"}
    for path, text in plan.texts.items():
        found = (RETURNS / path).read_text(encoding="utf-8")
        found = _bare(found) if path == "dvc.yaml" else found
        assert found == (_bare(text) if path == "dvc.yaml" else text), (
            f"{path} is not what init writes"
        )
    assert len(plan.texts) <= 14
    assert sum(text.count("\n") for text in plan.texts.values()) <= 200


def _bare(text: str) -> str:
    """A stage graph without the stages that are compiled, and without empty lines."""
    while STAGES.search(text):
        text = STAGES.sub("\n", text)
    return re.sub(r"\n+", "\n", text)


def test_what_it_found_out() -> None:
    """Ids that were written with a fraction are whole, months come before days, and earlier orders count, and what came of them."""
    orders = load_contract(RETURNS / "conf/data/contract.yaml").tables["orders"]
    assert orders.columns["customer_id"].type == "int64"
    assert orders.columns["invoice_date"].type == "timestamp"
    definitions = (RETURNS / "features/definitions.py").read_text()
    assert 'windows("orders_before", "lines units amount")' in definitions
    ever = 'windows("orders_outcomes", "returned", spans="7d 30d 90d ever", figures="mean")'
    assert ever in definitions
