"""A store of objects that answers what it likes: `furrow init s3://...` ends, by a limit of time or of room, in words."""

import time

import pytest

from furrow.intake import s3_source
from furrow.intake.given_error import GivenError
from furrow.intake.s3_source import s3_object, s3_objects
from tests.attack.answering import OK, Answer, forever, served

pytest.importorskip("s3fs")
pytestmark = pytest.mark.attack
PAGE = (
    b"<ListBucketResult><Name>b</Name><IsTruncated>true</IsTruncated><NextContinuationToken>%d</NextContinuationToken>"
    b"<Contents><Key>a/%d.csv</Key><Size>3</Size><LastModified>2020-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>"
)


def _page() -> list[bytes]:
    """One of a list without end."""
    body = PAGE % (time.time_ns(), time.time_ns())
    return [OK + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body]


ANSWERS: dict[str, Answer] = {
    "pages without end": _page,
    "a page by bytes": forever(OK + b"Content-Length: 100000\r\n\r\n", b"a", 0.02),
    "a header by bytes": forever(OK + b"X: ", b"a", 0.02),
    "less than said": lambda: [OK + b"Content-Length: 3000\r\n\r\nabc"],
    "junk": lambda: [b"\0\xff\x1b[31m" * 1000],
}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3_source, "_LISTING", 1.0)
    monkeypatch.setattr(s3_source, "_COPYING", 1.0)


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_is_answered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some never ended; one was called a bug in Furrow."""
    with served(ANSWERS[name]) as (host, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}")
        began = time.monotonic()
        with pytest.raises(GivenError) as caught:
            s3_objects("s3://b/a", {".csv"})
        assert len(str(caught.value)) < 1000
        if name != "pages without end":
            with pytest.raises(GivenError), s3_object("s3://b/a.csv"):
                pass
        assert time.monotonic() - began < 30


def test_an_object_that_fills_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken while there is room."""
    monkeypatch.setattr(s3_source, "_PIECE", 100_000)
    monkeypatch.setattr(s3_source, "_ROOM", 1 << 60)
    monkeypatch.setattr(s3_source, "_COPYING", 20.0)
    with served(forever(OK + b"\r\n", b"x" * 10_000, 0.0)) as (host, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}")
        with pytest.raises(GivenError, match="room"), s3_object("s3://b/a.csv"):
            pass
