"""Settings of a clone for DVC: what may run a command, or open a file of this machine, waits for trust."""

from pathlib import Path

import pytest
from configobj import ConfigObj
from hypothesis import given
from hypothesis import strategies as st

from furrow.ground.dvc_settings import odd_settings, odd_settings_of
from furrow.ground.dvcget import get
from furrow.ground.trust import UntrustedError

pytestmark = pytest.mark.attack
REMOTE = "[core]\n    remote = s\n['remote \"s\"']\n    url = {url}\n"


@pytest.mark.parametrize(
    "lines",
    [
        "    configpath = evil.ini\n", "    credentialpath = evil.ini\n", "    bearer_token_command = touch ran\n",
        "        configpath = evil.ini\n", "    ConfigPath = evil.ini\n", "    \"configpath\" = evil.ini\n",
        "    keyfile = /root/.ssh/id\n", "[core]\nsite_cache_dir = here\n", "[cache]\ndir = /root\n", "[hydra]\nplugins_path = evil\n",
        "[remote]\n[['t']]\nconfigpath = evil.ini\n", "['remote \"t\"']\n[[url]]\nx = 1\n", "[CORE]\nSite_Cache_Dir = x\n",
    ],
)  # fmt: skip
def test_what_is_odd(lines):
    """Commands, files and folders, however the line is indented, quoted, written large or nested."""
    text = REMOTE.format(url="s3://bucket/x") + lines
    try:
        assert odd_settings(text.encode())
    except ValueError as exc:
        assert str(exc)  # noqa: PT017 - what DVC can't read either


def test_what_does_no_harm():
    """As DVC writes it for a remote, and an empty file."""
    assert odd_settings(b"") == []
    text = (
        REMOTE.format(url="s3://bucket/x")
        + "    region = eu\n    endpointurl = http://127.0.0.1:1\n[cache]\n    type = copy\n"
    )
    assert odd_settings(text.encode()) == []


KEYS = st.sampled_from(
    [
        "url",
        "configpath",
        "'configpath'",
        "CONFIGPATH",
        "jobs",
        "[['t']]",
        "['remote \"s\"']",
        "[core]",
    ]
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", " ", "    ", "\t", "  #", "url = '''"]), KEYS), max_size=6
    )
)
def test_whatever_dvc_reads_is_seen(lines):
    """Against DVC's own parser: where that finds a key that is not harmless, so is it found here."""
    text = "".join(
        f"{indent}{key}{'' if key.startswith('[') else ' = x'}\n" for indent, key in lines
    )
    try:
        read = ConfigObj(text.splitlines(keepends=True))
    except Exception:  # noqa: BLE001 - DVC stops there
        return
    if "configpath" in str(read).lower().replace("'''", ""):
        keys = [key.lower() for key in read.scalars] + [
            key.lower() for one in read.sections for key in read[one]
        ]
        nested = any(isinstance(read[one][key], dict) for one in read.sections for key in read[one])
        if "configpath" in keys or nested:
            assert odd_settings(text.encode())


@pytest.fixture
def clone(repo: Path, git, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a project whose AWS settings, in a file of its own, are a command."""
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    (repo / ".dvc").mkdir()
    (repo / ".dvc/config").write_text(
        REMOTE.format(url="s3://bucket/x") + "        configpath = evil.ini\n"
    )
    (repo / ".dvc/evil.ini").write_text(
        f"[default]\ncredential_process = touch {repo.parent}/ran\n"
    )
    (repo / "data.dvc").write_text(
        "outs:\n- md5: 0123456789abcdef0123456789abcdef\n  size: 1\n  path: data\n"
    )
    git(repo, "add", "-A", "-f")
    git(repo, "commit", "-qm", "hostile")
    git(repo, "remote", "add", "origin", "https://example.invalid/x.git")
    return repo


def test_a_model_is_not_fetched_by_commands_of_a_clone(clone, tmp_path):
    """The command that AWS's settings name would run when the remote is asked; without trust nothing is asked."""
    with pytest.raises(UntrustedError, match="configpath"):
        get(clone, "data", "HEAD", tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_settings_at_each_place(clone, git):
    """In the commit that is asked for, in the work tree, in a config.local that is tracked; one that is not is the user's."""
    git(clone, "tag", "hostile")
    git(clone, "rm", "-q", "--cached", ".dvc/config")
    git(clone, "commit", "-qm", "gone")
    assert odd_settings_of(clone, "hostile")
    assert odd_settings_of(clone, "HEAD")  # DVC opens the work tree, too
    (clone / ".dvc/config").unlink()
    assert odd_settings_of(clone, "HEAD") == []
    (clone / ".dvc/config.local").write_text("[core]\nsite_cache_dir = here\n")
    assert odd_settings_of(clone, "HEAD") == []
    git(clone, "add", "-f", ".dvc/config.local")
    assert odd_settings_of(clone, "HEAD") == [".dvc/config.local: core.site_cache_dir"]


def test_settings_above_a_project(clone, git):
    """A project in a folder of the repository has those at the top, too."""
    (clone / "sub/conf").mkdir(parents=True)
    (clone / "sub/dvc.yaml").write_text("stages: {}\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "a project in a folder")
    assert odd_settings_of(clone / "sub", "HEAD")[0].endswith('.dvc/config: remote "s".configpath')
    git(clone, "clone", "-q", "--bare", str(clone), str(clone.parent / "bare.git"))
    assert odd_settings_of(clone.parent / "bare.git", "HEAD")
