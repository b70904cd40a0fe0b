"""Alarms: each cause once, seen or muted by a person, delivered to real receivers until they have been taken."""

import json
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from furrow.monitoring.alarm_book import Alarm, AlarmBook, AlarmError, Mute
from furrow.monitoring.alarm_delivery import SIGNATURE, deliver, signature, sink_name
from furrow.monitoring.monitor_settings import Sink

_NOW = datetime(2024, 3, 1, tzinfo=UTC)


def _alarm(subject: str = "speed", kind: str = "drift", window: str = "2024-02-29") -> Alarm:
    return Alarm(kind, subject, "gbm@v1.0.0", window, window, f"{subject} drifted")


def _book(*subjects: str) -> AlarmBook:
    return AlarmBook().seen("w1", [_alarm(one) for one in subjects], ("drift",))


def test_one_alarm_for_one_cause() -> None:
    """A cause that holds on is one alarm; it closes when it is over, and is another when it comes back."""
    book = _book("speed", "speed")
    assert [one.window for one in book.alarms] == ["w1"]
    book = book.seen("w2", [_alarm()], ("drift",))
    assert [(one.window, one.open) for one in book.alarms] == [("w1", True)]
    book = book.seen("w3", [], ("drift",)).seen("w4", [_alarm()], ("drift",))
    assert [(one.window, one.open) for one in book.alarms] == [("w1", False), ("w4", True)]
    assert len({one.id for one in book.alarms}) == 2


def test_a_window_seen_again_changes_nothing() -> None:
    """What a killed run did and did not write down: the same window again gives the same book."""
    book = _book("speed")
    assert book.seen("w1", [_alarm()], ("drift",)) == book
    over = book.seen("w2", [], ("drift",))
    assert over.seen("w1", [_alarm()], ("drift",)).alarms == over.alarms


def test_kinds_that_were_not_looked_at_stay() -> None:
    """A look at drift closes no alarm about fairness."""
    book = (
        AlarmBook()
        .seen("w1", [_alarm("sex", "fairness")], ("fairness",))
        .seen("w2", [], ("drift",))
    )
    assert book.alarms[0].open


def test_the_book_survives_as_json() -> None:
    """Written down and read, it is the same; damaged, it is refused."""
    book = (
        _book("speed", "sex")
        .delivered(_alarm(), "stdout")
        .mute(Mute("*", "*", (_NOW + timedelta(1)).isoformat(), "Ada"), _NOW)
    )
    assert AlarmBook.from_json(json.loads(json.dumps(book.to_json()))) == book
    for value in (
        None,
        {},
        {"alarms": [{"kind": "drift"}], "mutes": []},
        {"alarms": [1], "mutes": []},
    ):
        with pytest.raises(AlarmError):
            AlarmBook.from_json(value)


def test_a_person_acknowledges_and_mutes_with_a_name_and_an_end(tmp_path: Path) -> None:
    """A muted alarm is written down and not sent; when the mute ends it is. Without a name or an end there is no mute."""
    book = _book("speed", "rain")
    seen = book.acknowledge(book.alarms[0].id, "Ada", _NOW)
    assert seen.alarms[0].acknowledged.startswith("Ada, 2024-03-01")
    with pytest.raises(AlarmError, match="no alarm"):
        book.acknowledge("nosuch", "Ada", _NOW)
    for until, who in (
        ("", "Ada"),
        ("soon", "Ada"),
        ("2023-01-01T00:00+00:00", "Ada"),
        ("2030-01-01", "Ada"),
        ("2030-01-01T00:00+00:00", " "),
    ):
        with pytest.raises(AlarmError):
            book.mute(Mute("drift", "rain", until, who), _NOW)
    quiet = book.mute(Mute("drift", "rain", (_NOW + timedelta(hours=2)).isoformat(), "Ada"), _NOW)
    said: list[str] = []
    quiet, failed = deliver(quiet, [Sink(to="stdout")], tmp_path, now=_NOW, say=said.append)
    assert not failed
    assert len(said) == 1
    assert "speed" in said[0]
    deliver(quiet, [Sink(to="stdout")], tmp_path, now=_NOW + timedelta(hours=3), say=said.append)
    assert len(said) == 2
    assert "rain" in said[1]


def test_a_file_gets_each_alarm_once_whatever_was_killed(tmp_path: Path) -> None:
    """Written, but killed before that was noted: not again. Half a line of a killed process spoils no other."""
    book, sink = _book("speed", "rain"), Sink(to="file", path="alarms.jsonl")
    deliver(book, [sink], tmp_path, now=_NOW, say=print)
    deliver(book, [sink], tmp_path, now=_NOW, say=print)
    path = tmp_path / "alarms.jsonl"
    assert len(path.read_text().splitlines()) == 2
    with path.open("a") as file:
        file.write('{"id": "half')
    more = book.seen("w2", [_alarm("speed"), _alarm("rain"), _alarm("snow")], ("drift",))
    deliver(more, [sink], tmp_path, now=_NOW, say=print)
    lines = path.read_text().splitlines()
    assert [json.loads(one)["subject"] for one in (lines[0], lines[1], lines[3])] == [
        "speed",
        "rain",
        "snow",
    ]


class Hook:
    """A receiver of webhooks on a free port, which can be told to fail."""

    def __init__(self) -> None:
        self.status, self.got = 200, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.status)
                if outer.status == 302:
                    self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=secret"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hook() -> Iterator[Hook]:
    one = Hook()
    yield one
    one.close()


def test_a_webhook_is_signed_and_a_dead_one_loses_none(tmp_path: Path, hook: Hook) -> None:
    """While it fails, redirects or is gone everything waits; then all comes, signed, in order, under its id."""
    (tmp_path / "key").write_bytes(b"k3y\n")
    sink = Sink(to="webhook", url=hook.url, secret_file=str(tmp_path / "key"))
    other = Sink(to="file", path="alarms.jsonl")
    book = _book("speed", "rain")
    for status in (500, 302):
        hook.status = status
        book, failed = deliver(book, [sink, other], tmp_path, now=_NOW, say=print)
        assert len(failed) == 1
        assert "2 wait" in failed[0]
        assert "secret" not in failed[0]
    assert len((tmp_path / "alarms.jsonl").read_text().splitlines()) == 2
    hook.status, hook.got[:] = 200, []
    book, failed = deliver(book, [sink], tmp_path, now=_NOW, say=print)
    assert not failed
    assert [json.loads(body)["subject"] for _, body in hook.got] == ["speed", "rain"]
    for headers, body in hook.got:
        assert headers[SIGNATURE] == signature(body, b"k3y")
        assert headers["Idempotency-Key"] == json.loads(body)["id"]
    deliver(book, [sink], tmp_path, now=_NOW, say=print)
    assert len(hook.got) == 2


def test_nobody_listens(tmp_path: Path, hook: Hook) -> None:
    """A port without a listener, and a key that is gone, are a sentence each."""
    closed = Hook()
    closed.close()
    for sink in (Sink(to="webhook", url=closed.url), Sink(to="webhook", url=hook.url, secret_file=str(tmp_path / "no")),
                 Sink(to="email", host="127.0.0.1", port=closed.server.server_port, sender="a@b.example", receivers=["c@d.example"])):  # fmt: skip
        book, failed = deliver(_book("speed"), [sink], tmp_path, now=_NOW, say=print)
        assert len(failed) == 1
        assert book.waiting(sink_name(sink), _NOW)


def _mail_server(got: list[str]) -> socketserver.TCPServer:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go\r\n")
                    lines: list[bytes] = []
                    while (each := self.rfile.readline()) != b".\r\n":
                        lines.append(each)
                    got.append(b"".join(lines).decode())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    return socketserver.TCPServer(("127.0.0.1", 0), Handler)


def test_mail(tmp_path: Path) -> None:
    """A message with the sentence, the figures and the id, through SMTP; a line break in a name starts no header."""
    got: list[str] = []
    with _mail_server(got) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        sink = Sink(
            to="email",
            host="127.0.0.1",
            port=server.server_address[1],
            sender="a@b.example",
            receivers=["c@d.example"],
        )
        book, failed = deliver(
            _book("speed\r\nBcc: x@y.example"), [sink], tmp_path, now=_NOW, say=print
        )
        server.shutdown()
        thread.join()
    assert not failed
    assert book.alarms[0].id in got[0]
    assert "drifted" in got[0]
    assert not [one for one in got[0].splitlines() if one.startswith("Bcc:")]
