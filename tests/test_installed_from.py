"""More of Furrow is installed from where it came from: a package index may have another project of its name."""

from __future__ import annotations

import json
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import pytest

from furrow.installed_from import install_command


@pytest.mark.parametrize(
    ("told", "command"),
    [
        ({"url": "file:///a%20b/furrow", "dir_info": {}}, "pip install '/a b/furrow[redis]'"),
        (
            {"url": "file:///furrow", "dir_info": {"editable": True}},
            "pip install --editable '/furrow[redis]'",
        ),
        (
            {"url": "https://host/furrow", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "pip install 'furrow[redis] @ git+https://host/furrow@abc'",
        ),
        (
            {"url": "file:///x/furrow.whl", "archive_info": {}},
            "pip install 'furrow[redis] @ file:///x/furrow.whl'",
        ),
        ({}, "pip install 'furrow[redis] @ WHERE-FURROW-IS-FROM'"),
        (None, "pip install 'furrow[redis] @ WHERE-FURROW-IS-FROM'"),
        ("nonsense", "pip install 'furrow[redis] @ WHERE-FURROW-IS-FROM'"),
    ],
)
def test_the_command(told: Any, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a folder, an editable one, a repository, a wheel; where nothing is recorded, or nonsense."""
    text = None if told is None else json.dumps(told)
    found = SimpleNamespace(read_text=lambda _name: text)
    monkeypatch.setattr(metadata, "distribution", lambda _name: found)
    assert install_command("redis") == command
