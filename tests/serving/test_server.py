"""The real server: processes on a port, killed, drained, held up; each test stops what it started by its pid."""

import json
import os
import signal
import socket
import time

import httpx
import pytest

from furrow.errors import FurrowError
from furrow.serving.log_lines import JsonLines
from furrow.serving.log_reader import read_records
from furrow.serving.serve_settings import ServedModel
from furrow.serving.serve_worker import host_of
from furrow.serving.served_models import ServingError, resolve
from furrow.serving.server import listen
from tests.serving.running import Running
from tests.servingworld import ROW


@pytest.fixture(scope="module")
def server(serving_world, tmp_path_factory):
    """One server with two workers for all tests here; the last one ends it."""
    running = Running(serving_world, tmp_path_factory.mktemp("served"), "--workers", "2")
    yield running
    running.stop()


def predict(server, **options):
    return httpx.post(f"{server.address}/predict", json={"rows": [ROW]}, timeout=30, **options)


def raw(server, content: bytes, seconds: float = 5.0) -> bytes:
    """What comes back of bytes that no client would send."""
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as found:
        found.sendall(content)
        answer = b""
        while part := found.recv(65536):
            answer += part
            if b"\r\n\r\n" in answer:
                break
        return answer


def test_it_answers_and_logs(server):
    told = predict(server)
    assert told.status_code == 200, told.text
    identity = told.json()["predictions"][0]["id"]
    assert identity in {one.id for one in read_records(server.log)}


def test_what_no_client_sends(server):
    """Half a body, a head that is none, a lie about the length: answered or closed, and the next request is served."""
    head = b"POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as half:
        half.sendall(head + b'content-length: 100\r\n\r\n{"rows": [')
    assert b" 400 " in raw(server, b"NONSENSE\r\n\r\n").partition(b"\r\n")[0]
    assert (
        b" 413 " in raw(server, head + b"content-length: 99999999999\r\n\r\n").partition(b"\r\n")[0]
    )
    assert b" 400 " in raw(server, head + b"content-length: -1\r\n\r\n").partition(b"\r\n")[0]
    assert b" 403 " in raw(server, b"GET / HTTP/1.1\r\nhost: evil\r\n\r\n").partition(b"\r\n")[0]
    for _ in range(200):
        socket.create_connection((host, int(port)), timeout=5).close()
    assert predict(server).status_code == 200


def test_its_log_is_json(server):
    """Each line on standard error is an object; what it says to people goes to standard output."""
    lines = [json.loads(line) for line in server.errors.read_text().splitlines()]
    assert {"time", "level", "process", "message"} <= set(lines[0])
    assert JsonLines  # the formatter that wrote them


def test_a_taken_port_is_told(server):
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(FurrowError, match="cannot listen on"):
        listen("127.0.0.1", port)


def test_what_is_to_be_served(serving_world, tmp_path, git):
    """Folders under their bundles' names; what is none is said to be none."""
    git(tmp_path, "init", "-q")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    one = resolve(
        tmp_path, [str(serving_world.bundle("binary")), str(serving_world.bundle("forecast"))]
    )
    assert [found.name for found in one] == ["binary", "forecast"]
    assert one[0].version.startswith("sha256:")
    host, client = host_of(one, serving_world.features)
    assert host.current("forecast").scorer.score([{"shop": "north", "amount": 1.0, "horizon": 1}])
    client.close()
    with pytest.raises(ServingError, match="two models are called binary"):
        resolve(tmp_path, [str(serving_world.bundle("binary"))] * 2)
    with pytest.raises(ServingError, match="holds no bundle"):
        resolve(tmp_path, [str(tmp_path)])
    with pytest.raises(FurrowError):
        resolve(tmp_path, ["production"])
    with pytest.raises(FurrowError):
        resolve(tmp_path, ["late@v1.0.0"])
    assert ServedModel("a", tmp_path, "v").commit == ""


def test_a_worker_dies_and_the_server_drains(server):
    """kill -9 of one of two workers is survived, and SIGTERM ends all with everything logged. The last test of the file."""
    told = [predict(server).json()["predictions"][0]["id"] for _ in range(20)]
    first, *_ = server.workers()
    assert len(server.workers()) == 2
    os.kill(first, signal.SIGKILL)
    lost = 0
    for _ in range(40):
        try:
            told.append(predict(server).json()["predictions"][0]["id"])
        except httpx.TransportError:
            lost += 1
    assert lost <= 1
    for _ in range(1800):
        if len(server.workers()) == 2 and first not in server.workers():
            break
        time.sleep(0.1)
    assert first not in server.workers()
    assert len(server.workers()) == 2
    assert server.stop() == 0, server.errors.read_text()
    assert set(told) <= {one.id for one in read_records(server.log)}
    server_is_gone = server.workers() == []
    assert server_is_gone
