"""`furrow features`, end to end on a small repository, in words and in JSON."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from furrow.cli.main import run
from furrow.features.build import compile_manifest
from furrow.features.manifest_cache import remember
from furrow.files import write_json

FILES: dict[str, str] = runpy.run_path(str(Path(__file__).parents[1] / "features" / "conftest.py"))[
    "FILES"
]
NOW = datetime.now(UTC).replace(microsecond=0)
STAMP = pa.timestamp("us", tz="UTC")


@pytest.fixture
def root(repo: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small repository: tables built, manifest compiled and committed; the working directory."""
    for name, text in FILES.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    tables = repo / "build" / "tables"
    tables.mkdir(parents=True)
    times = pa.array(
        [NOW - timedelta(hours=5), NOW - timedelta(hours=1), NOW - timedelta(hours=2)], STAMP
    )
    traffic = {"origin": ["JFK", "JFK", "LGA"], "event_timestamp": times}
    traffic |= {
        "departures": pa.array([1, 2, 3], pa.int64()),
        "mean_delay": pa.array([30.0, 45.0, None], pa.float64()),
    }
    pq.write_table(pa.table(traffic), tables / "traffic.parquet")
    days = {
        "carrier": ["B6", "UA"],
        "event_timestamp": pa.array([NOW - timedelta(days=1), NOW - timedelta(days=9)], STAMP),
    }
    days["carrier_late"] = pa.array([0.25, 0.5], pa.float64())
    pq.write_table(pa.table(days), tables / "carrier_day.parquet")
    compiled(repo)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "features")
    monkeypatch.chdir(repo)
    return repo


def compiled(root: Path) -> None:
    write_json(root / "features" / "manifest.json", compile_manifest(root / "features").to_json())
    remember(root / "features")


@pytest.fixture
def furrow(root: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `furrow features ...` and give its exit code, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["features", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


Call = Callable[..., tuple[int, str, str]]


def answer(call: Call, *arguments: str) -> Any:
    code, out, err = call(*arguments, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found.pop("format") == 1
    for name in ("entries", "views"):  # a list has a name of its own
        if set(found) == {name}:
            return found[name]
    return found


def test_list(furrow: Call) -> None:
    """Views, on-demand views and services with who uses them; or each feature."""
    code, out, err = furrow("list")
    assert (code, err) == (0, "")
    for word in (
        "carrier_day",
        "traffic",
        "airport_pressure",
        "6h",
        "2d",
        "ops@example.com",
        "gbm",
        "logistic",
    ):
        assert word in out
    entries = {entry["name"]: entry for entry in answer(furrow, "list")}
    assert entries["traffic"]["ttl_seconds"] == 21_600
    assert entries["full"]["features"] == ["carrier_late", "mean_delay", "pressure"]
    features = {entry["name"]: entry for entry in answer(furrow, "list", "--features")}
    assert features["traffic:departures"]["dtype"] == "Int64"
    assert "traffic:mean_delay" in furrow("list", "--features")[1]


def test_show(furrow: Call) -> None:
    """In words: facts, freshness, statistics and lineage; in JSON all of it."""
    out = furrow("show", "traffic")[1]
    for word in (
        "ops@example.com",
        "origin (String)",
        "3 rows",
        "materialize",
        "flights.departure_delay",
        "33.3%",
        "gbm",
    ):
        assert word in out
    shown = answer(furrow, "show", "traffic:departures")
    assert shown["features"][0]["statistics"]["median"] == 2.0
    assert "def pressure(inputs):" in furrow("show", "airport_pressure")[1]
    assert "hour (Int64)" in furrow("show", "full")[1]
    assert answer(furrow, "show", "basic", "--no-statistics")["kind"] == "service"


def test_search(furrow: Call) -> None:
    """Every word must fit; nothing found is no error."""
    assert "airport_pressure" in furrow("search", "pressure", "airport")[1]
    assert [found["name"] for found in answer(furrow, "search", "lateness")] == ["carrier_day"]
    code, out, _ = furrow("search", "zebra")
    assert (code, out) == (0, "nothing holds zebra\n")
    assert answer(furrow, "search", "zebra") == []


def test_digest(furrow: Call, root: Path) -> None:
    """Of one name, or of all services and the whole."""
    manifest = compile_manifest(root / "features")
    assert furrow("digest", "full")[1] == f"{manifest.services['full'].digest}\n"
    assert furrow("digest", "traffic")[1] == f"{manifest.views['traffic'].digest}\n"
    assert f"{manifest.digest}  (all)" in furrow("digest")[1]
    assert answer(furrow, "digest") == {
        "digest": manifest.digest,
        "services": {name: service.digest for name, service in manifest.services.items()},
    }
    assert answer(furrow, "digest", "basic")["digest"] == manifest.services["basic"].digest


def test_diff(furrow: Call, root: Path) -> None:
    """Nothing since HEAD; then a change in words, whom it concerns, and the exit code if asked for."""
    assert furrow("diff")[:2] == (0, "nothing changed since HEAD\n")
    views = root / "features" / "views.py"
    views.write_text(views.read_text().replace("hours=6", "hours=3"))
    code, out, err = furrow("diff", "HEAD", "--detailed-exitcode")
    assert code == 4
    assert out.startswith("traffic.ttl 6h -> 3h\n")
    assert "gbm" in out
    assert "furrow compile" in err
    compiled(root)
    found = answer(furrow, "diff", "HEAD")
    assert [change["words"] for change in found["changes"]] == ["traffic.ttl 6h -> 3h"]
    assert (found["services"], found["experiments"]) == (["full"], ["gbm"])


def test_materialize_get_verify_and_push(furrow: Call, root: Path) -> None:
    """The online store is filled, answers with status and age, is verified, and takes an event."""
    code, out, _ = furrow("materialize")
    assert code == 0
    assert "carrier_day" in out
    done = {each["view"]: each for each in answer(furrow, "materialize", "-v", "traffic", "--full")}
    assert (done["traffic"]["mode"], done["traffic"]["read"]) == ("full", 3)

    row = ["-e", "carrier=B6", "-e", "origin=JFK", "-e", "hour=8"]
    out = furrow("get", "full", *row)[1]
    assert "carrier_late" in out
    assert "1.0d" in out
    (values,) = answer(furrow, "get", "full", *row)["rows"]
    assert values["mean_delay"]["value"] == 45.0
    assert values["carrier_late"]["status"].lower() == "present"
    assert values["pressure"]["value"] == pytest.approx(3 * 2 + 2.1972245773362196)
    named = answer(furrow, "get", "full", *row, "--full-feature-names")["rows"][0]
    assert set(named) == {
        "carrier_day__carrier_late",
        "traffic__mean_delay",
        "airport_pressure__pressure",
    }
    lines = root / "rows.jsonl"
    lines.write_text('{"carrier": "UA"}\n\n{"carrier": "??"}\n')
    old, unknown = answer(furrow, "get", "basic", "--input", str(lines))["rows"]
    assert (old["carrier_late"]["status"].lower(), unknown["carrier_late"]["status"].lower()) == (
        "expired",
        "missing",
    )

    code, out, _ = furrow("verify", "--rows", "50")
    assert (code, out.count("all equal")) == (0, 2)
    assert answer(furrow, "verify", "full", "--rows", "20")["reports"][0]["differences"] == []

    event = {
        "origin": "LGA",
        "departures": 9,
        "mean_delay": 1.0,
        "event_timestamp": NOW.isoformat(),
    }
    pushed = answer(
        furrow, "push", "traffic", *(part for k, v in event.items() for part in ("-e", f"{k}={v}"))
    )
    assert pushed == {"view": "traffic", "pushed": 1, "newer": 1}
    lines.write_text(json.dumps(event) + "\n")
    assert furrow("push", "traffic", "--input", str(lines))[1].startswith(
        "traffic: 1 pushed, 0 newer"
    )
    shown = answer(furrow, "show", "traffic")
    assert (shown["online"]["records"], shown["online"]["current"]) == (2, True)
    assert shown["offline"]["newest"] == NOW.isoformat()


def test_verify_says_what_differs(furrow: Call, root: Path) -> None:
    """A store that is behind the tables differs, and the exit code says so."""
    furrow("materialize")
    path = root / "build" / "tables" / "traffic.parquet"
    table = pq.read_table(path)
    pq.write_table(
        table.set_column(3, "mean_delay", pa.array([30.0, 99.0, None], pa.float64())), path
    )
    code, out, _ = furrow("verify", "full", "--rows", "50")
    assert code == 1
    assert "mean_delay" in out
    assert "99" in out
    code, out, _ = furrow("verify", "full", "--rows", "50", "--json")
    assert code == 1
    assert json.loads(out)["reports"][0]["differences"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "trafic"], 1, "did you mean traffic"),
        (["digest", "ful"], 1, "did you mean full"),
        (["get", "ful", "-e", "origin=JFK"], 1, "'ful'"),
        (["get", "full"], 2, "-e KEY=VALUE"),
        (["get", "full", "-e", "origin"], 2, "should be KEY=VALUE"),
        (["get", "full", "-e", "hour=noon"], 1, "'noon' is not of the type Int64"),
        (["get", "full", "-e", "origin=JFK"], 1, "lacks"),
        (["get", "full", "-e", "origin=JFK", "--at", "tomorrow"], 2, "'tomorrow' is not a time"),
        (["materialize", "-v", "trafic"], 1, "did you mean traffic"),
        (["materialize", "later"], 2, "END: 'later' is not a time"),
        (["verify", "ful"], 1, "'ful'"),
        (["push", "trafic", "-e", "origin=JFK"], 1, "did you mean traffic"),
        (["push", "traffic", "-e", "origin=JFK", "-e", "oops=1"], 1, "oops"),
        (["diff", "nowhere"], 1, "nowhere"),
        (["list", "-C", "elsewhere"], 1, "-C elsewhere: No such file"),
        (["show"], 2, "Missing argument"),
    ],
)
def test_mistakes_get_one_clear_message(
    furrow: Call, arguments: list[str], code: int, said: str
) -> None:
    """Unknown names get a suggestion, wrong values are named; exit 1 for an error, 2 for wrong usage."""
    if arguments[0] in ("get", "verify", "push"):
        furrow("materialize")
    got, out, err = furrow(*arguments)
    assert (got, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize("text", ["", "[1]\n", '{"carrier": \n'])
def test_wrong_rows_are_named(furrow: Call, root: Path, text: str) -> None:
    """The file and the line are in the message."""
    furrow("materialize")
    (root / "rows.jsonl").write_text(text)
    code, _, err = furrow("get", "basic", "--input", "rows.jsonl")
    assert code == 1
    assert "rows.jsonl" in err


def test_the_folder_may_be_named_or_be_here(
    furrow: Call, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-C names it; inside of a features folder there is no need to."""
    here = answer(furrow, "digest")
    assert answer(furrow, "digest", "-C", str(root / "features")) == here
    monkeypatch.chdir(root / "features")
    assert answer(furrow, "digest") == here


def test_list_and_help_start_fast(root: Path) -> None:
    """Neither loads Feast, pandas, DuckDB, Arrow or SQLGlot, and that is why they are fast."""
    script = (
        "import sys; from furrow.cli.main import run; run(sys.argv[1:]); "
        "print(*sorted({'feast', 'pandas', 'duckdb', 'pyarrow', 'sqlglot', 'numpy', 'dvc'} & set(sys.modules)))"
    )
    for arguments in (["features", "--help"], ["features", "list"], ["features", "digest"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ,
        )
        assert done.stdout.splitlines()[-1] == "", arguments
