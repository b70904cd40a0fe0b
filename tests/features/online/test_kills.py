"""kill -9 at any moment of a materialization: what is served stays whole, and the next run converges."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from furrow.features.materialize import materialize
from furrow.stores.lmdb_store import LmdbStore

if TYPE_CHECKING:
    from conftest import World

KILLS = [30, pytest.param(250, marks=pytest.mark.long)]

SCRIPT = textwrap.dedent(
    """
    import json, os, random, shutil, signal, sys, time
    from pathlib import Path
    from furrow.stores import source_rows as rows
    from furrow.features.materialize import materialize
    from furrow.stores import lmdb_store
    from furrow.stores.record import Layout

    folder, versions, kills = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    lmdb_store._CHUNK, rows._BATCH = 40, 120  # many small transactions
    live = folder.parent / "build" / "tables" / "drivers"
    oracle = json.loads((versions / "oracle.json").read_text())
    chance = random.Random(7)
    finished = interrupted = 0
    store = None
    def child(full):
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            try:
                materialize(folder, full=full)
            except BaseException:
                os._exit(1)
            os._exit(0)
        return pid

    begun = time.perf_counter()
    assert os.waitpid(child(True), 0)[1] == 0
    usual = time.perf_counter() - begun
    shutil.rmtree(live.parent.parent / "online")
    for turn in range(kills):
        step = chance.randrange(4)
        if step == 0:  # another version of a file that was read before: a rebuild
            name = f"a{chance.randrange(3)}.parquet"
            shutil.copy(versions / name, live / "tmp")
            os.replace(live / "tmp", live / "part-0.parquet")
        elif step == 1:  # a file more, or one less
            name = f"b{chance.randrange(4)}.parquet"
            if (live / name).exists():
                (live / name).unlink()
            else:
                shutil.copy(versions / name, live / "tmp")
                os.replace(live / "tmp", live / name)
        pid = child(step == 2)
        time.sleep(chance.random() * usual * 1.2)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            interrupted += 1
        else:
            assert os.WEXITSTATUS(status) == 0, "a run failed"
            finished += 1
        if not (live.parent.parent / "online" / "data.mdb").exists():
            continue
        if store is None:
            store = lmdb_store.LmdbStore(live.parent.parent / "online")
        if "small/drivers" not in store.held():
            continue
        layout = Layout(store.held()["small/drivers"].schema)
        served = {key: layout.unpack(record) for key, record in store.items("small/drivers")}
        mark = store.mark("small/drivers")
        for name, _ in mark["files"].items():  # all that the watermark says is in
            for key, event in oracle.get(name, {}).items():
                found = served.get(bytes.fromhex(key))
                assert found is not None and found.event >= event, (turn, name, key)
    print(json.dumps({"finished": finished, "interrupted": interrupted}))
    sys.stdout.flush()
    """
)


@pytest.mark.parametrize("kills", KILLS)
def test_kills(world: World, kills: int) -> None:
    """After each kill the served view has all that its watermark says; in the end, what an undisturbed run makes."""
    versions = world.root / "versions"
    versions.mkdir()
    live = world.root / "build" / "tables" / "drivers"
    (live / "a.parquet").unlink()
    oracle: dict[str, dict[str, int]] = {}
    base = round(world.now.timestamp()) * 1_000_000
    for name, first in [("a0", 0), ("a1", 50), ("a2", 100), *((f"b{n}", 30 * n) for n in range(4))]:
        rows = [
            world.driver(key, float(first), hours=1 + (key * 7 + first) % 20)
            for key in range(first, first + 500)
        ]
        made = world.write("drivers", f"{name}.parquet", rows)
        made.rename(versions / made.name)
        if name.startswith("b"):
            oracle[f"{name}.parquet"] = {
                row["id"].to_bytes(8, "big").hex(): base
                - (1 + (row["id"] * 7 + first) % 20) * 3_600_000_000
                for row in rows
            }
    (versions / "oracle.json").write_text(json.dumps(oracle))
    (live / "part-0.parquet").write_bytes((versions / "a0.parquet").read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(world.folder), str(versions), str(kills)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["interrupted"] > kills // 4, counts

    def content() -> dict[str, list[tuple[bytes, bytes]]]:
        with LmdbStore(world.store) as store:
            return {view: list(store.items(view)) for view in store.held()}

    materialize(world.folder)
    survived = content()
    world.store.rename(world.root / "survived")
    materialize(world.folder)
    assert survived == content()
    assert len(survived["small/drivers"]) >= 500
