"""Figures on pages: whether data keep their contract, drift between partitions, costs by declared prices, a month before."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.data.contract import load_contract
from furrow.data.data_check import check
from furrow.drawing.moves import MOST_MOVES, moves
from furrow.files import write_json
from furrow.web.asked import Asked
from furrow.web.business_figures import cost_blocks, month_before
from furrow.web.business_page import business
from furrow.web.business_words import declared_limits, declared_purpose
from furrow.web.content import Drawing, Facts, Note, Table
from furrow.web.data_page import data
from furrow.web.data_state import contract_state, partition_drift
from furrow.web.home_page import home
from furrow.web.site import Site

from .conftest import asking, commit, made, run_files, shared_files

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = """format: 1
clock: {timezone: UTC}
tables:
  sales:
    files: sales/{month}.parquet
    columns:
      id: {type: int64, min: 0}
      amount: {type: float64}
      kind: {type: string}
"""


def month_file(folder: Path, name: str, shift: float, kinds: list[str]) -> None:
    draw = np.random.default_rng(int(shift * 10) + 3)
    (folder / "sales").mkdir(parents=True, exist_ok=True)
    rows = pa.table({"id": np.arange(3000), "amount": draw.normal(shift, 1, 3000),
                     "kind": draw.choice(kinds, 3000)})  # fmt: skip
    pq.write_table(rows, folder / "sales" / f"{name}.parquet")


@pytest.fixture
def sales(tmp_path: Path) -> Site:
    """Three months of sales, of which the last one's amounts lie elsewhere."""
    folder = made(tmp_path / "sales-project")
    commit(folder, {"conf/data/contract.yaml": CONTRACT, ".gitignore": "/data\n/build\n.furrow/\n"})
    for name, shift in {"2024-01": 0.0, "2024-02": 0.0, "2024-03": 3.0}.items():
        month_file(folder / "data", name, shift, ["a", "b"])
    return Site(folder)


def texts(blocks: list[object]) -> str:
    return " ".join(one.text for one in blocks if isinstance(one, Note))


def test_drift_between_partitions(sales: Site) -> None:
    """The month that moved is named with its columns; what the contract does not name is not looked at."""
    declared = load_contract(sales.root / "conf/data/contract.yaml").tables["sales"]
    for path in (sales.root / "data/sales").glob("*.parquet"):
        rows = pq.read_table(path)
        pq.write_table(rows.append_column("secret", pa.array(np.arange(3000.0))), path)
    found = partition_drift(sales.root / "data", "sales", declared)
    [table] = [one for one in found if isinstance(one, Table)]
    moved = [(row[0], row[1], row[2]) for row in table.rows if row[-1] is not None]
    assert moved == [("amount", "2024-02", "2024-03")]
    assert {row[0] for row in table.rows} == {"id", "amount", "kind"}
    assert any(isinstance(one, Drawing) for one in found)
    (sales.root / "data/sales/2024-02.parquet").write_bytes(b"none")
    [said] = partition_drift(sales.root / "data", "sales", declared)
    assert isinstance(said, Note)
    assert said.kind == "bad"


def test_whether_the_contract_holds(sales: Site) -> None:
    """As this machine checked it; of another contract, and of a report that can't be read, that is said."""
    contract = load_contract(sales.root / "conf/data/contract.yaml")
    head = sales.commit("")

    def said() -> str:
        return texts(contract_state(sales, head, contract, here=True))

    assert "Not checked on this machine" in said()
    place = sales.root / "build/validation.json"
    write_json(place, check(sales.root / "data", contract).to_json())
    assert "all rules hold" in said()
    assert "9,000 rows" in said()
    report = json.loads(place.read_text())
    place.write_text(json.dumps({**report, "contract": "0"}))
    assert "another one since" in said()
    broken = {"table": "sales", "column": "id", "rule": "range", "message": "m", "count": 3}
    place.write_text(json.dumps({**report, "passed": False, "violations": [broken]}))
    assert "BROKEN" in said()
    place.write_text("[]")
    assert "can't be read" in said()
    page = data(sales, Asked({"profile": ("1",)}))
    assert "sales-drift" in page.tables()


def test_a_commit_says_whether_its_data_were_checked(tmp_path: Path) -> None:
    """By dvc.lock: these very data, other ones, or none; in a bare clone, too."""
    folder = made(tmp_path / "locked")
    pointer = "outs:\n- md5: {md5}.dir\n  path: data\n  hash: md5\n"
    lock = "schema: '2.0'\nstages:\n  validate:\n    cmd: x\n    deps:\n    - {{path: data, md5: {md5}.dir}}\n"
    contract_text = {"conf/data/contract.yaml": CONTRACT}
    said = []
    for data_md5, lock_md5 in (("a" * 32, "a" * 32), ("b" * 32, "a" * 32), ("b" * 32, "")):
        files = {
            "data.dvc": pointer.format(md5=data_md5),
            "dvc.lock": lock.format(md5=lock_md5) if lock_md5 else "",
        }
        commit(folder, {**contract_text, **files})
        site = Site(folder, live=False)
        contract = load_contract(folder / "conf/data/contract.yaml")
        said.append(texts(contract_state(site, site.commit(""), contract, here=False)))
    assert "passed on these very data" in said[0]
    assert "a check of other data" in said[1]
    assert "names no check" in said[2]


def test_costs_by_declared_prices(tmp_path: Path) -> None:
    """Hours always; money and energy where conf/cost.yaml declares them, and never otherwise."""
    folder = made(tmp_path / "cost")
    commit(folder, {"a.txt": "a", ".gitignore": ".furrow/\n"})
    site = Site(folder)
    assert "not known here" in texts(cost_blocks(site, site.commit("")))
    line = {
        "stage": "train@gbm",
        "started": 1.7e9,
        "seconds": 3600.0,
        "cpu_seconds": 7200.0,
        "peak_mb": 1000.0,
    }
    (folder / ".furrow").mkdir()
    (folder / ".furrow/journal.jsonl").write_text(json.dumps(line) + "\n")
    blocks = cost_blocks(site, site.commit(""))
    [facts] = [one for one in blocks if isinstance(one, Facts)]
    assert dict(facts.pairs) == {"processor hours": 2.0, "pieces of work": 1}
    assert "declares no price" in texts(blocks)
    declared = (
        "currency: EUR\ncpu_hour: 0.5\nwatts_per_cpu: 10\ngrams_per_kwh: 400\nbudget: {month: 1}\n"
    )
    commit(folder, {"conf/cost.yaml": declared})
    blocks = cost_blocks(site, site.commit(""))
    [facts] = [one for one in blocks if isinstance(one, Facts)]
    told = dict(facts.pairs)
    assert told["money, EUR"] == 1.0
    assert told["energy, kWh"] == 0.02
    assert told["CO2, kg"] == 0.008
    assert "of a budget of 1.00 EUR" in texts(blocks)
    commit(folder, {"conf/cost.yaml": "cpu_hour: much\n"})
    assert "cpu_hour" in texts(cost_blocks(site, site.commit("")))


def test_a_month_before(tmp_path: Path) -> None:
    """The figure of then, and whether it is better now; who is declared answers for it."""
    folder = made(tmp_path / "month")
    for day, loss in (("2026-01-01", 0.5), ("2026-03-01", 0.41)):
        shared = shared_files("gbm", ["gbm"])
        value = json.loads(shared["runs/champion.json"])
        value["problems"]["late"]["metrics"] = {"log_loss": loss}
        files = {
            **run_files("gbm", {"log_loss": loss}),
            **shared,
            "runs/champion.json": json.dumps(value),
        }
        files["conf/owners.yaml"] = "problems: {late: {owner: ops@example.com}}\n"
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        when = {"GIT_AUTHOR_DATE": f"{day}T12:00:00Z", "GIT_COMMITTER_DATE": f"{day}T12:00:00Z"}
        git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b"]
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", day], check=True, env={**os.environ, **when})
    site = Site(folder)
    before = month_before(site, site.commit(""), "late")
    assert before is not None
    assert before.metrics == {"log_loss": 0.5}
    assert month_before(site, site.commit("HEAD~1"), "late") is None
    [facts] = [one for part in business(site, Asked()).sections for one in part.blocks
               if isinstance(one, Facts) and one.name == "problem-late"]  # fmt: skip
    told = dict(facts.pairs)
    assert str(told["compared with a month before"]).startswith("better: it was 0.5")
    assert told["answers for it"] == "ops@example.com"


def test_home_says_what_it_is_and_what_failed(tmp_path: Path) -> None:
    """The README's first words; a problem for which no run passed needs a person, live and exported."""
    folder = made(tmp_path / "home")
    shared = shared_files("gbm", ["odd"])
    value = json.loads(shared["runs/champion.json"])
    value["problems"]["late"]["experiment"] = None
    files = {
        **run_files("odd", {"log_loss": 0.7}),
        **shared,
        "runs/champion.json": json.dumps(value),
    }
    commit(
        folder,
        {**files, "README.md": "# Title\n\n![x](y)\n\nWhat this is about, in one sentence.\n"},
    )
    for live in (True, False):
        page = home(Site(folder, live=live), Asked())
        said = str(page.sections)
        assert "What this is about, in one sentence." in said
        assert "late: no run passed, of 1. Next: furrow gate" in said


def test_moves_to_either_side() -> None:
    """Longest first, bounded, without what is no number."""
    drawn = moves([("up", 0.5), ("down", -1.0), ("none", float("nan"))], title="<t>")
    assert drawn.index("down") < drawn.index(">up<")
    assert drawn.count("<rect") == 2
    assert 'class="lowered"' in drawn
    assert 'class="raised"' in drawn
    assert "&lt;t&gt;" in drawn
    assert moves([(str(n), n + 1.0) for n in range(99)], title="t").count("<rect") == MOST_MOVES
    assert moves([], title="t") == ""


CARD = """intended_use: Decide whom to call before a contract ends.
out_of_scope: Prices.
limitations: Trained on <b>one</b> country.
"""


def test_what_people_said_of_a_model(tmp_path: Path) -> None:
    """What it is for, what not and its risks, as conf/card has them; where nobody has said it, that stands there."""
    folder = made(tmp_path / "said")
    commit(folder, {**run_files("gbm", {"log_loss": 0.4}), **shared_files("gbm", ["gbm"])})
    site = Site(folder)
    [nobody] = declared_limits(site, "HEAD", "late")
    assert "Nobody has written down" in str(nobody)
    assert "conf/card/late.yaml" in str(business(site, Asked()).sections)
    commit(folder, {"conf/card/late.yaml": CARD})
    assert declared_purpose(site, "HEAD", "late") == [
        ("what it is for", "Decide whom to call before a contract ends."),
        ("what it is not for", "Prices."),
    ]
    page = asking(folder)("/business").text
    assert "Risk: Trained on &lt;b&gt;one&lt;/b&gt; country." in page
    assert "Nobody has written down" not in page
    commit(folder, {"conf/card/late.yaml": "[1"})
    assert asking(folder)("/business").status_code == 200
    assert declared_purpose(site, "HEAD", "../late") == []
