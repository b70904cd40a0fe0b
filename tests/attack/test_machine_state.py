"""What this machine writes under .furrow is its own: a commit that holds it there, or a link, leads nowhere."""

import gzip
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from furrow.errors import FurrowError
from furrow.files import open_lock
from furrow.models.bundle import BundleError, read_facts
from furrow.monitoring.alarm_book import Alarm, AlarmBook
from furrow.monitoring.monitor_state import MonitorState, one_writer, save_state
from furrow.monitoring.profile_counts import Profile, ProfileError
from furrow.serving.deployment_state import Followed, Local, change_holds, write_followed
from tests.attack.test_every_verb import called
from tests.attack.test_every_verb import hostile as hostile  # noqa: PLC0414 - a clone that is worked in
from tests.attack.test_reading import clone as clone  # noqa: PLC0414
from tests.attack.test_reading import markers as markers  # noqa: PLC0414

pytestmark = pytest.mark.attack
SERVER = ".furrow/serving/production"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder of the user's, which has to be at the end as it was."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / ".bashrc").write_text("# mine\n")
    yield folder
    assert [path.name for path in folder.rglob("*")] == [".bashrc"]
    assert (folder / ".bashrc").read_text() == "# mine\n"


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address that writes down who called."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/steal", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_alarms_of_a_clone_go_nowhere(
    hostile: Path,
    outside: Path,
    listener: tuple[str, list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A commit with a log, open alarms and addresses of its author's: no file is written, and no one is called, before trust."""
    address, seen = listener
    alarm = Alarm("drift", "$(touch x)", "gbm", "2013-01-01", "x", "now")
    save_state(hostile / SERVER / "monitor", MonitorState(book=AlarmBook((alarm,))))
    (hostile / SERVER / "log").mkdir()
    shutil.rmtree(hostile / "runs")
    sinks = [
        {"to": "file", "path": str(outside / ".bashrc")},
        {"to": "file", "path": "../../../../../outside/.bashrc"},
        {"to": "file", "path": "link"},
        {"to": "webhook", "url": address, "secret_file": str(outside / ".bashrc")},
        {"to": "email", "sender": "a@b.c", "receivers": ["d@e.f"], "port": 1},
        {"to": "file", "path": "alarms.jsonl"},
    ]
    (hostile / SERVER / "monitor/link").symlink_to(outside / ".bashrc")
    (hostile / "conf/monitor").mkdir(parents=True)
    (hostile / "conf/monitor/production.yaml").write_text(json.dumps({"alarms": sinks}))
    code, said = called(["monitor", "--json"])
    assert code == 4, said
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert sum("not trusted to write or send" in note for note in notes) == 5
    assert seen == []
    assert "$(touch x)" in (hostile / SERVER / "monitor/alarms.jsonl").read_text()


def test_alarms_of_a_trusted_clone_go(
    hostile: Path, listener: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can fail: with trust the same address is called."""
    address, seen = listener
    alarm = Alarm("drift", "x", "gbm", "2013-01-01", "x", "now")
    save_state(hostile / SERVER / "monitor", MonitorState(book=AlarmBook((alarm,))))
    (hostile / SERVER / "log").mkdir()
    shutil.rmtree(hostile / "runs")
    (hostile / "conf/monitor").mkdir(parents=True)
    text = json.dumps({"alarms": [{"to": "webhook", "url": address}]})
    (hostile / "conf/monitor/production.yaml").write_text(text)
    monkeypatch.setenv("FURROW_TRUST", "1")
    assert called(["monitor"])[0] == 4
    assert seen == ["/steal"]


@pytest.mark.parametrize(
    "place",
    [".furrow", ".furrow/serving", SERVER, f"{SERVER}/monitor", f"{SERVER}/log",
     f"{SERVER}/monitor/labels", "conf/pause", "conf/deployment", ".furrow/schema"],
)  # fmt: skip
def test_folders_that_are_links(hostile: Path, outside: Path, place: str) -> None:
    """What holds, monitors, lands, pauses and promotes writes nothing through them."""
    (hostile / "labels.csv").write_text("origin,event_timestamp,late,label_timestamp\n")
    (hostile / place).parent.mkdir(parents=True, exist_ok=True)
    (hostile / place).symlink_to(outside)
    for words in (
        ["hold", "production", "--why", "x"],
        ["release", "production"],
        ["rollback", "production"],
        ["monitor"],
        ["labels", "land", "labels.csv", "--problem", "late"],
        ["pause", "production", "--why", "x"],
        ["resume", "production"],
        ["models", "promote", "gbm", "--to", "production"],
        ["models", "rollback", "production"],
        ["schema"],
        ["deployments"],
        ["status", "production"],
    ):
        assert called(words)[0] in {0, 1, 2, 4}, words


def test_locks_that_are_links(hostile: Path, outside: Path) -> None:
    """A lock is opened, never emptied, and never through a link."""
    local = Local(**{name: name for name in Local.__dataclass_fields__})
    write_followed(hostile / SERVER, Followed("production", main=local))
    for name in ("monitor/lock", ".holds.json.lock"):
        (hostile / SERVER / name).parent.mkdir(exist_ok=True)
        (hostile / SERVER / name).symlink_to(outside / ".bashrc")
    with pytest.raises(FurrowError, match="lock"), one_writer(hostile / SERVER / "monitor"):
        pass
    with pytest.raises(FurrowError, match="lock"), change_holds(hostile / SERVER):
        pass
    assert called(["hold", "production", "--why", "x"])[0] == 1
    (hostile / "held").write_text("stays")
    with open_lock(hostile / "held"):
        pass
    assert (hostile / "held").read_text() == "stays"


def test_a_bundle_of_any_facts(tmp_path: Path) -> None:
    """bundle.json may be anyone's: each of these was a bug in Furrow."""
    for facts in ({"format": 2}, [], 5, {"format": 4}, {"format": 2, "experiment": ["x"]}, None):
        (tmp_path / "bundle.json").write_text(json.dumps(facts))
        with pytest.raises(BundleError, match=r"bundle\.json"):
            read_facts(tmp_path)
        assert called(["serve", str(tmp_path), "--port", "0"])[0] == 1


def test_a_profile_that_means_very_much(tmp_path: Path) -> None:
    """A small file in the place of a profile is not unpacked to its end."""
    (tmp_path / "p.json.gz").write_bytes(gzip.compress(bytes(1 << 28)))
    with pytest.raises(ProfileError, match="bytes"):
        Profile.read(tmp_path / "p.json.gz")
