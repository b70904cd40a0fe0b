"""What a stage reads and does not declare: in the commit, in the work tree, outside the repository."""

import os
import time
from pathlib import Path

import pytest

from furrow.replay.replay_verdict import FAILED

from .conftest import edit, of, reasons, rerun, run


def test_a_dependency_that_is_not_declared(world, again):
    """It is told while all is well, and named as the cause once it has changed without a run."""
    (world / "code/factor.txt").write_text("1\n")
    edit(
        world / "code/train.py",
        "rate * sum(values)",
        'rate * sum(values) * int(open("code/factor.txt").read())',
    )
    rerun(world)
    verdict = again(world)
    assert verdict
    assert not verdict.trusted()
    assert [one.path for one in of(verdict, "train@a").undeclared] == ["code/factor.txt"]
    (world / "code/factor.txt").write_text("2\n")
    rerun(world)
    verdict = again(world)
    assert verdict.first == "train@a"
    assert set(reasons(verdict, "train@a")) == {"undeclared"}
    assert "code/factor.txt" in reasons(verdict, "train@a")["undeclared"]
    assert "changed after the recorded run" in reasons(verdict, "train@a")["undeclared"]


def test_reading_without_python(world, again):
    """A program that is not Python is seen by the times of access."""
    (world / "code/note.txt").write_text("x\n")
    edit(
        world / "dvc.yaml",
        "cmd: python code/train.py ${item}",
        "cmd: cat code/note.txt && python code/train.py ${item}",
    )
    rerun(world)
    found = of(again(world), "train@a").undeclared
    assert [(one.path, one.where, one.seen) for one in found] == [
        ("code/note.txt", "commit", "system")
    ]


def test_data_that_is_not_declared_is_not_there(world, again):
    """A stage finds the data that it declares, and no other."""
    edit(world / "code/prepare.py", "scale = int", 'open("data/other/two.csv").read()\nscale = int')
    rerun(world)
    verdict = again(world)
    assert verdict.first == "prepare"
    assert of(verdict, "prepare").status == FAILED
    assert "data/other/two.csv" in reasons(verdict, "prepare")["undeclared"]
    assert "FileNotFoundError" in of(verdict, "prepare").log


def test_what_an_earlier_stage_left_lying_about_is_not_there(world, again):
    """A file that one stage writes and another reads, and neither declares, does not survive between them."""
    old = 'Path("build/ready.csv")'
    edit(world / "code/prepare.py", old, f'Path("build/side.txt").write_text("2")\n{old}')
    edit(world / "code/train.py", "import json", 'open("build/side.txt").read()\nimport json')
    rerun(world)
    verdict = again(world)
    assert verdict.first == "train@a"
    assert "build/side.txt" in of(verdict, "train@a").log


def test_a_file_outside_the_commit(world, again):
    """What lies in the work tree and is not committed does not come with the commit."""
    (world / "local.txt").write_text("x\n")
    (world / ".git/info/exclude").write_text("local.txt\n")
    edit(
        world / "code/prepare.py", "scale = int", f'open(r"{world}/local.txt").read()\nscale = int'
    )
    rerun(world)
    found = of(again(world), "prepare").undeclared
    assert [(one.path, one.where) for one in found] == [(str(world / "local.txt"), "outside")]


def outside(world, path, **extra):
    """Have train read a file that is no part of the repository, and run it."""
    edit(
        world / "code/train.py",
        "rate * sum(values)",
        f"rate * sum(values) * int(open(os.path.expanduser({path!r})).read())",
    )
    edit(world / "code/train.py", "import json", "import os, json")
    rerun(world, **extra)


@pytest.mark.parametrize(
    "place",
    [
        "~",
        *(
            pytest.param(one, marks=pytest.mark.long)
            for one in ("/tmp", "~/deep/.hidden", "/tmp/world/..")
        ),
    ],
)
def test_a_file_outside_the_repository(world, again, tmp_path, monkeypatch, place):
    """Wherever it lies, it is named; once it is another, it is the cause, and no one is said to have edited anything."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    name = place.replace("/tmp", str(tmp_path)) + "/outside.txt"
    path = Path(os.path.normpath(Path(name).expanduser()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("1\n")
    outside(world, name)
    run(world, "git", "commit", "-q", "--allow-empty", "-m", "later")
    verdict = again(world, stage="train@a")
    assert verdict
    assert not verdict.trusted()
    assert [(one.path, one.where) for one in of(verdict, "train@a").undeclared] == [
        (str(path), "outside")
    ]
    path.write_text("2\n")
    os.utime(path, (time.time() + 5, time.time() + 5))
    verdict = again(world, stage="train@a")
    assert set(reasons(verdict, "train@a")) == {"undeclared"}
    assert (
        f"reads {path}, which is not part of the commit; it changed after"
        in reasons(verdict, "train@a")["undeclared"]
    )
    os.utime(path, (1, 1))
    told = reasons(again(world, stage="train@a"), "train@a")
    assert list(told) == ["undeclared", "replaced"]
    assert "nothing tells what it was at the recorded run" in told["undeclared"]


def test_what_a_stage_makes_outside_for_itself(world, again, tmp_path, monkeypatch):
    """Temporary files, caches of libraries (older ones too) and the system's files are no inputs."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home/.cache/older").mkdir(parents=True)
    (tmp_path / "home/.cache/older/x").write_text("1")
    lines = f"""import os, shutil, subprocess, tempfile
with tempfile.NamedTemporaryFile("w+") as handle:
    handle.write("1")
    handle.seek(0)
    open(handle.name).read()
folder = tempfile.mkdtemp()
subprocess.run(["sh", "-c", f"echo 1 > {{folder}}/a; mv {{folder}}/a {{folder}}/b"], check=True)
open(f"{{folder}}/b").read()
try:
    open("{tmp_path}/cache.txt").read()
except FileNotFoundError:
    open("{tmp_path}/cache.txt", "w").write("1")
open("{tmp_path}/cache.txt").read()
os.unlink("{tmp_path}/cache.txt")
open("/etc/passwd").read(), open("/proc/self/status").read(), open(os.__file__).read(), open(os.devnull).read()
shutil.copy("{tmp_path}/cache.txt" if False else "/etc/hostname", folder)
os.makedirs(os.path.expanduser("~/.cache/library"), exist_ok=True)
open(os.path.expanduser("~/.cache/library/x"), "w").write("1")
open(os.path.expanduser("~/.cache/library/x")).read(), open(os.path.expanduser("~/.cache/older/x")).read()
import json"""
    edit(world / "code/train.py", "import json", lines)
    rerun(world)
    verdict = again(world, stage="train@a")
    assert of(verdict, "train@a").undeclared == ()
    assert verdict.trusted()
