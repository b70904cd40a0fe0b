"""The queue: bounded, in order, and nothing is computed whose time is over."""

import asyncio
import time

import pytest

from furrow.serving.admission import Admission
from furrow.serving.http_problem import Problem
from furrow.serving.serve_settings import Limits
from tests.serving.asking import application, asked
from tests.servingworld import ROW


def later(seconds: float = 60.0) -> float:
    return time.monotonic() + seconds


def test_who_is_too_much_is_refused_at_once():
    """Of ten that come together one is computed, three wait, six are refused before anything is computed."""
    done = []

    async def ask(admission, name):
        async with admission.turn(later()):
            done.append(name)

    async def run():
        admission = Admission(slots=1, most=3)
        return await asyncio.gather(
            *[ask(admission, name) for name in range(10)], return_exceptions=True
        )

    found = asyncio.run(run())
    assert done == [0, 1, 2, 3]
    refused = [one for one in found if one is not None]
    assert [one.status for one in refused] == [503] * 6
    assert all(one.retry_after >= 1 for one in refused)


def test_what_is_late_is_not_computed():
    """Whose time passes while it waits gets no turn; who comes after it does."""
    done = []

    async def ask(admission, name, seconds):
        async with admission.turn(later(seconds)):
            done.append(name)
            if name == "first":
                await asyncio.sleep(0.05)

    async def run():
        admission = Admission(slots=1)
        asked = [
            ask(admission, "first", 60),
            ask(admission, "late", 0.01),
            ask(admission, "next", 60),
        ]
        found = await asyncio.gather(*asked, return_exceptions=True)
        return found, admission

    found, admission = asyncio.run(run())
    assert done == ["first", "next"]
    assert found[1].status == 504
    assert admission.waiting == 0


def test_who_goes_away_leaves_the_slot():
    """A request that is cancelled, waiting or running, holds up nobody."""

    async def hold(admission):
        async with admission.turn(later()):
            await asyncio.sleep(60)

    async def run():
        admission = Admission(slots=1)
        running, waiting = (asyncio.create_task(hold(admission)) for _ in range(2))
        await asyncio.sleep(0.01)
        waiting.cancel()
        running.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
        async with asyncio.timeout(1), admission.turn(later()):
            return admission.waiting

    assert asyncio.run(run()) == 0


def test_it_sheds_before_waiting_is_in_vain():
    """When computations have become long, who would wait beyond its deadline or the bound is refused on coming."""

    async def hold(admission, seconds):
        async with admission.turn(later()):
            await asyncio.sleep(seconds)

    async def run():
        admission = Admission(slots=1, longest=0.5)
        await hold(admission, 0.3)  # the mean is now a tenth of that
        task = asyncio.create_task(hold(admission, 0.05))
        await asyncio.sleep(0.01)
        with pytest.raises(Problem, match="in the time that it has"):
            await admission.take(later(0.005))
        admission._mean = 2.0
        with pytest.raises(Problem, match="wait too long already"):
            await admission.take(later())
        await task
        async with admission.turn(later()):  # a free slot is taken, however long the last ones were
            return True

    assert asyncio.run(run())


def test_a_full_server_answers_what_it_takes_on(serving_world):
    """Of many at once each is answered right or refused with 503 and Retry-After; none waits for nothing."""
    limits = Limits(waiting=5)
    with asked(application(serving_world, limits=limits)) as server:
        expected = server.predict(ROW).json()["predictions"][0]["probability"]
        found = server.together(
            [("POST", "/predict", {"json": {"rows": [ROW]}}) for _ in range(30)]
        )
        good = [one for one in found if one.status_code == 200]
        assert len(good) >= 6
        assert {one.json()["predictions"][0]["probability"] for one in good} == {expected}
        refused = [one for one in found if one.status_code != 200]
        assert refused
        assert all(
            one.status_code == 503 and int(one.headers["retry-after"]) >= 1 for one in refused
        )
        assert 'kind="overload"' in server("GET", "/metrics").text
        assert server.predict(ROW).status_code == 200


def test_a_full_server_refuses_before_it_reads(serving_world):
    """A request that has no chance is refused at its head: its body is never asked for."""
    body = b'{"rows": []}'
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "query_string": b"",
        "headers": [
            (b"host", b"127.0.0.1:8080"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ],
    }
    read, told = [], []

    async def receive():
        read.append(body)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        told.append(message)

    with asked(application(serving_world, limits=Limits(waiting=0))) as server:
        server.predict(ROW)  # the model is loaded

        async def flood():
            async with server.app.scoring._short.turn(later()):
                await server.app(scope, receive, send)

        server.loop.run_until_complete(flood())
        assert told[0]["status"] == 503
        assert not read
        server.loop.run_until_complete(server.app(scope, receive, send))
    assert told[2]["status"] == 422
    assert read


def test_an_expired_request_is_not_computed(serving_world, monkeypatch):
    """Its time over before its turn: 504, and the model was not asked."""
    app = application(serving_world)
    with asked(app) as server:
        scorer, asked_for = app.host.current("binary").scorer, []
        score = scorer.score
        monkeypatch.setattr(
            scorer, "score", lambda rows, *, at=None: asked_for.append(rows) or score(rows, at=at)
        )
        answer = server.predict(ROW, headers={"x-request-timeout": "0.000000001"})
        assert answer.status_code == 504
        assert answer.json()["type"] == "urn:furrow:problem:expired"
        assert asked_for == []
        assert server.predict(ROW).status_code == 200
        assert len(asked_for) == 1
