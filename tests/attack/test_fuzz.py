"""Whatever is read from outside: a value or a known error, for any bytes. `make search` goes on for minutes.

Inputs are true documents with wounds: bytes changed, cut, doubled; values of the tree exchanged for
others.
"""

import base64
import copy
import hashlib
import json
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import lmdb
import msgpack
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from furrow.ci.ci_settings import parse_settings
from furrow.clone.merge import merge_file
from furrow.data.contract import load_contract
from furrow.data.tracked import read_pointer
from furrow.errors import FurrowError
from furrow.features.manifest import parse
from furrow.features.on_demand import RequestError, coerced
from furrow.ground.pipeline import read_pipeline
from furrow.ground.trust import is_trusted
from furrow.history.signed_tags import tag_facts
from furrow.intake.mlflow_store import store_path
from furrow.plan.plan_spec import parse_plan
from furrow.replay.statement import verdict_of
from furrow.serving.serving_client import ServingClient
from furrow.stores.record import Layout, RecordError, ViewSchema
from furrow.stores.redis_wire import Wire
from furrow.training.config import parse as parse_config

pytestmark = pytest.mark.attack
ROOT = Path(__file__).parents[2]
slow = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
fewer = settings(slow, max_examples=settings().max_examples // 3)
"""For what takes a fifth of a second an example."""
LEAF = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({})
    | st.sampled_from(["../../etc/passwd", "${HOME}", "9" * 400, -(2**70), {"a": [{}]}, [[[]]], "\x00", "\ud800"])
)  # fmt: skip


def wounded_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """Its bytes with up to three wounds."""

    @st.composite
    def draw_one(draw: Any) -> bytes:
        data = bytearray(content)
        for _ in range(draw(st.integers(1, 3))):
            at = draw(st.integers(0, max(0, len(data) - 1)))
            end = min(len(data), at + draw(st.integers(0, 40)))
            kind = draw(st.sampled_from(["change", "cut", "end", "double"]))
            data[at:end] = {
                "change": lambda: draw(st.binary(max_size=12)),
                "cut": lambda: b"",
                "end": lambda: b"",
                "double": lambda: bytes(data[at:end]) * 2,  # noqa: B023 - called at once
            }[kind]()
            if kind == "end":
                del data[at:]
        return bytes(data)

    return draw_one()


def wounded_tree(value: Any) -> st.SearchStrategy[Any]:
    """A tree of values with up to three of them exchanged, taken away or put under another key."""

    @st.composite
    def draw_one(draw: Any) -> Any:
        tree = copy.deepcopy(value)
        for _ in range(draw(st.integers(1, 3))):
            node = tree
            while True:
                if not isinstance(node, dict | list) or not node:
                    break
                key = draw(
                    st.sampled_from(
                        sorted(node, key=str) if isinstance(node, dict) else range(len(node))
                    )
                )
                inner = node[key]
                if isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)):
                    node = inner
                    continue
                change = draw(st.sampled_from(["leaf", "leaf", "gone", "key"]))
                if change == "leaf" or isinstance(node, list):
                    node[key] = copy.deepcopy(
                        draw(LEAF)
                    )  # a later wound must not change what is drawn
                elif change == "gone":
                    del node[key]
                else:
                    node[draw(st.text(max_size=5))] = node.pop(key)
                break
        return tree

    return draw_one()


def known(function: Any, *arguments: Any) -> None:
    """Call it: a FurrowError is an answer, and says something that fits a screen."""
    try:
        function(*arguments)
    except FurrowError as exc:
        assert str(exc).strip()  # noqa: PT017 - either is right
        assert len(str(exc)) < 20_000  # noqa: PT017 - likewise


MANIFEST = (ROOT / "tests/features/samples/manifest_1.json").read_bytes()
CONTRACT = (ROOT / "conf/data/contract.yaml").read_bytes()
DVC = (ROOT / "dvc.yaml").read_bytes()
LOCK = (ROOT / "dvc.lock").read_bytes()[:4000]  # what it holds more of is more of the same
CONFIG = yaml.safe_load(next(iter(sorted((ROOT / "runs").glob("*/config.yaml")))).read_text())


@given(wounded_bytes(MANIFEST))
def test_manifest_bytes(content):
    """A manifest from a URL or a clone."""
    known(lambda: parse(content, origin="m"))


@given(wounded_tree(json.loads(MANIFEST)))
def test_manifest_values(tree):
    """With any value in any place."""
    try:
        text = json.dumps(tree)
    except (ValueError, TypeError):
        return
    known(lambda: parse(text, origin="m"))


def in_folder(files: dict[str, bytes], function: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        known(function, Path(folder))


PARTS = {"conf/experiments.yaml": (ROOT / "conf/experiments.yaml").read_bytes()}


@fewer
@given(wounded_bytes(DVC), st.just(LOCK) | wounded_bytes(LOCK))
def test_dvc_files(content, lock):
    """dvc.yaml and dvc.lock, as a plan reads them."""
    in_folder({"dvc.yaml": content, "dvc.lock": lock, **PARTS}, read_pipeline)


@fewer
@given(
    wounded_tree(yaml.safe_load(DVC)),
    wounded_tree(
        {
            "stages": dict(
                list(yaml.safe_load((ROOT / "dvc.lock").read_bytes())["stages"].items())[:3]
            )
        }
    ),
)
def test_dvc_values(tree, lock):
    """With any value in any place."""
    files = {"dvc.yaml": dump(tree), "dvc.lock": dump(lock), **PARTS}
    in_folder(files, read_pipeline)


def dump(tree: Any) -> bytes:
    try:
        return yaml.safe_dump(tree).encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, ValueError):
        return b""


@slow
@given(wounded_bytes(CONTRACT) | wounded_tree(yaml.safe_load(CONTRACT)).map(dump))
def test_contract(content):
    """The data contract."""
    in_folder({"c.yaml": content}, lambda folder: load_contract(folder / "c.yaml"))


@given(
    wounded_bytes(
        b"outs:\n- md5: 0123456789abcdef0123456789abcdef.dir\n  size: 1\n  nfiles: 1\n  path: data\n"
    )
)
def test_pointers(content):
    """A .dvc file."""
    in_folder({"data.dvc": content}, lambda folder: read_pointer(folder / "data.dvc"))


@slow
@given(wounded_bytes(LOCK[:3000]), wounded_bytes(LOCK[:3000]))
def test_merges(ours, theirs):
    """What Git's merge driver is given."""

    def merge(folder: Path) -> None:
        merge_file(folder / "base", folder / "ours", folder / "theirs", "dvc.lock")

    in_folder({"base": LOCK[:3000], "ours": ours, "theirs": theirs}, merge)


@given(wounded_tree(CONFIG))
def test_configs(tree):
    """A resolved config of a commit."""
    known(lambda: parse_config(tree, where="c"))


@given(st.text("a.[]{}$? ", max_size=6), st.sampled_from(["", "calibration", "problem", "search"]))
def test_keys_of_configs(key, part):
    """A key that nothing knows, whatever its characters mean to OmegaConf."""
    tree = copy.deepcopy(CONFIG)
    (tree[part] if part and tree[part] else tree)[key] = "x"
    with pytest.raises(FurrowError):
        parse_config(tree, where="c")


@given(
    wounded_bytes(
        b"branch: main\nreplay: all\nregister: {automatic: true, replayed: true}\nprepare: make\n"
    )
)
def test_ci_settings(content):
    """conf/ci.yaml."""
    known(lambda: parse_settings(content))


VERDICT = {
    "format": 1, "commit": "a" * 40, "scope": {}, "status": "identical", "first": "", "started": "2026-01-01T00:00:00",
    "seconds": 1.0, "where": "here", "furrow": "0.1.0", "settings_sha256": "",
    "environment": {"python": "3", "platform": "x", "lock": "", "lock_sha256": "", "locked": 0, "differences": []},
    "stages": [{"stage": "a", "status": "identical", "seconds": 1.0, "reasons": [], "warnings": [], "undeclared": [],
                "log": "", "outputs": [{"path": "x", "status": "identical", "recorded_md5": "", "md5": "", "sha256": {},
                                        "tracked": False, "declared": True, "differences": []}]}],
}  # fmt: skip


@given(wounded_tree(VERDICT), st.none() | LEAF)
def test_notes(tree, other):
    """What a note says: its statement is malformed, or the verdict in it is."""
    content = json.dumps(tree).encode()
    product = {"name": "verdict", "content": base64.b64encode(content).decode(),
               "digest": {"sha256": hashlib.sha256(content).hexdigest()}}  # fmt: skip
    statement = {"predicate": {"runDetails": {"byproducts": [product if other is None else other]}}}
    known(lambda: verdict_of(statement))
    known(lambda: verdict_of(tree))


@given(wounded_bytes(b'Register gbm\n\n{"metrics": {"roc_auc": 0.75}, "model_sha256": "aa"}\n'))
def test_tags(content):
    """A tag's message: facts, or none."""
    assert isinstance(tag_facts(content.decode(errors="replace")), dict)


@given(wounded_tree({"format": 1, "resources": [], "stages": [], "breaks": [], "notes": []}))
def test_plans(tree):
    """A saved plan."""
    known(lambda: parse_plan(tree, "p"))


SCHEMAS = [
    ViewSchema((("k", "String"),), (("a", "Int64"), ("b", "Float64"), ("c", "Bool"))),
    ViewSchema((("k", "String"),), (("a", "Int32"), ("s", "String"), ("l", "Array(Int64)"))),
    ViewSchema((("k", "Int64"),), (*((f"f{n}", "Float32") for n in range(70)), ("s", "String"))),
]


@given(st.data())
def test_records(data):
    """A record of the online store."""
    schema = data.draw(st.sampled_from(SCHEMAS))
    form = Layout(schema)
    whole = form.pack([None] * len(schema.features), 1)
    content = data.draw(
        wounded_bytes(whole)
        | st.binary(max_size=60)
        | st.binary(max_size=30).map(lambda b: whole + b)
    )
    try:
        form.unpack(content)
    except FurrowError as exc:
        assert isinstance(exc, FurrowError)  # noqa: PT017 - either is right


@given(
    st.sampled_from(
        ["Int32", "Int64", "Float64", "String", "Bool", "UnixTimestamp", "Array(Int64)"]
    ),
    LEAF,
)
def test_requests(dtype, value):
    """A value of a request."""
    try:
        coerced("x", dtype, value)
    except RequestError as exc:
        assert exc.field == "x"  # noqa: PT017 - either is right


READER = """
import sys
from pathlib import Path
from furrow.errors import FurrowError
from furrow.stores.lmdb_store import LmdbStore
for folder in sys.argv[1:]:
    try:
        with LmdbStore(Path(folder)) as store:
            store.mark("a")
            print(sum(1 for _ in store.items("a")))
    except FurrowError as exc:
        print("known")
"""


def test_lmdb_pages(tmp_path):
    """Damaged files of the store: a known error or an answer, in a process of its own, which must not die of it."""
    chance, folders = random.Random(7), []
    with lmdb.open(str(tmp_path / "whole"), map_size=1 << 26) as env, env.begin(write=True) as txn:
        for number in range(2000):
            txn.put(struct.pack(">I", number), bytes(chance.randrange(300)))
    whole = (tmp_path / "whole/data.mdb").read_bytes()
    for number in range(12):
        folder = tmp_path / str(number)
        folder.mkdir()
        data = bytearray(
            whole[: chance.choice([len(whole), 8192, 4096, 100, 0])] if number % 3 == 0 else whole
        )
        for _ in range(chance.choice([1, 30])) if data else ():
            data[chance.randrange(min(len(data), chance.choice([300, 8192])))] = chance.randrange(
                256
            )
        (folder / "data.mdb").write_bytes(data)
        folders.append(str(folder))
    died = []
    for folder in folders:
        done = subprocess.run(
            [sys.executable, "-P", "-c", READER, folder],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            died.append((folder, done.returncode, done.stderr[-400:]))
    assert not died


def test_the_errors_are_seen():
    """What is expected of a known error holds for one: the invariant can fail."""
    with pytest.raises(ValueError, match="unknown"):
        known(lambda: (_ for _ in ()).throw(ValueError("unknown")))
    with pytest.raises(RecordError):
        Layout(SCHEMAS[0]).unpack(b"")


BROKEN = ["redis://[::1", "redis://host:99999999/0", "redis://host:x/0", "redis://h]/0"]


@pytest.mark.parametrize("address", [*BROKEN, *(one.replace("redis", "http") for one in BROKEN)])
def test_addresses_that_are_none(address, tmp_path, monkeypatch):
    """An address that can't be parsed is told by whatever takes one, and a remote of that kind makes no owner."""
    with pytest.raises(FurrowError):
        ServingClient(address)
    with pytest.raises(FurrowError):
        Wire(address, deadline=1.0)
    with pytest.raises(FurrowError):
        store_path(address.replace("http", "sqlite"))
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    url = f"file://{address.partition('//')[2]}"
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", url], check=True)
    monkeypatch.delenv("FURROW_TRUST", raising=False)
    assert not is_trusted(tmp_path)


@given(
    tail=st.one_of(
        st.integers(-(2**63), 2**63), st.lists(st.integers(0, 9), max_size=4), st.text(), st.none()
    )
)
def test_records_that_end_with_something_else(tail):
    """A record whose loose values are of another number, or no list, is refused by name."""
    layout = Layout(ViewSchema((("k", "String"),), (("a", "String"), ("n", "Int64"))))
    whole = layout.pack(["x", 1], 5, None)
    record = whole[: layout.struct.size] + msgpack.packb(tail)
    if isinstance(tail, list) and len(tail) == 1:
        assert layout.unpack(record).values == (tail[0], 1)
        return
    with pytest.raises(RecordError, match="does not fit its schema"):
        layout.unpack(record)
