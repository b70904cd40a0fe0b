"""Alarms on their way: to a file, standard output, a signed webhook, or by mail."""

from __future__ import annotations

import hashlib
import hmac
import os
import smtplib
import urllib.request
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.files import canonical_json
from furrow.ground.bounded_http import ask
from furrow.ground.timed_socket import TimedSocket
from furrow.parse import ParseError, parse_json
from furrow.safe_text import line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from furrow.monitoring.alarm_book import Alarm, AlarmBook
    from furrow.monitoring.monitor_settings import Sink

__all__ = ["SIGNATURE", "deliver", "signature", "sink_name"]

SIGNATURE = "X-Furrow-Signature"
_SECONDS = 10.0


def deliver(
    book: AlarmBook,
    sinks: Sequence[Sink],
    folder: Path,
    *,
    now: datetime,
    say: Callable[[str], None],
) -> tuple[AlarmBook, list[str]]:
    """Send what each sink has not taken yet.

    One that fails keeps nothing from the others, and loses nothing.

    Args:
        book: The alarms.
        sinks: Where they go.
        folder: In which a relative path of a sink lies.
        now: The time that mutes are held against.
        say: Writes a line, for `stdout`.

    Returns:
        The book with what was taken, and a sentence for each sink that failed.
    """
    failed = []
    for sink in sinks:
        name = sink_name(sink)
        for alarm in book.waiting(name, now):
            try:
                _send(alarm, sink, folder, say)
            except (OSError, ValueError, smtplib.SMTPException) as exc:
                left = len(book.waiting(name, now))
                why = " ".join(str(exc).split())[:200] or type(exc).__name__
                failed.append(f"{name} takes no alarms: {why}; {left} wait for the next run")
                break
            book = book.delivered(alarm, name)
    return book, failed


def sink_name(sink: Sink) -> str:
    """What a sink is called in the book: its kind and its address, without a webhook's secrets."""
    where = {
        "file": sink.path,
        "webhook": sink.url.split("?")[0],
        "email": ",".join(sink.receivers),
    }
    return f"{sink.to} {where.get(sink.to, '')}".strip()


def signature(body: bytes, key: bytes) -> str:
    """What a receiver holds a body against: HMAC-SHA256 with the key that both know."""
    return f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"


def _send(alarm: Alarm, sink: Sink, folder: Path, say: Callable[[str], None]) -> None:
    if sink.to == "stdout":
        say(_sentence(alarm))
    elif sink.to == "file":
        _append(folder / sink.path, alarm)
    elif sink.to == "webhook":
        _post(alarm, sink)
    else:
        _mail(alarm, sink)


def _body(alarm: Alarm) -> dict[str, object]:
    return {key: item for key, item in alarm.to_json().items() if key != "delivered"}


def _sentence(alarm: Alarm) -> str:
    return line(f"{alarm.window} {alarm.kind} {alarm.model}: {alarm.text} [{alarm.id}]")


def _append(path: Path, alarm: Alarm) -> None:
    """A line at the end of a file, whole.

    Half a line of a killed process before it is ended first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    there = path.read_bytes() if path.exists() else b""
    for each in there.splitlines():
        try:
            if parse_json(each).get("id") == alarm.id:
                return  # written, and killed before that was written down
        except (ParseError, AttributeError):
            continue
    with path.open("ab") as file:
        begun = b"\n" if there and not there.endswith(b"\n") else b""
        file.write(begun + canonical_json(_body(alarm)).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _post(alarm: Alarm, sink: Sink) -> None:
    body = canonical_json(_body(alarm)).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": alarm.id}
    if sink.secret_file:
        headers[SIGNATURE] = signature(body, Path(sink.secret_file).read_bytes().strip())
    # http(s) only, held by the settings
    request = urllib.request.Request(sink.url, data=body, headers=headers, method="POST")  # noqa: S310
    # a signed body goes where it was declared to go, and nowhere else
    ask(request, seconds=_SECONDS, most=1, elsewhere=False)


class _TimedMail(smtplib.SMTP):
    """A mail server that is asked for a time in all."""

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return TimedSocket(super()._get_socket(host, port, timeout), _SECONDS)  # type: ignore[misc]


def _mail(alarm: Alarm, sink: Sink) -> None:
    message = EmailMessage()
    message["Subject"] = line(f"[furrow] {alarm.kind}: {alarm.subject} ({alarm.model})")[:200]
    message["From"], message["To"] = sink.sender, ", ".join(sink.receivers)
    message["Message-ID"] = f"<{alarm.id}@furrow>"
    message.set_content(f"{_sentence(alarm)}\n\n{canonical_json(_body(alarm))}\n")
    with _TimedMail(sink.host, sink.port, timeout=_SECONDS) as server:
        server.send_message(message)
