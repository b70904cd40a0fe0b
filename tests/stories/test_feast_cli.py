"""Feast's own command line works on this repository's features: apply, list, and the web UI."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from furrow.features.manifest import load

ROOT = Path(__file__).resolve().parents[2]
FEAST = str(Path(sys.executable).with_name("feast"))

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the features folder with `feast apply` done, so that the checkout stays as it is."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(
        ROOT / "features", folder / "features", ignore=shutil.ignore_patterns("__pycache__")
    )
    before = contents(folder / "features")
    done = feast(folder, "apply")
    assert "Deploying infrastructure for weather_origin" in done
    assert contents(folder / "features") == before
    assert (folder / "build" / "registry.db").is_file()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def feast(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [FEAST, "-c", "features", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_feast_lists_the_views_of_the_manifest(applied: Path) -> None:
    """The registry that `feast apply` fills and the manifest name the same views and keys."""
    manifest = load(ROOT / "features")
    lines = [line.split() for line in feast(applied, "feature-views", "list").splitlines()[1:]]
    listed = {line[0] for line in lines}
    assert listed == manifest.views.keys() | manifest.on_demand.keys()
    for line in lines:
        for key in manifest.views[line[0]].join_keys if line[0] in manifest.views else ():
            assert key.name in " ".join(line)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run `feast ui` on a free port of 127.0.0.1, and stop it by its pid."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "ui.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [FEAST, "-c", "features", "ui", "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=os.environ,
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 300
        while True:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=300)


def fetch(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert answer.status == 200
        return json.load(answer)


@pytest.mark.long
def test_feast_s_web_ui_shows_the_project(applied: Path) -> None:
    """The page is served, and so are the project, its views with their owners, its services and its lineage."""
    manifest = load(ROOT / "features")
    with served(applied) as address:
        with urllib.request.urlopen(f"{address}/p/{manifest.project}", timeout=30) as page:
            assert page.status == 200
            assert b'<div id="root">' in page.read()
        assert [each["id"] for each in fetch(f"{address}/projects-list.json")["projects"]] == [
            manifest.project
        ]
        project = f"project={manifest.project}"
        specs = [
            v["spec"]
            for v in fetch(f"{address}/api/v1/feature_views?{project}&limit=100")["featureViews"]
        ]
        owners = {spec["name"]: spec.get("owner", "") for spec in specs}
        assert {name: owners[name] for name in manifest.views} == {
            n: v.owner for n, v in manifest.views.items()
        }
        services = fetch(f"{address}/api/v1/feature_services?{project}")["featureServices"]
        assert {each["spec"]["name"] for each in services} == set(manifest.services)
        assert fetch(f"{address}/api/v1/lineage/registry?{project}")["relationships"]
