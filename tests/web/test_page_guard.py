"""Who may ask, by which name, and how; what every answer forbids a browser."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from furrow.errors import UsageError
from furrow.serving.access import Tokens, add_token
from furrow.serving.problem_details import TITLES, Problem
from furrow.web.page_app import STATIC, build
from furrow.web.page_guard import POLICY, Guard
from furrow.web.page_server import PageSettings
from furrow.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_reading(ask: Callable[..., httpx.Response], method: str) -> None:
    answer = ask("/runs", method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "here.evil.example"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, 200),
        ({"host": "here:1", "origin": "http://here:1"}, 200),
    ],
)
def test_hosts_and_origins(
    ask: Callable[..., httpx.Response], headers: dict[str, str], code: int
) -> None:
    """No name that points here by a trick (DNS rebinding), and no other site's page."""
    assert ask("/runs.json", **headers).status_code == code


@pytest.mark.parametrize(
    "path",
    ["/", "/runs.json", "/runs.csv", "/nowhere", "/run?run=nope", *(f"/{name}" for name in STATIC)],
)
def test_every_answer_has_the_policy(ask: Callable[..., httpx.Response], path: str) -> None:
    headers = ask(path).headers
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/style.css",
        "/.git/config",
        "/runs/../.git/config",
        "/style.css/../x",
    ],
)
def test_no_path_leads_out(ask: Callable[..., httpx.Response], path: str) -> None:
    answer = ask(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_a_token_is_asked_for(judged: Path, tmp_path: Path) -> None:
    """By header, by cookie, or once in an address, which is then asked for again without it."""
    secret = add_token(tmp_path / "tokens", "eva", ["read"])
    other = add_token(tmp_path / "tokens", "bob", ["predict"])
    app = build(Site(judged), None, Tokens(tmp_path / "tokens"))
    assert isinstance(app, Guard)

    async def asked() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            assert (await client.get("/runs")).status_code == 401
            assert (
                await client.get("/runs", headers={"authorization": f"Bearer {other}"})
            ).status_code == 403
            assert (
                await client.get("/runs.csv", headers={"authorization": f"Bearer {secret}"})
            ).status_code == 200
            moved = await client.get(f"/runs?sort=name&token={secret}")
            assert moved.status_code == 303
            assert moved.headers["location"] == "./runs?sort=name"
            assert "HttpOnly" in moved.headers["set-cookie"]
            assert "SameSite=Strict" in moved.headers["set-cookie"]
            assert (await client.get("/runs.csv")).status_code == 200
            assert (await client.get("/runs.csv?token=wrong")).status_code == 401

    asyncio.run(asked())


def test_nobody_from_elsewhere_without_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="others could read"):
        PageSettings("0.0.0.0").check()
    PageSettings("0.0.0.0", tokens=tmp_path / "tokens").check()
    assert PageSettings().names == PageSettings(hosts=frozenset()).names
    assert PageSettings("0.0.0.0", tokens=tmp_path).names is None
    assert "a" in (PageSettings("0.0.0.0", frozenset({"a"}), tmp_path).names or ())


def test_a_problem_has_a_title_and_nothing_of_the_servers() -> None:
    found = Problem(403, "host", "no", hint="--allow-host NAME")
    assert found.body()["title"] == TITLES[403]
    assert found.body()["hint"] == "--allow-host NAME"
