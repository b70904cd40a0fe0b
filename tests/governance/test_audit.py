"""An audit: what is known, what is not, on a page that runs nothing; of hostile texts, odd locks and periods."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.cli import audit as audit_cli
from furrow.errors import FurrowError
from furrow.governance.audit import Audit, audit
from furrow.governance.audit_page import audit_json, audit_page
from furrow.governance.audit_version import version_facts
from furrow.governance.bill_of_materials import bill_of_materials
from furrow.governance.signed_files import check_signed_files
from furrow.models.registry import find
from furrow.monitoring.alarm_book import Alarm, AlarmBook
from furrow.monitoring.monitor_state import MonitorState, save_state
from furrow.proof.trust_policy import read_policy
from furrow.serving.log_counts import count_predictions
from tests.proof.signingpeople import SHA256, People, commit, project, run

NOW = datetime(2024, 6, 1, tzinfo=UTC)
LOCK = f"# by hand\na==1.0 \\\n    --hash=sha256:{'1' * 64} \\\n    --hash=sha256:{'2' * 64}\nB_c==2 ; python_version < '4'\nd>=3\ngit+https://example.com/x\n"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def root(people: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two versions, a deployment that went forth and back, a log and a monitor; not to be changed."""
    root = tmp_path_factory.mktemp("audited") / "project"
    with pytest.MonkeyPatch.context() as patch:
        for who in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{who}_NAME", "Ada")
            patch.setenv(f"GIT_{who}_EMAIL", "ada@example.com")
            patch.setenv(f"GIT_{who}_DATE", "2024-03-05T00:00:00Z")
        project(root, "", people.line("ada"))
        (root / "requirements.lock").write_text(LOCK)
        (root / "runs/gbm/config.yaml").write_text("name: '<script>alert(1)</script>'\n")
        (root / "runs/gbm/slices.json").write_text(
            '[{"slice": "country", "value": "</script><b>", "auc": NaN}]'
        )
        commit(root, "train")
        for name in ("gbm@v1.0.0", "gbm@v1.1.0"):
            message = f"Register {name}\n\n" + json.dumps({"model_sha256": SHA256})
            run(root, "git", "tag", "-a", "-m", message, name)
        (root / "conf/deployment").mkdir()
        for version in ("gbm@v1.0.0", "gbm@v1.1.0", "gbm@v1.0.0"):
            (root / "conf/deployment/production.yaml").write_text(f"model: {version}\n")
            commit(root, f"Serve {version} <img src=x onerror=alert(1)>")
    place = root / ".furrow/serving/production"
    sealed = place / "log/sealed/2024-03-05T00/segment"
    sealed.mkdir(parents=True)
    times = [datetime(2024, 3, day, tzinfo=UTC) for day in (5, 6, 7)]
    table = pa.table(
        {
            "time": pa.array(times, pa.timestamp("us", "UTC")),
            "version": ["gbm@v1.0.0", "gbm@v1.1.0", "gbm@v1.0.0"],
            "variant": ["main", "main", "main"],
            "other": [1, 2, 3],
        }
    )
    pq.write_table(table, sealed / "gbm.parquet")
    alarm = Alarm("drift", "age", "gbm@v1.0.0", "2024-03-06", "2024-03-06", "age drifted")
    (place / "monitor").mkdir()
    figures = [{"window": "2024-03-06", "version": "gbm@v1.0.0", "rows": 2, "psi": 0.3}]
    save_state(place / "monitor", MonitorState(book=AlarmBook((alarm,)), history=figures))
    return root


def test_a_version(root: Path) -> None:
    made = audit(root, "gbm@v1.0.0", read_policy(root), now=NOW)
    told = made.sections
    assert told["version"]["name"] == "gbm@v1.0.0"
    assert told["model"]["sha256"] == SHA256
    assert told["predictions served"] == [
        {"environment": "production", "version": "gbm@v1.0.0", "variant": "main", "predictions": 2}
    ]
    assert [one["text"] for one in told["incidents"]] == ["age drifted"]
    assert told["drift, fairness and performance by window"][0]["psi"] == 0.3
    assert len(told["who approved what, on which evidence"]) == 3
    assert "replay: absent" in told["proof"]["weakest link"]
    said = "\n".join(made.unknown)
    for words in (
        "replay: nobody replayed it",
        "nobody is declared to own it",
        "there is no conf/data/contract.yaml",
        "'d>=3' names no package with a version",
        "git+https://example.com/x",
        "runs/gbm/intervals.json is not in",
    ):
        assert words in said
    unknown: list[str] = []
    again = version_facts(root, find(root, "gbm@v1.0.0"), read_policy(root), unknown, now=NOW)
    assert again["metrics"] == {"roc_auc": 0.7}


def test_a_deployment_and_its_way_back(root: Path) -> None:
    made = audit(root, "production", read_policy(root), now=NOW)
    (back,) = made.sections["went back to an earlier version"]
    assert (back["before"], back["after"]) == ("gbm@v1.1.0", "gbm@v1.0.0")
    assert sum(one["predictions"] for one in made.sections["predictions served"]) == 3


@pytest.mark.parametrize(
    ("text", "changes", "predictions", "incidents"),
    [
        ("2024", 3, 3, 1),
        ("2024-03", 3, 3, 1),
        ("2024-03-06", 0, 1, 1),
        ("2024-03-01..2024-03-05", 3, 1, 0),
        ("2023", 0, 0, 0),
    ],
)
def test_a_period(root: Path, text: str, changes: int, predictions: int, incidents: int) -> None:
    told = audit(root, text, read_policy(root), now=NOW).sections
    assert len(told["who approved what, on which evidence"]) == changes
    assert sum(one["predictions"] for one in told["predictions served"]) == predictions
    assert len(told["incidents"]) == incidents


@pytest.mark.parametrize(
    "text", ["2024-13", "2024-02-30", "2024-03-05..2024-03-01", "nothing", "0000", "9999"]
)
def test_what_is_none_of_them(root: Path, text: str) -> None:
    with pytest.raises(FurrowError):
        audit(root, text, read_policy(root), now=NOW)


class Tags(HTMLParser):
    """The tags of a page, and the data inside of its script."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.data += data


def check_page(made: Audit) -> None:
    page = audit_page(made)
    found = Tags()
    found.feed(page)
    names = {tag for tag, _ in found.tags}
    known = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ol", "ul", "li"}
    assert names <= known | {"table", "tr", "th", "td", "pre", "script"}
    assert [attrs for tag, attrs in found.tags if tag == "script"] == [
        {"type": "application/json", "id": "audit"}
    ]
    assert not [
        attrs for _, attrs in found.tags if {"src", "href", "onerror", "style"} & set(attrs)
    ]
    assert json.loads(found.data) == json.loads(audit_json(made))
    assert "default-src 'none'" in page


def test_the_page_runs_nothing_and_holds_its_json(root: Path) -> None:
    """A config, a slice and a commit with scripts in them are text."""
    made = audit(root, "gbm@v1.0.0", read_policy(root), now=NOW)
    check_page(made)
    assert json.loads(audit_json(made))["sections"]["metrics by slice"][0]["auc"] is None


words = st.text(max_size=12) | st.sampled_from(
    ["</script>", "<!--", "]]>", "<img onerror=x>", "\u202e", "&lt;"]
)


@settings(max_examples=60)
@given(
    st.dictionaries(
        words,
        st.recursive(
            st.none() | st.booleans() | st.floats() | words,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
            max_leaves=8,
        ),
        max_size=3,
    ),
    st.lists(words, max_size=3),
)
def test_any_text_is_text(sections: dict[str, Any], unknown: list[str]) -> None:
    check_page(Audit("x", "version", "now", sections, unknown))


def test_the_bill_of_materials_is_the_same_for_the_same_lock() -> None:
    bill, unknown = bill_of_materials(LOCK.encode(), "gbm")
    assert bill == bill_of_materials(LOCK.encode(), "gbm")[0]
    assert [one["purl"] for one in bill["components"]] == ["pkg:pypi/a@1.0", "pkg:pypi/b-c@2"]
    assert len(bill["components"][0]["hashes"]) == 2
    assert unknown == ["d>=3", "git+https://example.com/x"]
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bill["serialNumber"])


def test_the_command_signs_and_checks(
    root: Path,
    people: People,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A changed page, or one that nobody known signed, is refused."""
    people.become(root, "ada")
    monkeypatch.chdir(root)
    out = tmp_path / "a.html"
    audit_cli.command.main(["2024-03", "--out", str(out), "--sign"], standalone_mode=False)
    envelope = tmp_path / "a.dsse"
    said = "a.html, a.json as signed by ada@example.com"
    assert check_signed_files(envelope, read_policy(root)) == said
    audit_cli.command.main([str(envelope), "--check"], standalone_mode=False)
    assert said in capsys.readouterr().out
    with pytest.raises(FurrowError, match="nobody in the list"):
        check_signed_files(envelope, read_policy(root, signers=people.line("ben").encode()))
    out.write_text(out.read_text().replace("drifted", "is well"))
    with pytest.raises(FurrowError, match=r"a\.html is not the file"):
        check_signed_files(envelope, read_policy(root))


def test_a_log_with_a_file_that_cannot_be_read(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sealed/2024-03-05T00/one"
    folder.mkdir(parents=True)
    (folder / "x.parquet").write_bytes(b"nothing")
    assert count_predictions(tmp_path) == ({}, ["sealed/2024-03-05T00/one/x.parquet"])
