"""The command line: instant help, exit codes, errors on standard error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from furrow.cli.group import COMMANDS, cli
from furrow.cli.main import run as call
from furrow.errors import FurrowError, UsageError


def run(*words: str, folder=None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "furrow", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def test_help_loads_nothing_heavy():
    """`--help` imports neither pandas nor Feast nor scikit-learn nor rich."""
    code = "import sys; from furrow.cli.main import run; run(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for name in ("pandas", "feast", "sklearn", "rich", "duckdb", "dvc", "hydra"):
        assert f"'{name}'" not in done.stderr
    assert "Commands:" in done.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name, capsys):
    """Each command that the help lists is there, and so is the help of each of its own commands."""
    assert call([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: furrow " + name)
    command = cli.get_command(None, name)
    for inner in getattr(command, "commands", {}):
        assert call([name, inner, "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: furrow {name}")


def test_exit_codes(tmp_path, monkeypatch, capsys):
    """1 a known error, 2 usage, 3 a bug with its log, 130 an interrupt."""

    def failing(error: BaseException):
        def command(*_: object, **__: object) -> None:
            raise error

        return command

    for error, code in [
        (FurrowError("it \x1b[2Jbroke", hint="mend it"), 1),
        (UsageError("not so"), 2),
        (RuntimeError("surprise"), 3),
        (KeyboardInterrupt(), 130),
    ]:
        monkeypatch.setattr(cli, "main", failing(error))
        assert call([]) == code
        printed = capsys.readouterr().err
        assert printed
        if code == 1:
            assert printed == "error: it \N{REPLACEMENT CHARACTER}[2Jbroke\n  mend it\n"
        if code == 3:
            assert "the log is" in printed
            assert "Traceback" not in printed


@pytest.mark.parametrize("words", [["--help"], ["runs", "--csv"]])
def test_output_that_can_not_be_written(tmp_path, words):
    """A full disk under standard output is no bug of Furrow's: one sentence, and exit code 1."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "runs/gbm").mkdir(parents=True)
    (tmp_path / "runs/gbm/metrics.json").write_text("{}")
    subprocess.run(["git", "-C", str(tmp_path), "add", "."], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "commit", "-q", "-m", "a run"], check=True)
    command = [sys.executable, "-m", "furrow", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False
        )
    assert done.stderr == "error: No space left on device\n  free some space, then run again\n"
    assert done.returncode == 1


def test_output_of_which_only_a_part_fits(tmp_path):
    """Without Python's buffers, too, a file that can't grow is an error and not a shorter text."""
    code = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))\nfrom furrow.cli.main import main; main()"
    command = [sys.executable, "-c", code, "--help"]
    with (tmp_path / "text").open("w") as file:
        done = subprocess.run(
            command, stdout=file, stderr=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    assert (tmp_path / "text").stat().st_size == 64
    assert done.stderr.startswith("error: File too large")
    assert done.returncode == 1


def test_no_output_at_all():
    """A closed standard output is said; a closed standard error is no trouble."""
    command = f"{sys.executable} -m furrow --version"
    done = subprocess.run(f"{command} >&-", shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output is closed\n")
    done = subprocess.run(
        f"{command} 2>&-", shell=True, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("furrow")


def test_unknown_commands():
    """A command that does not exist is a usage error."""
    done = run("nothing")
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_a_known_error_is_short(tmp_path):
    """An error of a command is its message and its hint, and no traceback."""
    done = run("gate", folder=tmp_path)
    assert done.returncode == 1
    assert (
        done.stderr
        == "error: there is no verdict yet: runs/champion.json is missing\n  run `dvc repro`\n"
    )


def test_furrow_alone_is_no_error():
    """The groups of commands are shown, and nothing is called an error; of a group of commands likewise."""
    for words in ((), ("models",)):
        done = run(*words)
        assert done.stdout.startswith("Usage: furrow")
        assert done.stderr == ""
        assert done.returncode == 2
