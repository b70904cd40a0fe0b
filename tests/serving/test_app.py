"""The server's own interface: answers, and for everything that is not as it should be a problem that names it."""

import json
import logging
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from furrow.errors import FurrowError
from furrow.serving import (
    http_problem,
    openapi,
    request_body,
    routes,
    scoring,
    serving_page,
    strict_json,
)
from furrow.serving.log_reader import read_records
from furrow.serving.prediction_answers import outputs_of
from furrow.serving.serve_settings import Limits, ServeSettings
from furrow.stores.store_api import StoreUnreachableError
from tests.serving.asking import application, asked
from tests.servingworld import NOW, ROW, TASKS

__all__ = [
    "http_problem",
    "openapi",
    "request_body",
    "routes",
    "scoring",
    "serving_page",
    "strict_json",
]

FORECAST = {"shop": "north", "amount": 12.5, "horizon": 1}
ROWS = {**dict.fromkeys(TASKS, ROW), "forecast": FORECAST}


@pytest.fixture(scope="module")
def server(serving_world, tmp_path_factory):
    app = application(serving_world, *TASKS, log=tmp_path_factory.mktemp("log"))
    with asked(app) as found:
        yield found


def problem(answer: httpx.Response, status: int) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["status"] == status
    assert found["type"].startswith("urn:furrow:problem:")
    return found


def test_an_answer(server):
    """Id, prediction, version, commit, and which features were absent."""
    answer = server.predict(ROW, {**ROW, "shop": "nowhere"})
    assert answer.status_code == 200, answer.text
    known, unknown = answer.json()["predictions"]
    assert 0 < known["probability"] < 1
    assert (known["version"], known["commit"]) == ("binary@v1.0.0", "c" * 40)
    assert known["features"] == {"status": "complete"}
    assert unknown["features"] == {
        "status": "incomplete",
        "absent": {"visits": "missing", "spent_mean": "missing"},
    }
    assert known["id"] != unknown["id"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("task", TASKS)
def test_each_task(server, task):
    """A probability; classes, the likeliest named; a number and its interval."""
    found = server.predict(ROWS[task], path=f"/models/{task}/predict").json()["predictions"][0]
    if task == "binary":
        assert set(found) == {"id", "probability", "version", "commit", "features"}
    elif task == "multiclass":
        assert sum(found["classes"].values()) == pytest.approx(1)
        assert found["classes"][found["class"]] == max(found["classes"].values())
    else:
        assert found["interval"]["low"] < found["prediction"] < found["interval"]["high"]


def test_an_explanation(server):
    """The columns that moved it most, with what the model saw."""
    found = server.predict(ROW, path="/predict?explain=1").json()["predictions"][0]["explanation"]
    assert {one["column"] for one in found} == {"shop", "weekday", "visits", "spent_mean", "share"}
    assert found[0]["column"] == "visits"
    assert found[0]["value"] == 10
    many = server.predict(*[ROW] * 17, path="/predict?explain=1")
    assert problem(many, 413)["detail"] == "a request may have 16 rows with explanations, not 17"
    assert problem(server.predict(ROW, path="/predict?explain=yes"), 400)["type"].endswith("query")


def test_every_answer_is_in_the_log(serving_world, tmp_path):
    """What was told is what is written, with all that it came from."""
    with asked(application(serving_world, log=tmp_path)) as server:
        told = server.predict(ROW, {**ROW, "shop": "south", "visits": 4}).json()["predictions"]
    written = {one.id: one for one in read_records(tmp_path)}
    assert list(written) == [one["id"] for one in told]
    record = written[told[1]["id"]]
    assert record.prediction == {"probability": told[1]["probability"]}
    assert (record.model, record.version, record.commit) == ("binary", "binary@v1.0.0", "c" * 40)
    assert record.keys == {"shop": "south"}
    assert record.request == {"amount": 12.5, "weekday": 3, "visits": 4}
    assert record.statuses == {"visits": "given", "spent_mean": "null", "share": "null"}
    assert record.event_times["spent_mean"] == NOW - timedelta(hours=2)
    assert record.features["visits"] == 4
    assert record.latency_us > 0
    assert record.service == "full"


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 400, "body"),
        (b"{", 400, "body"),
        (b"[]", 400, 'an object with "rows"'),
        (b"null", 400, "not null"),
        (b"\xff{}", 400, "not UTF-8"),
        (b"{}", 400, 'lacks "rows"'),
        (b'{"rows": [], "more": 1}', 400, "'more' that means nothing"),
        (b'{"rows": {}}', 400, "must be a list"),
        (b'{"rows": []}', 422, "no row"),
        (b'{"rows": [[]]}', 422, "row 0 must be an object"),
        (b'{"rows": [{"shop": "a", "shop": "b"}]}', 400, "the key 'shop' stands twice"),
        (b'{"rows": [{"shop": NaN}]}', 400, "NaN is not a number"),
        (b'{"rows": [{"shop": -Infinity}]}', 400, "-Infinity is not a number"),
        (b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "nested"),
        (b'{"rows": [{"shop": ' + b'{"a":' * 20 + b"1" + b"}" * 20 + b"}]}", 400, "nested"),
        (b'{"rows": [{"shop": "a", "weekday": ' + b"9" * 5000 + b"}]}", 400, ""),
        (b'{"rows": [{"shop": "a"}]} trailing', 400, ""),
    ],
)
def test_bodies_that_are_refused(server, content, status, said):
    """Malformed, ambiguous or beyond bounds: refused with a reason, whatever a parser would make of it."""
    answer = server(
        "POST", "/predict", content=content, headers={"content-type": "application/json"}
    )
    assert said in problem(answer, status)["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"weekday": 2**70}, "weekday"),
        ({"weekday": "3"}, "weekday"),
        ({"weekday": True}, "weekday"),
        ({"shop": 3}, "shop"),
        ({"shop": "\ud800"}, "shop"),
        ({"amount": "much"}, "amount"),
        ({"amount": 10**309}, "amount"),
        ({"_target_": "os.system"}, "_target_"),
        ({"../../etc/passwd": 1}, "../../etc/passwd"),
    ],
)
def test_a_wrong_field_is_named(server, change, field):
    """Row and field, in the problem itself."""
    found = problem(server("POST", "/predict", content=json.dumps({"rows": [ROW, {**ROW, **change}]}),
                           headers={"content-type": "application/json"}), 422)  # fmt: skip
    assert (found["row"], found["field"]) == (1, field)
    assert found["type"] == "urn:furrow:problem:row"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
ROWLIKE = st.dictionaries(
    st.sampled_from(["shop", "amount", "weekday", "visits", "more"]), JSON, max_size=5
)


@settings(max_examples=60)
@given(st.one_of(JSON, st.fixed_dictionaries({"rows": st.lists(ROWLIKE, max_size=3)})))
def test_whatever_comes_is_answered(server, value):
    """Any JSON is a prediction for each row or a problem of the asker's; never a fault of the server."""
    answer = server(
        "POST", "/predict", content=json.dumps(value), headers={"content-type": "application/json"}
    )
    if answer.status_code == 200:
        assert len(answer.json()["predictions"]) == len(value["rows"])
    else:
        assert 400 <= answer.status_code < 500
        assert answer.json()["detail"]


def test_paths_and_methods(server):
    assert problem(server("GET", "/nothing"), 404)["hint"] == "/ says what there is"
    for path in ("/models/no/predict", "/v2/models/no/infer"):
        assert "there is no model 'no'" in problem(server.predict(ROW, path=path), 404)["detail"]
    found = server("GET", "/predict")
    assert problem(found, 405)["detail"].startswith("this path takes POST")
    assert found.headers["allow"] == "POST"
    for path in (
        "/models/../../etc/passwd/predict",
        "/v2/models/../x",
        "/models//predict",
        "/models/a/b/c/d",
    ):
        assert server("POST", path, json={"rows": [ROW]}).status_code == 404, path


def test_bounds(serving_world):
    """Bytes, rows, types of content, seconds."""
    limits = Limits(body=400, rows=3, seconds=5.0)
    with asked(application(serving_world, limits=limits)) as server:
        assert server.predict(ROW, ROW, ROW).status_code == 200
        assert (
            problem(server.predict(*[ROW] * 4), 413)["detail"] == "a request may have 3 rows, not 4"
        )
        assert problem(server.predict(*[ROW] * 20), 413)["type"].endswith("body-size")

        async def drip():
            for _ in range(100):
                yield b" " * 50

        headers = {"content-type": "application/json"}
        assert problem(server("POST", "/predict", content=drip(), headers=headers), 413)
        assert (
            problem(server("POST", "/predict", content=b"{}"), 415)["detail"]
            == "the body must be application/json"
        )
        assert problem(
            server(
                "POST", "/predict", content=b"x", headers={**headers, "content-encoding": "gzip"}
            ),
            415,
        )
        for bad in ("0", "-1", "1e3", "soon", "61", "9" * 40):
            assert (
                problem(server.predict(ROW, headers={"x-request-timeout": bad}), 400)["field"]
                == "X-Request-Timeout"
            )
        assert server.predict(ROW, headers={"x-request-timeout": "2.5"}).status_code == 200


def test_sites(server, serving_world):
    """Another host's name, or another site's page, is refused before anything is read."""
    for host in ("evil.example", "127.0.0.1.evil.example:8080", ""):
        assert problem(server.predict(ROW, headers={"host": host}), 403)["type"].endswith("host")
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9999"):
        assert problem(server.predict(ROW, headers={"origin": origin}), 403)["type"].endswith(
            "origin"
        )
    assert server.predict(ROW, headers={"origin": "http://127.0.0.1:8080"}).status_code == 200
    for host in ("localhost:1", "[::1]:8080", "LOCALHOST"):
        assert server.predict(ROW, headers={"host": host}).status_code == 200


def test_the_example_of_openapi_works(server):
    """For every model: what the document says of a row can be sent as it stands."""
    for task in TASKS:
        server("GET", f"/models/{task}")
    document = server("GET", "/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    for task in TASKS:
        body = document["paths"][f"/models/{task}/predict"]["post"]["requestBody"]["content"][
            "application/json"
        ]
        assert server("POST", f"/models/{task}/predict", json=body["example"]).status_code == 200
    row = document["components"]["schemas"]["binary_row"]
    assert row["properties"]["weekday"]["type"] == ["integer", "null"]
    assert row["properties"]["shop"]["examples"] == ["north", "south", "west"]
    assert set(row["required"]) == {"shop", "amount", "weekday"}
    answer = document["components"]["schemas"]["multiclass_prediction"]
    assert answer["properties"]["class"]["enum"] == ["few", "many", "some"]


def test_the_page(server):
    """It shows the example, and its policy lets nothing run."""
    answer = server("GET", "/")
    assert "<script" not in answer.text
    assert "POST /predict" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_health_and_counts(server):
    """Alive, ready, counted by route, status and model."""
    assert server("GET", "/healthz").json() == {"status": "alive"}
    assert server("GET", "/readyz").json()["version"] == "binary@v1.0.0"
    assert server("HEAD", "/healthz").content == b""
    server.predict(ROW)
    text = server("GET", "/metrics").text
    assert 'furrow_requests_total{route="predict",status="200"}' in text
    assert 'furrow_predictions_total{model="binary",version="binary@v1.0.0",variant="main"}' in text
    assert 'furrow_refused_total{kind="row"}' in text
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(float(line.rpartition(" ")[2]) >= 0 for line in samples)
    buckets = [float(line.rpartition(" ")[2]) for line in samples if "_bucket" in line]
    assert buckets == sorted(buckets)


def test_it_is_not_ready_before_it_has_started(serving_world):
    app = application(serving_world)
    with asked(app) as server:
        app.started = False
        assert problem(server("GET", "/readyz"), 503)["type"].endswith("not-ready")
        assert server("GET", "/healthz").status_code == 200


def test_what_the_servers_fault_tells(serving_world, caplog, monkeypatch):
    """Nothing of its inside goes out; its log has it."""
    app = application(serving_world)
    with asked(app) as server:
        scorer = app.host.current("binary").scorer

        def fail(error):
            def score(rows, *, at=None):
                raise error

            monkeypatch.setattr(scorer, "score", score)
            with caplog.at_level(logging.ERROR, "furrow.serving"):
                return server.predict(ROW)

        found = fail(StoreUnreachableError("redis at /secret/place is gone", place="/secret/place"))
        assert "secret" not in found.text
        assert problem(found, 503)["type"].endswith("features-unreachable")
        assert found.headers["retry-after"] == "1"
        assert "/secret/place" in caplog.text
        found = fail(RuntimeError("password hunter2"))
        assert (
            problem(found, 500)["detail"] == "the server failed on this request; its log says how"
        )
        assert "hunter2" not in found.text
        assert "hunter2" in caplog.text


def test_traces_are_passed_on(server):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert server.predict(ROW, headers={"traceparent": trace}).headers["traceparent"] == trace
    assert "traceparent" not in server.predict(ROW, headers={"traceparent": "x\ty"}).headers


def test_an_answer_as_of_a_moment(serving_world):
    """A server may answer as of a time of history: what was known after it is missing."""
    with asked(application(serving_world, at=NOW - timedelta(hours=1, minutes=30))) as server:
        early, late = server.predict({**ROW, "shop": "south"}, ROW).json()["predictions"]
        assert early["features"] == {"status": "complete"}
        assert late["features"]["absent"]["visits"] == "missing"
    assert datetime.now(UTC) >= NOW


def test_it_listens_to_strangers_only_when_told(tmp_path):
    """Beyond this machine it wants tokens, or to be told that none are wanted."""
    with pytest.raises(FurrowError, match="lets in whoever reaches"):
        ServeSettings(address="0.0.0.0").check(open_to_all=False)
    ServeSettings(address="0.0.0.0").check(open_to_all=True)
    ServeSettings(address="0.0.0.0", tokens=tmp_path / "t").check(open_to_all=False)
    ServeSettings().check(open_to_all=False)
    with pytest.raises(FurrowError, match="belong together"):
        ServeSettings(certificate=tmp_path / "c").check(open_to_all=False)


def test_predictions_by_what_they_are():
    """A probability, the likeliest of the classes, a number with its interval or without."""
    assert outputs_of({"probability": 0.25}) == {"probability": 0.25}
    classes = outputs_of({"probability_a": 0.2, "probability_b": 0.8})
    assert classes == {"class": "b", "classes": {"a": 0.2, "b": 0.8}}
    assert outputs_of({"prediction": 3.0, "low": 1.0, "high": 4.0})["interval"] == {
        "low": 1.0,
        "high": 4.0,
    }
    assert outputs_of({"prediction": 3.0, "low": None, "high": None}) == {
        "prediction": 3.0,
        "interval": None,
    }
