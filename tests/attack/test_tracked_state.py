"""A commit that tracks a server's state, alarms, logs or curves: nothing of it is shown, believed or written through."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from furrow.governance.kept_contents import KeptError, kept_commits
from furrow.ground.kept_here import NotKeptError, kept_folder, require_kept, why_not_kept
from furrow.monitoring.alarm_book import Alarm, AlarmBook
from furrow.monitoring.monitor_site import open_site
from furrow.monitoring.monitor_state import MonitorState, save_state
from furrow.serving.deployment_state import (
    Followed,
    Local,
    change_holds,
    hold,
    state_folders,
    write_followed,
)
from furrow.serving.simulated_clock import SimulatedClock
from furrow.serving.version_store import forget_others
from furrow.training.journal import JOURNAL
from furrow.training.log import Log
from furrow.trials.recorder import PRUNED
from furrow.trials.screening import ScreenBook
from furrow.web.asked import Asked
from furrow.web.home_page import home
from furrow.web.live_page import live
from furrow.web.monitoring_page import monitoring
from furrow.web.page_forms import as_html
from furrow.web.site import Site
from tests.attack.test_every_verb import called
from tests.attack.test_every_verb import hostile as hostile  # noqa: PLC0414 - a clone that is worked in
from tests.attack.test_reading import clone as clone  # noqa: PLC0414
from tests.attack.test_reading import markers as markers  # noqa: PLC0414

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.attack
SERVER = ".furrow/serving/production"
INVENTED = "invented-by-the-author"
ASKED = (
    ["status", "production"],
    ["hold", "production"],
    ["release", "production"],
    ["rollback", "production"],
    ["monitor", "production"],
    ["serve", "production", "--follow", "origin/main"],
    ["trace", "01a22be3-714b-710b-adeb-4a4821a9689c"],
    ["runs", "watch", "--once"],
)
"""What needs the state: each says why there is none."""
ASIDE = (
    ["fsck"],
    ["gc"],
    ["audit", "2013"],
    ["audit", "production"],
    ["audit", "--key", "a=b"],
    ["cost"],
    ["runs", "show", "gbm"],
    ["deployments"],
    ["score"],
    ["plan"],
    ["doctor"],
)
"""What has other things to tell, too."""


@pytest.fixture
def planted(hostile: Path, git: Callable[..., str]) -> Path:
    """That clone, whose commit holds the state of a server that was never here."""
    local = Local(f"{INVENTED}@v1.0.0", "0" * 40, "/tmp", "0" * 64)
    write_followed(hostile / SERVER, Followed("production", main=local, previous=local))
    hold(hostile / SERVER, why=INVENTED)
    alarm = Alarm("drift", INVENTED, f"{INVENTED}@v1.0.0", "w", INVENTED, "now")
    save_state(hostile / SERVER / "monitor", MonitorState(book=AlarmBook((alarm,))))
    (hostile / SERVER / "log").mkdir()
    (hostile / SERVER / "log/x.live").write_text("x")
    curve = Log(hostile / ".furrow/logs" / INVENTED)
    curve.add(1, {"loss": 1.0})
    curve.close()
    line = {"stage": f"train@{INVENTED}", "started": 1.0, "seconds": 9.0, "cpu_seconds": 9.0}
    (hostile / JOURNAL).write_text(json.dumps(line) + "\n")
    (hostile / "conf/deployment").mkdir(parents=True, exist_ok=True)
    (hostile / "conf/deployment/production.yaml").write_text("model: gbm@v1.0.0\n")
    git(hostile, "add", "-fA", ".furrow", "conf")
    git(hostile, "commit", "-qm", "a state")
    return hostile


def test_nothing_of_it_is_shown(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command says why, or has it not; none shows a word of it as this machine's."""
    for words in (*ASKED, *ASIDE):
        code, said = called(words)
        told = "".join(capsys.readouterr()) + said
        assert INVENTED not in told, words
        if words in ASKED:
            assert code == 1, words
            assert "the commit here holds .furrow/" in told, words
            assert "git rm -r --cached .furrow" in told, words


def test_it_can_fail(
    planted: Path, git: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same files, of this machine's own, are shown."""
    git(planted, "rm", "-rq", "--cached", ".furrow")
    for words in (["status", "production"], ["runs", "watch", "--once"], ["cost"]):
        assert called(words)[0] == 0, words
        assert INVENTED in capsys.readouterr().out, words
    assert INVENTED in as_html(monitoring(Site(planted), Asked()), lambda name, state: None)


@pytest.mark.parametrize("page", [home, monitoring, live])
def test_pages(planted: Path, page: Callable[..., object]) -> None:
    """They say that it is passed over."""
    text = as_html(page(Site(planted), Asked()), lambda name, state: None)
    assert INVENTED not in text
    assert "the commit here holds .furrow/" in text


def test_versions_elsewhere(tmp_path: Path) -> None:
    """The folder of versions is emptied of what nothing goes back to: not where a link leads."""
    (tmp_path / "home/documents").mkdir(parents=True)
    (tmp_path / "versions").symlink_to(tmp_path / "home")
    forget_others(tmp_path / "versions", [])
    assert (tmp_path / "home/documents").is_dir()


@pytest.mark.parametrize("name", [".furrow", ".FURROW", ".furrow/serving", SERVER])
@pytest.mark.parametrize("way", ["file", "link", "submodule", "left submodule"])
def test_whatever_is_tracked(repo: Path, git: Callable[..., str], name: str, way: str) -> None:
    """In any case of letters, at any depth; a submodule's folder, too, after a branch without it was checked out."""
    if way == "left submodule" and name.isupper():
        pytest.skip("here it is another folder")
    (repo / name).parent.mkdir(parents=True, exist_ok=True)
    (repo / ".furrow").mkdir(exist_ok=True) if name == ".FURROW" else None
    require_kept(repo)
    if way == "file":
        (repo / name).mkdir(parents=True, exist_ok=True)
        (repo / name / "x").write_text("x")
        git(repo, "add", "-f", name)
    elif way == "link":
        (repo / name).rmdir() if (repo / name).is_dir() else None
        (repo / name).symlink_to(repo / "elsewhere")
        git(repo, "add", "-f", name)
    elif way == "submodule":
        (repo / name).mkdir(parents=True, exist_ok=True)
        tip = git(repo, "rev-parse", "HEAD").strip()
        git(repo, "update-index", "--add", "--cacheinfo", f"160000,{tip},{name}")
    else:
        (repo / name).mkdir(parents=True, exist_ok=True)
        (repo / name / ".git").write_text("gitdir: elsewhere\n")
    with pytest.raises(NotKeptError, match=r"commit here holds|symbolic link"):
        kept_folder(repo, SERVER)
    with pytest.raises(NotKeptError):
        state_folders(repo)
    assert why_not_kept(repo)


def test_what_is_this_machines(repo: Path, git: Callable[..., str], tmp_path: Path) -> None:
    """Files that no commit holds, a folder outside Git and a bare repository are."""
    (tmp_path / "plain" / SERVER).mkdir(parents=True)
    (repo / SERVER).mkdir(parents=True)
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare")
    (tmp_path / "bare" / SERVER).mkdir(parents=True)
    for root in (tmp_path / "plain", repo, tmp_path / "bare"):
        assert state_folders(root) == [root / SERVER]
        assert why_not_kept(root) == ""


def test_what_was_tried_before(repo: Path, git: Callable[..., str]) -> None:
    """Scores of a search and the mark of a simulation that a commit holds count for nothing."""
    book = ScreenBook(repo)
    book.keep("digest", 0.5, "auc", 0.99, 1.0)
    assert ScreenBook(repo).recall("digest", 0.5, "auc") == (0.99, 1.0)
    (repo / PRUNED).write_text("")
    git(repo, "add", "-fA")
    assert ScreenBook(repo).recall("digest", 0.5, "auc") is None
    with pytest.raises(NotKeptError):
        SimulatedClock.of(repo)
    with pytest.raises(KeptError, match="commit here holds"):
        kept_commits(repo)  # the logs name what may not be removed: it can't be told
    with pytest.raises(NotKeptError):
        open_site(repo, "production", None)  # type: ignore[arg-type] - it is refused before


def test_init_takes_up_nothing_of_a_commits(
    repo: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An init that was "killed" as a commit says: its files are put in no place."""
    (repo / ".furrow/init/files/.git/hooks").mkdir(parents=True)
    (repo / ".furrow/init/files/conf.py").write_text("print()")
    shutil.rmtree(repo / ".furrow/init/files/.git")
    git(repo, "add", "-fA")
    monkeypatch.chdir(repo)
    code, said = called(["init", "--no-run"])
    assert (code, "the commit here holds" in said) == (1, True)
    assert not (repo / "conf.py").exists()


def test_holds_are_changed_nowhere_else(planted: Path) -> None:
    """A command that would change a hold changes none of the commit's."""
    before = (planted / SERVER / "holds.json").read_bytes()
    assert called(["release", "production"])[0] == 1
    assert (planted / SERVER / "holds.json").read_bytes() == before
    with change_holds(planted / SERVER) as holds:  # it can fail
        holds.clear()
    assert (planted / SERVER / "holds.json").read_bytes() != before
