"""The host: loaded when asked for, once, within bounds; swapped whole while requests run."""

import threading

import pytest

from furrow.serving.model_host import Host, Loaded, UnknownModelError
from furrow.serving.server_metrics import ServerMetrics
from tests.serving.asking import application, asked, host_of
from tests.servingworld import ROW


def loaded(name: str, version: str = "v1") -> Loaded:
    return Loaded(None, name, version)


def test_a_hundred_models_within_bounds():
    """As many stay as may, those that were used last; the others are loaded again when they are asked for."""
    opened = []
    host = Host(
        {f"m{n}": lambda n=n: opened.append(n) or loaded(f"m{n}") for n in range(100)}, most=10
    )
    for n in range(100):
        assert host.current(f"m{n}").name == f"m{n}"
    assert sum(host.ready(name) is not None for name in host.names()) == 10
    host.current("m95")
    for n in range(9):
        host.current(f"m{n}")
    assert host.ready("m95") is not None
    assert host.ready("m96") is None
    assert len(opened) == 109


def test_one_thread_loads():
    """Many ask at once, one opens."""
    opened, gate = [], threading.Event()

    def opener():
        gate.wait(5)
        opened.append(1)
        return loaded("m")

    host = Host({"m": opener})
    threads = [threading.Thread(target=host.current, args=("m",)) for _ in range(8)]
    for one in threads:
        one.start()
    gate.set()
    for one in threads:
        one.join()
    assert opened == [1]


def test_unknown_names():
    host = Host({"a": lambda: loaded("a"), "b": lambda: loaded("b")})
    with pytest.raises(UnknownModelError, match="no model 'c'"):
        host.current("c")
    with pytest.raises(UnknownModelError, match="no model is named, and there are several"):
        host.current("")
    assert host.default == ""
    assert Host({"a": lambda: loaded("a")}).default == "a"


def test_a_swap(serving_world):
    """The next request is answered by the other version, which it names; the one before stays whole in who holds it."""
    app = application(serving_world)
    with asked(app) as server:
        first = server.predict(ROW).json()["predictions"][0]
        other = host_of(serving_world, "binary").current("binary")
        before = app.host.swap("binary", Loaded(other.scorer, "binary", "binary@v2.0.0", "d" * 40))
        second = server.predict(ROW).json()["predictions"][0]
        assert (first["version"], second["version"]) == ("binary@v1.0.0", "binary@v2.0.0")
        assert before.version == "binary@v1.0.0"
        assert before.scorer.score([ROW])[0].prediction["probability"] == second["probability"]


def test_a_host_may_divide_rows(serving_world):
    """Rows of one request may go to two versions: each names its own, in the rows' order."""
    app = application(serving_world)
    with asked(app) as server:
        main = app.host.current("binary")
        canary = Loaded(main.scorer, "binary", "binary@v2.0.0", variant="canary")
        app.host.split = lambda name, rows: [(main, [0, 2]), (canary, [1])]
        found = server.predict(ROW, ROW, {**ROW, "amount": 1.0}).json()["predictions"]
        assert [one["version"] for one in found] == [
            "binary@v1.0.0",
            "binary@v2.0.0",
            "binary@v1.0.0",
        ]
        assert 'variant="canary"} 1' in server("GET", "/metrics").text


def test_workers_add_their_counts_up(tmp_path):
    """Each leaves its own; a worker that has died is counted, but holds no memory."""
    one, other = ServerMetrics(tmp_path), ServerMetrics(tmp_path)
    other._path = tmp_path / "metrics-999999999.json"
    one.request("predict", 200, 0.002)
    other.request("predict", 200, 0.3)
    other.save(now=True)
    text = one.text()
    assert 'furrow_requests_total{route="predict",status="200"} 2' in text
    assert 'furrow_request_seconds_bucket{le="0.0025"} 1' in text
    assert 'furrow_request_seconds_bucket{le="+Inf"} 2' in text
    before = float(text.partition("\nfurrow_resident_bytes ")[2].split()[0])
    assert before < 1.5 * one._own()["furrow_resident_bytes"]
