"""Clients that dawdle, come in crowds, or speak TLS: the real protocol on a real socket, in a thread of this process."""

import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from furrow.serving.serve_settings import Limits, Served, ServedModel, ServeSettings
from furrow.serving.server import AppFactory, GuardedProtocol, listen
from furrow.serving.serving_client import ServingClient
from tests.servingworld import ROW


@contextmanager
def served(world, limits, **tls):
    """A server on a free port, by its number."""
    model = ServedModel("binary", world.bundle("binary"), "binary@v1.0.0")
    factory = AppFactory(Served((model,), world.features), ServeSettings(limits=limits))
    config = uvicorn.Config(factory, factory=True, http=GuardedProtocol, ws="none", lifespan="on", log_level="error",
                            access_log=False, timeout_graceful_shutdown=5, **tls)  # fmt: skip
    taken, server = listen("127.0.0.1", 0), uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([taken],))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield taken.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)
        taken.close()


@pytest.fixture(scope="module")
def port(serving_world):
    with served(serving_world, Limits(receive=0.5, connections=8)) as found:
        yield found


def until_closed(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    content = b""
    try:
        while part := connection.recv(65536):
            content += part
    except ConnectionResetError:
        pass
    return content


def predict(port: int) -> int:
    return httpx.post(
        f"http://127.0.0.1:{port}/predict", json={"rows": [ROW]}, timeout=30
    ).status_code


HEAD = b"POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 40\r\n"


@pytest.mark.parametrize(
    ("begun", "told"),
    [(b"", b""), (HEAD, b""), (HEAD + b"\r\n", b" 408 "), (HEAD + b'\r\n{"rows": [', b" 408 ")],
    ids=["nothing", "half a head", "no body", "half a body"],
)
def test_who_dawdles_is_sent_away(port, begun, told):
    """After its time a connection is closed, with a word where a request was whole enough for one."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(begun)
        answer = until_closed(slow)
    assert told in answer.partition(b"\r\n")[0]
    assert bool(told) == bool(answer)
    assert predict(port) == 200


def test_a_crowd_of_connections_is_bounded(port):
    """Beyond the bound a connection is closed at once; when the others have gone, there is room."""
    held = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(30)]
    assert sum(until_closed(one) == b"" for one in held) == 30
    for one in held:
        one.close()
    assert predict(port) == 200


def test_tls(serving_world, tmp_path):
    """With a certificate the server speaks TLS, and the client believes whom it is told to."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    with served(serving_world, Limits(), ssl_certfile=certificate, ssl_keyfile=key) as port:
        believed = ssl.create_default_context(cafile=str(certificate))
        with ServingClient(f"https://127.0.0.1:{port}", context=believed, timeout=30) as client:
            assert 0 < client.predict([ROW])[0]["probability"] < 1
        assert not ServingClient(f"https://127.0.0.1:{port}").ready()
