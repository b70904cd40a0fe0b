"""Tokens: hashed, scoped, rated, changed without a restart; a broken file locks nobody out and lets nobody in."""

import json

import pytest

from furrow.errors import FurrowError
from furrow.serving import access
from furrow.serving.access import AccessError, Tokens, add_token, read_tokens
from furrow.serving.http_problem import Problem
from tests.serving.asking import application, asked
from tests.servingworld import ROW


@pytest.fixture
def at_once(monkeypatch):
    """A change of the file is seen by the next request."""
    monkeypatch.setattr(access, "LOOK_EVERY", 0.0)


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_scopes(serving_world, tmp_path, at_once):
    """Who may predict may not read, and the other way round; without a token there is health alone."""
    path = tmp_path / "tokens.json"
    asker, reader = add_token(path, "asker", ["predict"]), add_token(path, "reader", ["read"])
    with asked(application(serving_world, tokens=path)) as server:
        assert server.predict(ROW, headers=bearer(asker)).status_code == 200
        assert server("GET", "/metrics", headers=bearer(reader)).status_code == 200
        for answer in (
            server.predict(ROW, headers=bearer(reader)),
            server("GET", "/", headers=bearer(asker)),
        ):
            assert answer.status_code == 403
            assert "lacks the scope" in answer.json()["detail"]
        for headers in (
            {},
            bearer("guess"),
            bearer(""),
            {"authorization": asker},
            {"authorization": f"Basic {asker}"},
        ):
            answer = server.predict(ROW, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for path_ in ("/healthz", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready"):
            assert server("GET", path_).status_code == 200
        document = server("GET", "/openapi.json", headers=bearer(reader)).json()
        assert document["security"] == [{"token": []}]


def test_rotation(serving_world, tmp_path, at_once):
    """A new token holds, and an old one no more, without a restart; a broken file changes nothing."""
    path = tmp_path / "tokens.json"
    first = add_token(path, "first", ["predict"])
    with asked(application(serving_world, tokens=path)) as server:
        second = add_token(path, "second", ["predict"])
        assert server.predict(ROW, headers=bearer(second)).status_code == 200
        third = add_token(path, "first", ["predict"])
        assert server.predict(ROW, headers=bearer(first)).status_code == 401
        assert server.predict(ROW, headers=bearer(third)).status_code == 200
        for broken in ("{", '{"format": 9}'):
            path.write_text(broken)
            assert server.predict(ROW, headers=bearer(third)).status_code == 200
            assert server.predict(ROW, headers=bearer("other")).status_code == 401
            assert server.app.tokens.fault
        path.unlink()
        assert server.predict(ROW, headers=bearer(third)).status_code == 200


def test_the_file_holds_no_secret(tmp_path):
    path = tmp_path / "tokens.json"
    secret = add_token(path, "one", ["predict", "read"], rate=5)
    assert secret not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text())["tokens"]["one"]["scopes"] == ["predict", "read"]


@pytest.mark.parametrize(
    "entry",
    [
        {"sha256": "0" * 63, "scopes": ["predict"]},
        {"sha256": "0" * 64, "scopes": ["all"]},
        {"sha256": "0" * 64, "scopes": "predict"},
        {"sha256": "0" * 64, "scopes": ["predict"], "rate": True},
        {"sha256": "0" * 64, "scopes": ["predict"], "rate": -1},
        "text",
    ],
)
def test_a_malformed_token_is_refused(tmp_path, entry):
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({"format": 1, "tokens": {"one": entry}}))
    with pytest.raises(FurrowError, match="'one' is malformed"):
        read_tokens(path)


def test_a_file_that_others_may_write_is_refused(tmp_path):
    path = tmp_path / "tokens.json"
    add_token(path, "one", ["predict"])
    path.chmod(0o622)
    with pytest.raises(FurrowError, match="others may write"):
        Tokens(path)
    with pytest.raises(FurrowError, match="not a name"):
        add_token(tmp_path / "t", "a b", ["predict"])
    with pytest.raises(FurrowError, match="not a scope"):
        add_token(tmp_path / "t", "a", ["root"])
    with pytest.raises(FurrowError, match="cannot read the tokens"):
        Tokens(tmp_path / "nothing")


def test_a_rate(tmp_path, monkeypatch):
    """So many a second, told when to come back; tokens don't share it."""
    path = tmp_path / "tokens.json"
    slow, other = (
        add_token(path, "slow", ["predict"], rate=2),
        add_token(path, "other", ["predict"]),
    )
    clock = [100.0]
    monkeypatch.setattr(access.time, "monotonic", lambda: clock[0])
    tokens = Tokens(path)

    def ask(secret):
        return tokens.check(f"Bearer {secret}".encode(), "predict")

    ask(slow), ask(slow)
    with pytest.raises(Problem) as refused:
        ask(slow)
    assert (refused.value.status, refused.value.retry_after) == (429, pytest.approx(0.5))
    assert dict(refused.value.headers())[b"retry-after"] == b"1"
    ask(other)
    clock[0] += 0.5
    ask(slow)
    with pytest.raises(Problem):
        ask(slow)


def test_a_file_of_tokens_in_a_work_tree_is_refused(tmp_path):
    """A commit could take it along: neither is one made there, nor one used."""
    outside = tmp_path / "tokens"
    add_token(outside, "ada", ["predict"])
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / "conf").mkdir()
    inside = project / "conf/tokens"
    with pytest.raises(AccessError, match="would lie in the Git work tree"):
        add_token(inside, "ada", ["predict"])
    inside.write_bytes(outside.read_bytes())
    inside.chmod(0o600)
    with pytest.raises(AccessError, match="would lie in the Git work tree"):
        Tokens(inside)
