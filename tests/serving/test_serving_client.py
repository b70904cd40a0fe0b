"""The client: a time for each call, typed errors, and no retry that could compute a row twice."""

import asyncio
import json
import socket
import threading
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from furrow.errors import FurrowError
from furrow.serving import serving_client
from furrow.serving.serving_client import (
    AsyncServingClient,
    PredictionRefusedError,
    ServerBusyError,
    ServerGoneError,
    ServingClient,
)


class Script(BaseHTTPRequestHandler):
    """Answers as the test says: (status, headers, body), or None to close the connection."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list] = []
    asked: ClassVar[list] = []

    def do_POST(self):
        content = self.rfile.read(int(self.headers["content-length"]))
        self.asked.append((self.path, dict(self.headers), json.loads(content)))
        answer = self.answers.pop(0)
        if answer is None:
            self.close_connection = True
            self.connection.close()
            return
        status, headers, body = answer
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    Script.answers, Script.asked = [], []
    monkeypatch.setattr(serving_client, "FIRST_WAIT", 0.001)
    found = ThreadingHTTPServer(("127.0.0.1", 0), Script)
    found.daemon_threads = True
    thread = threading.Thread(target=found.serve_forever, args=(0.01,))
    thread.start()
    with closing(
        ServingClient(f"http://127.0.0.1:{found.server_port}", token="secret", timeout=10)
    ) as client:
        yield client
    found.shutdown()
    thread.join()
    found.server_close()


GOOD = (200, {}, {"predictions": [{"probability": 0.5}]})
FULL = (
    503,
    {"retry-after": "0"},
    {"type": "urn:furrow:problem:overload", "detail": "the server is full"},
)


def test_a_prediction(server):
    """What is sent: rows, the token, the time that is left."""
    Script.answers = [GOOD]
    at = datetime(2024, 5, 1, tzinfo=UTC)
    assert server.predict([{"shop": "a", "at": at}], model="a b", explain=True) == [
        {"probability": 0.5}
    ]
    path, headers, body = Script.asked[0]
    assert path == "/models/a%20b/predict?explain=1"
    assert headers["authorization"] == "Bearer secret"
    assert 0 < float(headers["x-request-timeout"]) <= 10
    assert body == {"rows": [{"shop": "a", "at": "2024-05-01T00:00:00+00:00"}]}


def test_a_full_server_is_asked_again(server):
    Script.answers = [FULL, FULL, GOOD]
    assert server.predict([{}]) == [{"probability": 0.5}]
    Script.answers = [FULL] * 4
    with pytest.raises(ServerBusyError, match="the server is full"):
        server.predict([{}])
    Script.answers = [(429, {"retry-after": "60"}, {"detail": "too often"}), GOOD]
    with pytest.raises(ServerBusyError, match="too often"):
        server.predict([{}])
    assert len(Script.answers) == 1, "60 seconds are more than the call has: it is not asked again"


def test_what_may_have_been_computed_is_not_asked_again(server):
    """The connection breaks after the request was sent: once is enough."""
    Script.answers = [None, GOOD]
    with pytest.raises(ServerGoneError) as gone:
        server.predict([{}])
    assert gone.value.computed
    assert len(Script.asked) == 1
    assert server.predict([{}]) == [{"probability": 0.5}]


def test_a_refusal_names_row_and_field(server):
    problem = {
        "type": "urn:furrow:problem:row",
        "detail": "row 3 lacks shop",
        "row": 3,
        "field": "shop",
        "hint": "x",
    }
    Script.answers = [(422, {}, problem)]
    with pytest.raises(PredictionRefusedError, match="row 3 lacks shop") as refused:
        server.predict([{}])
    found = refused.value
    assert (found.status, found.kind, found.row, found.field) == (422, "row", 3, "shop")
    assert len(Script.asked) == 1


def test_nobody_there():
    """A port that nobody listens on: tried again within the time, then said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = ServingClient(address, timeout=0.2)
    with pytest.raises(ServerGoneError, match="can't be reached") as gone:
        client.predict([{}])
    assert not gone.value.computed
    assert not client.ready(timeout=0.1)
    with pytest.raises(FurrowError, match="is not an address"):
        ServingClient("127.0.0.1:8080")


def test_a_server_that_hangs():
    """The time of a call is its time, whatever the server does."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with closing(ServingClient(f"http://127.0.0.1:{deaf.getsockname()[1]}")) as client:
            with pytest.raises(ServerGoneError, match="did not answer in time"):
                client.predict([{}], timeout=0.1)


def test_asynchronous_code(server):
    Script.answers = [GOOD, GOOD]
    client = AsyncServingClient(server.address)

    async def both():
        found = await asyncio.gather(client.predict([{}]), client.predict([{}]))
        await client.close()
        return found

    assert asyncio.run(both()) == [[{"probability": 0.5}]] * 2
    assert len(Script.asked) == 2


def test_values_that_json_has_not(server):
    with pytest.raises(TypeError):
        server.predict([{"a": object()}])
    with pytest.raises(ValueError, match="not JSON"):
        server.predict([{"a": float("nan")}])
    assert Script.asked == []
