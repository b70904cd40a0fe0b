"""What of this environment reaches an address that a manifest names: what an operator meant for it, and no more."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from furrow.features.client import FeatureClient
from furrow.features.json_reader import ManifestError
from furrow.features.manifest import load, seal
from furrow.features.open_store import open_reader, open_store
from furrow.features.schema import Manifest, OnlineStore

SAMPLE = Path(__file__).parent / "samples/manifest_1.json"
URL = "redis://u:${%s}@127.0.0.1:1/0"


def manifest(name: str) -> Manifest:
    return seal(replace(load(SAMPLE), online_store=OnlineStore("redis", {"url": URL % name})))


@pytest.mark.attack
@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "HOME", "FURROW_ONLINE", "furrow_online_x", "XFURROW_ONLINE_X", "FURROW_TRUST", "",
             "oc.env:HOME", "FURROW_ONLINE_A:-$HOME"]
)  # fmt: skip
def test_other_variables_are_refused(monkeypatch, tmp_path, name):
    """Whatever the environment holds under another name is not read, and nothing is connected to."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    for opener in (open_reader, open_store):
        with pytest.raises(ManifestError, match=r"not meant for it|is not set") as caught:
            opener(manifest(name), tmp_path)
        assert "hunter2" not in str(caught.value)


def test_the_operators_variables_are_filled_in(monkeypatch, tmp_path):
    """Those that begin with FURROW_ONLINE_; one that is missing is named."""
    with pytest.raises(ManifestError, match="FURROW_ONLINE_PASSWORD is not set"):
        open_store(manifest("FURROW_ONLINE_PASSWORD"), tmp_path)
    monkeypatch.setenv("FURROW_ONLINE_PASSWORD", "known")
    with open_store(manifest("FURROW_ONLINE_PASSWORD"), tmp_path) as store:
        assert store.layout == "furrow"


@pytest.fixture
def served() -> Iterator[str]:
    """A manifest at a URL that asks for an operator's variable."""
    content = json.dumps(manifest("FURROW_ONLINE_PASSWORD").to_json()).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/manifest.json"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.attack
def test_nothing_is_filled_in_for_a_manifest_from_elsewhere(monkeypatch, tmp_path, served):
    """Neither from a URL nor for another folder than its own."""
    monkeypatch.setenv("FURROW_ONLINE_PASSWORD", "hunter2")
    with pytest.raises(ManifestError, match="from elsewhere"):
        FeatureClient.open(served, folder=tmp_path)
    (tmp_path / "features").mkdir()
    path = tmp_path / "features/manifest.json"
    path.write_text(json.dumps(manifest("FURROW_ONLINE_PASSWORD").to_json()))
    with pytest.raises(ManifestError, match="from elsewhere"):
        FeatureClient.open(path, folder=tmp_path)
    FeatureClient.open(path, folder=tmp_path / "features").close()


@pytest.mark.attack
def test_a_clone_waits_for_trust(monkeypatch, repo, git):
    """The manifest of a clone that nobody trusts names the address: no variable is sent there before `furrow trust`."""
    monkeypatch.setenv("FURROW_ONLINE_PASSWORD", "known")
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    git(repo, "remote", "add", "origin", "https://example.invalid/x.git")
    for opener in (open_reader, open_store):
        with pytest.raises(ManifestError, match="from elsewhere") as caught:
            opener(
                manifest("FURROW_ONLINE_PASSWORD"), repo / "features"
            )  # a folder that need not be there
        assert "furrow trust" in caught.value.hint
    monkeypatch.setenv("FURROW_TRUST", "1")
    open_store(manifest("FURROW_ONLINE_PASSWORD"), repo / "features").close()
