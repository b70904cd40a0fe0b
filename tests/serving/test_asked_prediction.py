"""The page's form for a prediction: made from a real server's signature, asked of that server alone, and only when asked for."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from furrow.cli.main import run as furrow
from furrow.serving.canary_watch import Tally, decide
from furrow.serving.deployment_spec import read_deployment
from furrow.serving.deployment_state import read_followed
from furrow.serving.serve_settings import Limits
from furrow.web.asked import Asked
from furrow.web.asked_prediction import asked_prediction, typed
from furrow.web.content import Drawing, Facts, Form, Note
from furrow.web.models_page import models
from furrow.web.prediction_page import prediction
from furrow.web.release_evidence import canary_evidence, traffic
from furrow.web.site import Site
from tests.servingworld import ROW
from tests.web.conftest import asking, commit, made

from .test_slow_clients import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servingworld import ServingWorld


@pytest.fixture(scope="module")
def address(serving_world: ServingWorld) -> Iterator[str]:
    """A server of one model, on a port of its own."""
    with served(serving_world, Limits()) as port:
        yield f"http://127.0.0.1:{port}"


def asked(**said: str) -> Asked:
    return Asked({name.replace("__", "."): (text,) for name, text in said.items()})


def blocks(site: Site, state: Asked) -> dict[type, Any]:
    """The last block of each kind."""
    return {type(one): one for part in asked_prediction(site, state) for one in part.blocks}


def test_the_form_is_the_signature(tmp_path: Path, address: str) -> None:
    """A field for each field of a row, those first that are needed; nothing is asked yet."""
    site = Site(tmp_path, server=address)
    found = blocks(site, asked())
    names = [one.name for one in found[Form].fields]
    assert {f"f.{name}" for name in ROW} <= set(names)
    assert Facts not in found
    assert next(one for one in found[Form].fields if one.name == "f.shop").hint.startswith(
        "such as "
    )
    assert asked_prediction(Site(tmp_path), asked(ask="1")) == [], "no server was named"


def test_an_answer_with_what_moved_it(tmp_path: Path, address: str) -> None:
    """Typed as the signature says; the answer leads to its own trace; each column's move is drawn and told."""
    site = Site(tmp_path, server=address)
    found = blocks(site, asked(ask="1", f__shop="north", f__amount="12.5", f__weekday="3"))
    told = dict(found[Facts].pairs)
    assert 0 <= told["probability"] <= 1
    assert told["version"] == "binary@v1.0.0"
    assert told["id"].state == {"id": told["id"].text}
    drawing = found[Drawing]
    assert "<svg" in drawing.svg
    assert {row[0] for row in drawing.table.rows} >= {"visits", "spent_mean"}
    kept = {one.name: one.value for one in found[Form].fields}
    assert kept["f.shop"] == "north"


def test_what_does_not_fit_is_said_beside_the_form(tmp_path: Path, address: str) -> None:
    """The server's own words, with what was typed still there; a server that is gone is no bug."""
    found = blocks(
        Site(tmp_path, server=address), asked(ask="1", f__shop="north", f__amount="much")
    )
    assert "amount" in found[Note].text
    assert Form in found
    gone = blocks(Site(tmp_path, server="http://127.0.0.1:9"), asked())
    assert gone[Note].kind == "bad"


def test_no_other_site_has_it_ask(
    tmp_path: Path,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A link from elsewhere that would have the server asked is refused; one that only shows the form is not."""
    folder = made(tmp_path / "repository")
    commit(folder, {"a.txt": "a"})
    monkeypatch.chdir(folder)
    ask = asking(folder)
    foreign = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert ask("/prediction", **foreign).status_code == 200
    for query in ("ask=1", "x=1&%61sk=1", "ask"):
        assert ask(f"/prediction?{query}", **foreign).status_code == 403
    assert ask("/prediction?ask=1", **{"sec-fetch-site": "same-origin"}).status_code == 200
    assert furrow(["ui", "--ask", "file:///etc/passwd", "--port", "0"]) == 1
    assert furrow(["ui", "--ask-token", "absent", "--port", "0"]) == 2
    assert "is not an address" in capsys.readouterr().err
    page = prediction(Site(folder, server=address), asked())
    assert any(part.title == f"Ask {address}" for part in page.sections)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("", "string", None), ("1", "integer", 1), ("x", "integer", "x"), ("1.5", "number", 1.5), ("nan", "number", "nan"),
     ("true", "boolean", True), ("no", ["boolean", "null"], False), ("1", "string", "1"), ("1" * 5000, "integer", "1" * 5000)],
)  # fmt: skip
def test_what_was_typed(text: str, kind: Any, value: Any) -> None:
    assert typed(text, {"type": kind}) == value


def test_a_canary_is_told_with_how_near_a_decision_is(served_canary: Site) -> None:
    """Counts of both versions by signal, and the evidence of each e-process beside what it takes to decide."""
    found = canary_evidence(served_canary, served_canary.commit(""), "production")
    [drawing] = [one for one in found if isinstance(one, Drawing)]
    assert drawing.table is not None
    rows = {row[0]: row for row in drawing.table.rows}
    assert rows["errors"][1:5] == (500, 5, 480, 6)
    assert rows["errors"][6] > 0
    assert "<rect" in drawing.svg
    assert canary_evidence(served_canary, served_canary.commit(""), "staging") == []
    assert traffic(served_canary, "production") == []
    assert "canary-evidence-production" in models(served_canary, Asked()).tables()


@pytest.fixture
def served_canary(first: Any, tmp_path: Path) -> Site:
    """A repository whose server has a canary that answered some hundred requests."""
    repo, settings, _ = first
    root = repo.copied(tmp_path).work
    state = root / ".furrow/serving/production"
    shutil.copytree(settings.state, state, symlinks=True)
    digest, declared = read_followed(state).canary_digest, read_deployment(root, "production")
    assert declared is not None
    assert declared.canary is not None
    tally = Tally(state, "worker", digest)
    for variant, good, bad in (("main", 495, 5), ("canary", 474, 6)):
        tally.add(variant, count=good)
        tally.add(variant, count=bad, error=True)
    tally.write()
    assert decide(state, declared.canary, digest) is not None
    return Site(root)
