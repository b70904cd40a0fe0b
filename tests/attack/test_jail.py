"""A held command: what it can see, reach, use up and leave behind. Each attack leaves a mark that must not be there."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from furrow.ground.isolate import (
    CommandError,
    HoldError,
    Isolation,
    Limits,
    isolated,
    run,
    stream,
    unheld,
)
from furrow.ground.jail import UNBUILT
from furrow.ground.jail_watch import disk_use
from furrow.ground.start_python import python
from tests.attack.holding import nowhere

pytestmark = pytest.mark.attack

ROOT = Path(__file__).resolve().parents[2]
SMALL = Limits(seconds=60, processes=60, memory=1_500_000_000, disk=20_000_000)
NAMES = ("plain", "with space", "quote'\"$(touch x);\\", "line\nend", "-rf", "ünïcode \t#,%")


@pytest.fixture(params=NAMES)
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / request.param
    folder.mkdir()
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder outside of those for temporary files and users."""
    (ROOT / ".furrow").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="attack ", dir=ROOT / ".furrow"))
    yield folder
    shutil.rmtree(folder)


def held(code: str, scratch: Path, isolation: Isolation) -> str:
    """Run Python code, held; what it printed."""
    try:
        return run(python("-c", code), scratch, isolation)
    except CommandError as exc:
        pytest.fail("\n".join(exc.lines))


def test_only_chosen_folders_are_there(odd, elsewhere):
    """Whatever its name, the scratch folder is the only one that can be written; neighbours, users, the machine's
    settings, secrets in /dev/shm and /etc are not there; what is read-only stays so."""
    secret = "hunter2"
    places = [elsewhere / "neighbour", Path.home() / ".aws", odd.parent / "beside"]
    for place in places:
        place.mkdir(parents=True)
        (place / "credentials").write_text(secret)
    shared = Path(f"/dev/shm/furrow-attack-{os.getpid()}")
    shared.write_text(secret)
    readable = elsewhere / "store room"
    readable.mkdir()
    (readable / "object").write_text("object")
    try:
        isolation = isolated(odd, readable=[readable], hidden=[places[0]], limits=SMALL)
        code = f"""
import os, glob
from pathlib import Path
for place in {[str(one) for one in places]!r} + [{str(shared)!r}, "/etc/shadow", "/var/lib", "/opt", "/boot", "/sys/kernel"]:
    assert not os.path.exists(place), place
assert Path({str(readable / "object")!r}).read_text() == "object"
for place in ("/", "/usr", "/etc", "/dev", "/proc/sys/kernel", {str(readable)!r}, {str(ROOT / "furrow")!r}, {sys.prefix!r}):
    try:
        Path(place, "planted").write_text("x")
    except OSError:
        continue
    raise SystemExit(f"wrote to {{place}}")
for root in ("/home", "/root", "/srv", "/work", "/tmp"):
    for path in glob.glob(root + "/**/credentials", recursive=True, include_hidden=True):
        if os.path.isfile(path) and {secret!r} in open(path, errors="replace").read():
            raise SystemExit(path)
Path("mine").write_text("x")
Path("/tmp/mine").write_text("x")
print(sorted(os.listdir("/dev/shm")), os.getcwd() == {str(odd)!r})
"""
        assert held(code, odd, isolation) == "[] True\n"
    finally:
        shared.unlink()
    assert (odd / "mine").exists()
    assert not list(odd.parent.rglob("x"))
    for word in ("no credentials", "no network", "no other processes"):
        assert word in isolation.words


def test_no_environment_of_others(scratch, monkeypatch):
    """Neither this process's environment nor its parents' and neighbours', nor its open files, come along."""
    monkeypatch.setenv("FURROW_TOKEN", "hunter2")
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    isolation = isolated(scratch, limits=SMALL)
    code = """
import glob, os
told = repr(dict(os.environ))
for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline"):
    try:
        told += open(path, "rb").read().decode(errors="replace")
    except OSError:
        pass
assert "hunter" + "2" not in told
print(len(glob.glob("/proc/[0-9]*")), sorted(int(one) for one in os.listdir("/proc/self/fd"))[:3])
for number in range(3, 40):
    try:
        os.write(number, b"leak")
    except OSError:
        pass
"""
    assert held(code, scratch, isolation) == "2 [0, 1, 2]\n"
    os.close(writer)
    assert os.read(reader, 4) == b""
    os.close(reader)


def test_no_way_to_more_rights(scratch):
    """No capability, no set-uid program, no namespace, mount, key, module, or look into process 1."""
    isolation = isolated(scratch, limits=SMALL)
    code = r"""
import ctypes, os, subprocess
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
assert [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 4, status
assert status["NoNewPrivs"].strip() == "1"
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x10000000) == -1, "a namespace for users"
assert libc.unshare(0x20000) == -1, "a namespace for mounts"
assert libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == -1
assert libc.umount2(b"/proc/sys", 2) == -1
assert libc.ptrace(16, 1, 0, 0) == -1
assert libc.setuid(0) == -1 or os.getuid() != 0 or os.geteuid() == int(open("/etc/passwd").read().split(":")[2])
for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/1/mem", "/proc/1/environ"):
    try:
        open(path, "r+b")
    except OSError:
        continue
    raise SystemExit(path)
for command in (["unshare", "-Ur", "true"], ["mount", "-t", "tmpfs", "x", "/tmp"], ["su", "-c", "true"], ["chroot", ".", "true"]):
    try:
        assert subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=20).returncode, command
    except FileNotFoundError:
        pass
print("held")
"""
    assert held(code, scratch, isolation) == "held\n"


def test_no_network_and_no_ipc_of_the_machine(scratch):
    """The machine's loopback, its abstract sockets and its shared memory are out of reach; its own loopback works."""
    listener = socket.create_server(("127.0.0.1", 0))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0furrow-attack-{os.getpid()}")
    abstract.listen()
    code = f"""
import os, socket
def reaches(family, address):
    with socket.socket(family) as handle:
        handle.settimeout(2)
        return handle.connect_ex(address) == 0
def tries(family, address):
    try:
        return reaches(family, address)
    except OSError:
        return False
own = socket.create_server(("127.0.0.1", 0))
for family in range(1, 45):
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
    except OSError as exc:
        assert family in (socket.AF_UNIX, socket.AF_INET) or exc.errno, family
        continue
    assert family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK), family  # no VSOCK, no ALG
print(tries(socket.AF_INET, ("127.0.0.1", {listener.getsockname()[1]})),
      tries(socket.AF_UNIX, chr(0) + "furrow-attack-{os.getpid()}"),
      tries(socket.AF_INET, ("192.0.2.1", 80)), tries(socket.AF_INET, own.getsockname()), socket.gethostname(),
      open("/proc/sysvipc/shm").read().count(chr(10)) if os.path.exists("/proc/sysvipc/shm") else 1)
"""
    said = held(code, scratch, isolated(scratch, limits=SMALL))
    listener.close()
    abstract.close()
    assert said == "False False False True held 1\n"


def ends(code: str, scratch: Path, limits: Limits) -> str:
    """What a command that must be ended, or fail, was told."""
    with pytest.raises(CommandError) as caught:
        run(python("-c", code), scratch, isolated(scratch, limits=limits))
    return "\n".join(caught.value.lines)


def test_bounds_of_time_memory_processes_and_disk(scratch):
    """A command that sleeps, hoards, forks or writes without end is ended, and the lines say which limit it passed."""
    quick = Limits(seconds=3, processes=40, memory=600_000_000, disk=20_000_000)
    assert "more than 3 seconds" in ends("import time; time.sleep(600)", scratch, quick)
    assert "MemoryError" in ends("x = bytearray(2_000_000_000)", scratch, quick)
    hoard = "import os, time\nfor _ in range(4): os.fork()\nx = bytearray(100_000_000)\nfor i in range(0, len(x), 4096): x[i] = 1\ntime.sleep(600)"
    assert "memory" in ends(
        hoard, scratch, Limits(seconds=60, processes=40, memory=600_000_000, disk=10**9)
    )
    bomb = "import os, time\nwhile True:\n    try:\n        os.fork()\n    except OSError as exc:\n        print(exc); time.sleep(600)"
    said = ends(bomb, scratch, quick)
    assert (
        "Resource temporarily unavailable" in said
        or "processes" in said
        or "more than 3 seconds" in said
    )
    large = "f = open('large', 'wb')\nfor _ in range(100): f.write(bytes(1_000_000)); f.flush()"
    assert "File too large" in ends(large, scratch, quick)
    (scratch / "large").unlink()
    many = "import time\nfor n in range(60): open(f'many-{n}', 'wb').write(bytes(1_000_000))\ntime.sleep(600)"
    assert "bytes of disk" in ends(
        many, scratch, Limits(seconds=60, processes=40, memory=10**9, disk=20_000_000)
    )
    for path in scratch.glob("many-*"):
        path.unlink()
    nameless = "import os, time\nkept = []\nfor n in range(60):\n    f = open('one', 'wb'); os.unlink('one'); f.write(bytes(1_000_000)); f.flush(); kept.append(f)\ntime.sleep(600)"
    assert "bytes of disk" in ends(
        nameless, scratch, Limits(seconds=60, processes=40, memory=10**9, disk=20_000_000)
    )


def test_holes_and_links_cost_what_they_take(tmp_path):
    """A sparse file is counted by its blocks, a link by its name, and a link's target not at all."""
    with (tmp_path / "sparse").open("wb") as handle:
        handle.truncate(1 << 40)
    (tmp_path / "link").symlink_to("/usr")
    assert 0 < disk_use([str(tmp_path)]) < 100_000


def test_nothing_outlives_the_command(scratch):
    """A daemon in a session of its own, which ignores every signal, is gone when the command has ended."""
    code = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for number in (0, 1, 2):
            os.close(number)
        while True:
            with open("alive", "a") as handle:
                handle.write("x")
            time.sleep(0.05)
    os._exit(0)
while not os.path.exists("alive"):
    time.sleep(0.05)
"""
    held(code, scratch, isolated(scratch, limits=SMALL))
    size = (scratch / "alive").stat().st_size
    time.sleep(1)
    assert (scratch / "alive").stat().st_size == size


def test_nothing_outlives_furrow(scratch):
    """When the process that holds a command is killed, so is everything in the jail."""
    isolation = isolated(scratch, limits=SMALL)
    code = "import time\nwhile True:\n    open('alive', 'a').write('x'); time.sleep(0.05)"
    process = subprocess.Popen(
        [*isolation.prefix, str(scratch), *python("-c", code)], env=isolation.environment
    )
    deadline = time.monotonic() + 60
    while not (scratch / "alive").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.5)
    size = (scratch / "alive").stat().st_size
    time.sleep(1)
    assert (scratch / "alive").stat().st_size == size


def test_output_without_end(scratch, monkeypatch):
    """Endless output, in one line too, neither fills this process's memory nor goes on."""
    monkeypatch.setattr("furrow.ground.isolate._MOST", 3_000_000)
    isolation = isolated(scratch, limits=SMALL)
    code = "import sys\nwhile True: sys.stdout.write('x' * 100_000)"
    with pytest.raises(CommandError, match="printed more than"):
        run(python("-c", code), scratch, isolation)
    with pytest.raises(CommandError, match="printed more than"):
        assert all(len(line) <= 20_000 for line in stream(python("-c", code), scratch, isolation))


@pytest.mark.nowhere
def test_refused_where_nothing_holds(scratch, monkeypatch):
    """Without namespaces nothing is given that runs a command; only what is asked for by name runs unheld, and says so."""
    monkeypatch.setattr("furrow.ground.isolate._rules", lambda: False)
    spec = {
        "binds": [],
        "hidden": [],
        "limits": {},
        "network": False,
        "root": False,
        "uid": None,
        "home": "/",
    }
    none = nowhere()
    if none is None:
        pytest.skip("the namespaces of this machine can't be taken away")
    jail = [
        sys.executable,
        "-I",
        "-m",
        "furrow.ground.jail",
        json.dumps(spec),
        str(scratch),
        "touch",
        "ran",
    ]
    done = subprocess.run([*none, *jail], capture_output=True, text=True, check=False)
    assert done.returncode == UNBUILT
    assert "no jail" in done.stderr
    assert not (scratch / "ran").exists()
    monkeypatch.setattr("furrow.ground.isolate.sys.executable", shutil.which("false"))
    with pytest.raises(HoldError, match="can't be held") as caught:
        isolated(scratch)
    assert "--unheld" in caught.value.hint
    assert unheld(scratch).words.startswith("NOT HELD")
    assert "no credentials" not in unheld(scratch).words


def test_what_does_not_hold_is_found_from_inside(scratch, elsewhere):
    """A folder that must be hidden and is not is told by the jail's own look, and nothing is run."""
    elsewhere.chmod(0o755)
    (elsewhere / "secret").mkdir()
    with pytest.raises(HoldError, match="secret can be seen"):
        isolated(scratch, readable=[elsewhere], hidden=[elsewhere / "secret"])
    usr = Path("/usr/src")
    if os.access(usr, os.W_OK):  # a repository among the system's programs
        folder = Path(tempfile.mkdtemp(dir=usr))
        try:
            (folder / "secret").write_text("x")
            isolation = isolated(scratch, hidden=[folder], limits=SMALL)
            assert (
                held(f"import os; print(os.listdir({str(folder)!r}))", scratch, isolation) == "[]\n"
            )
        finally:
            shutil.rmtree(folder)
    with pytest.raises(HoldError, match="may be written to"):
        isolated(scratch, readable=[scratch / "inside"])
