"""Servers that Furrow asks by HTTP and mail, and that answer what they like: it ends in time, in words, and goes nowhere else."""

import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request

import pytest

from furrow.errors import FurrowError
from furrow.features.client import FeatureClient
from furrow.ground.bounded_http import ask
from furrow.ground.timed_socket import TimedSocket
from furrow.monitoring import alarm_delivery
from furrow.monitoring.alarm_book import Alarm, AlarmBook
from furrow.monitoring.monitor_settings import Sink
from furrow.serving import serving_client
from furrow.serving.serving_client import ServerGoneError, ServingClient
from tests.attack.answering import OK, Answer, forever, served

pytestmark = pytest.mark.attack
ENDLESS: dict[str, Answer] = {
    "a header by bytes": forever(OK + b"X: ", b"a", 0.02),
    "a body by bytes": forever(OK + b"Content-Length: 100000\r\n\r\n", b"a", 0.02),
    "go on": forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "a body without end": forever(OK + b"\r\n", b"x" * 10_000, 0.0),
    "headers without end": forever(OK, b"X: y\r\n", 0.0),
}
ODD = {
    "no status": b"HTTP/9.9 a b\r\n\r\n", "junk": b"\0\xff\x1b[31m" * 1000, "nothing": b"",
    "less than said": OK + b"Content-Length: 3000\r\n\r\nabc",
    "a chunk of everything": OK + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nabc",
}  # fmt: skip
ANSWERS: dict[str, Answer] = ENDLESS | {
    name: (lambda text=text: [text]) for name, text in ODD.items()
}


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_a_server_answers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout is one in all, and an answer has a length: some clients waited for ever, or took all memory."""
    monkeypatch.setattr(serving_client, "_MOST", 1_000_000)
    monkeypatch.setattr(serving_client, "TRIES", 1)
    with served(ANSWERS[name]) as (host, _):
        began = time.monotonic()
        with pytest.raises(FurrowError):
            FeatureClient.open(f"http://{host}/manifest.json", timeout=0.4)
        with (
            ServingClient(f"http://{host}", timeout=0.4, token="t") as client,
            pytest.raises(ServerGoneError),
        ):
            client.predict([{}])
        assert time.monotonic() - began < 20


def _delivered(sinks: list[Sink], folder: Path) -> list[str]:
    """The sentences of the sinks that took no alarm."""
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    alarm = Alarm("drift", "column", "late@v1.0.0", "w1", moment.isoformat(), "It drifts.")
    book = AlarmBook(alarms=(alarm,))
    return alarm_delivery.deliver(book, sinks, folder, now=moment, say=lambda _: None)[1]


@pytest.mark.parametrize("name", [*ODD, "a header by bytes", "go on", "headers without end"])
def test_a_webhook_that_answers_so(name: str, tmp_path: Path, monkeypatch) -> None:
    """It keeps nothing from the other sinks, which take the alarm; some ended the whole run."""
    monkeypatch.setattr(alarm_delivery, "_SECONDS", 0.4)
    with served(ANSWERS[name]) as (host, _):
        failed = _delivered(
            [Sink(to="webhook", url=f"http://{host}/"), Sink(to="file", path="a.jsonl")], tmp_path
        )
    assert len(failed) == (
        0 if ANSWERS[name] is ANSWERS["less than said"] or "chunk" in name else 1
    )
    assert (tmp_path / "a.jsonl").read_text().count("It drifts.") == 1


@pytest.mark.parametrize("piece", [b"220-more\r\n", b"2"])
def test_a_mail_server_that_never_comes_to_an_end(
    piece: bytes, tmp_path: Path, monkeypatch
) -> None:
    """It greets line by line, or byte by byte."""
    monkeypatch.setattr(alarm_delivery, "_SECONDS", 0.4)
    with served(forever(b"", piece, 0.02), speaks_first=True) as (host, _):
        sink = Sink(
            to="email", host="127.0.0.1", port=int(host.rpartition(":")[2]), sender="a@b.example",
            receivers=["c@d.example"],
        )  # fmt: skip
        began = time.monotonic()
        assert "email" in _delivered([sink], tmp_path)[0]
        assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "place", ["http://{other}/x", "http://169.254.169.254/latest", "file:///etc/passwd", "ftp://{other}/", "//{other}/x"]
)  # fmt: skip
def test_a_server_that_names_another(place: str, tmp_path: Path) -> None:
    """Neither a manifest nor a webhook is sent elsewhere: to a metadata service, a file, another port."""
    with served(lambda: [OK + b"\r\n{}"]) as (other, asked):
        answer = (
            f"HTTP/1.1 302 F\r\nLocation: {place.format(other=other)}\r\nContent-Length: 0\r\n\r\n"
        )
        with served(lambda: [answer.encode()]) as (host, _):
            with pytest.raises(OSError, match="302"):
                ask(Request(f"http://{host}/"), seconds=2, most=10)
            with pytest.raises(FurrowError):
                FeatureClient.open(f"http://{host}/manifest.json", timeout=2)
            assert _delivered([Sink(to="webhook", url=f"http://{host}/")], tmp_path)
        assert asked == []


def test_another_path_of_the_same_server() -> None:
    """That is followed, and not for ever."""
    paths = iter([b"HTTP/1.1 302 F\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", OK + b"\r\nfine"])
    with served(lambda: [next(paths)]) as (host, asked):
        assert ask(Request(f"http://{host}/x"), seconds=2, most=10) == b"fine"
        assert asked[1].startswith(b"GET /y ")
    with (
        served(lambda: [b"HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"]) as (
            host,
            _,
        ),
        pytest.raises(OSError, match="infinite"),
    ):
        ask(Request(f"http://{host}/x"), seconds=5, most=10)


def test_a_socket_that_is_given_more_time() -> None:
    """A connection that is used again is read for a time of its own."""
    one, other = socket.socketpair()
    with one, other:
        timed = TimedSocket(one, 0.0)
        with pytest.raises(TimeoutError):
            timed.arm()
        timed.give(5)
        other.sendall(b"fine\n")
        with timed.makefile("rb") as file:
            assert file.readline() == b"fine\n"
