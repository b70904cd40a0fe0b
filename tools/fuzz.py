"""Coverage-guided fuzzing of every reader of outside input, for minutes: atheris, where it is installed.

`python tools/fuzz.py --minutes 4` gives each target its share of the time, in a process of its own.
A target takes any
bytes: a FurrowError is an answer; another exception, a crash, a hang or memory without end is a
fault, whose input is kept in a file that is named. Without atheris (the extra `fuzz`) hypothesis
alone draws: tests/attack/test_fuzz.py.

Exit codes: 0 nothing was found; 1 something was; 3 atheris is not installed, and nothing was tried.
"""

# ruff: noqa: PLC0415 - what is fuzzed is imported where atheris instruments it

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
Target = Callable[[bytes, Path], None]


def manifest(content: bytes, _: Path) -> None:
    """A manifest from a URL or a clone."""
    from furrow.features.manifest import parse

    parse(content, origin="m")


def dvc_yaml(content: bytes, folder: Path) -> None:
    """dvc.yaml, as a plan reads it."""
    from furrow.ground.pipeline import read_pipeline

    (folder / "dvc.yaml").write_bytes(content)
    read_pipeline(folder)


def contract(content: bytes, folder: Path) -> None:
    """The data contract."""
    from furrow.data.contract import load_contract

    (folder / "c.yaml").write_bytes(content)
    load_contract(folder / "c.yaml")


def notes(content: bytes, _: Path) -> None:
    """The statement in a note."""
    from furrow.parse import parse_json
    from furrow.replay.statement import verdict_of

    verdict_of(parse_json(content))


def tags(content: bytes, _: Path) -> None:
    """A tag object."""
    from furrow.models.registry import _said

    _said("tag", content)


def records(content: bytes, _: Path) -> None:
    """A record of the online store; the first byte says of how many features."""
    from furrow.stores.record import Layout, ViewSchema

    kinds = ["Int64", "Float64", "Bool", "Int32", "String", "Array(Int64)", "UnixTimestamp"]
    columns = tuple(
        (f"f{number}", kinds[number % len(kinds)]) for number in range(content[0] if content else 1)
    )
    Layout(ViewSchema((("k", "String"),), columns or (("a", "Int64"),))).unpack(content[1:])


def lmdb_pages(content: bytes, folder: Path) -> None:
    """A store whose first pages have some other bytes: two for the place, one for what stands there."""
    from furrow.stores.lmdb_store import LmdbStore

    whole = bytearray(store())
    for at in range(0, len(content) - 2, 3):
        whole[int.from_bytes(content[at : at + 2], "big") % len(whole)] = content[at + 2]
    (folder / "data.mdb").write_bytes(whole)
    with LmdbStore(folder) as opened:
        opened.mark("a")
        sum(1 for _ in opened.items("a"))


def trees(content: bytes, _: Path) -> None:
    """A file of trees with some other bytes: two for the place, one for what stands there."""
    from furrow.training.scorers import _trees

    whole = bytearray(forest())
    for at in range(0, len(content) - 2, 3):
        whole[int.from_bytes(content[at : at + 2], "big") % len(whole)] = content[at + 2]
    opened = _trees(bytes(whole), single=False)
    opened.row([0.5] * opened.model.num_feature)


def requests(content: bytes, _: Path) -> None:
    """A value of a request, behind its type."""
    from furrow.features.on_demand import coerced
    from furrow.parse import parse_json

    kind, _, text = content.partition(b" ")
    coerced("x", kind.decode(errors="replace"), parse_json(text))


TARGETS: dict[str, tuple[Target, Callable[[], list[bytes]]]] = {
    "manifest": (
        manifest,
        lambda: [(ROOT / "tests/features/samples/manifest_1.json").read_bytes()],
    ),
    "dvc.yaml": (
        dvc_yaml,
        lambda: [
            (ROOT / "dvc.yaml").read_bytes()[:3000],
            b"stages:\n  a:\n    cmd: x\n    outs: [y]\n",
        ],
    ),
    "contract": (contract, lambda: [(ROOT / "conf/data/contract.yaml").read_bytes()]),
    "notes": (
        notes,
        lambda: [
            b'{"predicate": {"runDetails": {"byproducts": [{"name": "verdict", "content": "e30="}]}}}'
        ],
    ),
    "tags": (
        tags,
        lambda: [b'object a\ntagger A <a@b> 1 +0000\n\nRegister gbm\n\n{"model_sha256": "aa"}\n'],
    ),
    "records": (records, lambda: [bytes([7]) + bytes(40)]),
    "LMDB pages": (lmdb_pages, lambda: [b"", bytes([0, 16, 1])]),
    "trees": (trees, lambda: [b"", bytes([0, 22, 1])]),
    "requests": (requests, lambda: [b"Int64 5", b'String "x"', b"Array(Int64) [1, 2]"]),
}


def store(made: list[bytes] = []) -> bytes:  # noqa: B006 - made once a process
    """The bytes of a small store."""
    if not made:
        import lmdb

        with tempfile.TemporaryDirectory() as folder:
            with lmdb.open(folder, map_size=1 << 20) as env, env.begin(write=True) as txn:
                for number in range(50):
                    txn.put(b"a%d" % number, bytes(20))
            made.append((Path(folder) / "data.mdb").read_bytes())
    return made[0]


def forest(made: list[bytes] = []) -> bytes:  # noqa: B006 - made once a process
    """The bytes of a few trees."""
    if not made:
        import numpy as np
        import treelite.sklearn
        from sklearn.ensemble import HistGradientBoostingClassifier

        rows = np.random.RandomState(1).normal(size=(200, 4))
        fitted = HistGradientBoostingClassifier(max_iter=3).fit(rows, rows[:, 0] > 0)
        made.append(treelite.sklearn.import_model(fitted).serialize_bytes())
    return made[0]


def once(name: str, content: bytes, folder: Path) -> None:
    """Give a target one input.

    Raises:
        Exception: Anything but a known error: a fault.
    """
    from furrow.errors import FurrowError

    try:
        TARGETS[name][0](content, folder)
    except FurrowError:
        return


def fuzz(name: str, seconds: int, room: Path) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    os.environ["XDG_STATE_HOME"] = os.devnull  # a store is looked at each time
    corpus = room / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name][1]()):
        (corpus / f"seed{number}").write_bytes(seed)
    scratch = room / "scratch"
    scratch.mkdir(exist_ok=True)
    with atheris.instrument_imports(include=["furrow"]):
        once(name, TARGETS[name][1]()[0], scratch)
    limits = [
        f"-max_total_time={seconds}",
        "-timeout=60",
        "-rss_limit_mb=3000",
        f"-artifact_prefix={room}/",
    ]
    atheris.Setup(
        [sys.argv[0], *limits, "-print_final_stats=0", str(corpus)],
        lambda content: once(name, content, scratch),
    )
    atheris.Fuzz()


def main() -> int:
    """Fuzz all targets, or the one that is named; the exit code."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--minutes", type=float, default=4.0, help="of all targets together")
    asked.add_argument("--target", choices=sorted(TARGETS), help="only this one, in this process")
    asked.add_argument("--keep", type=Path, help="where inputs are kept that found something")
    given = asked.parse_args()
    if find_spec("atheris") is None:
        print(
            "atheris is not installed (pip install 'furrow[fuzz]'): hypothesis alone draws inputs"
        )
        return 3
    keep = given.keep or Path(tempfile.mkdtemp(prefix="furrow-fuzz-"))
    if given.target:
        fuzz(given.target, max(1, round(given.minutes * 60)), keep)
        return 0
    found = {}
    for name in TARGETS:
        room = keep / name.replace(" ", "-")
        room.mkdir(parents=True)
        share = [f"--minutes={given.minutes / len(TARGETS)}", f"--target={name}", f"--keep={room}"]
        done = subprocess.run(
            [sys.executable, __file__, *share],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            errors="replace",
        )
        tried = next(
            (line for line in reversed(done.stderr.splitlines()) if line.startswith("Done ")),
            "ended early",
        )
        print(f"{name}: {tried if not done.returncode else f'FOUND something: {room}'}", flush=True)
        if done.returncode:
            found[name] = done.stderr[-3000:]
            print(found[name])
    (keep / "summary.json").write_text(json.dumps(sorted(found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
