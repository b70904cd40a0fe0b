"""The interfaces of other servers: the same rows give the same scores through each, and what they can't say is refused."""

import pytest

from furrow.serving.csv_body import read_csv
from furrow.serving.http_problem import Problem
from furrow.serving.open_inference import model_metadata
from furrow.serving.protocols import FORMS
from furrow.serving.row_fields import RowField, RowFields
from tests.serving.asking import application, asked
from tests.servingworld import ROW

ROWS = [
    ROW,
    {"shop": "south", "amount": 3.0, "weekday": 1},
    {"shop": "west", "amount": None, "weekday": 5},
]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROW}


@pytest.fixture(scope="module")
def server(serving_world):
    with asked(
        application(serving_world, "binary", "regression", vertex=("/health", "/predict/vertex"))
    ) as found:
        yield found


@pytest.fixture(scope="module")
def scores(server):
    return [one["probability"] for one in server.predict(*ROWS).json()["predictions"]]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": ROWS},
        {"dataframe_split": {"columns": list(ROW), "data": [list(row.values()) for row in ROWS]}},
        {
            "dataframe_split": {
                "columns": list(ROW),
                "index": [0, 1, 2],
                "data": [list(row.values()) for row in ROWS],
            }
        },
        {"instances": ROWS},
        {"inputs": COLUMNS},
        {"inputs": ROWS},
        {"rows": ROWS, "params": {}},
    ],
)
def test_mlflow_and_sagemaker(server, scores, body):
    """`/invocations` takes what MLflow's scoring server takes; SageMaker calls the same path."""
    answer = server("POST", "/invocations", json=body)
    assert answer.status_code == 200, answer.text
    assert [one["probability"] for one in answer.json()["predictions"]] == scores
    assert set(FORMS) == {"rows", "vertex", "invocation"}


def test_vertex(server, scores):
    answer = server("POST", "/predict/vertex", json={"instances": ROWS})
    assert [one["probability"] for one in answer.json()["predictions"]] == scores
    assert server("GET", "/health").status_code == 200
    assert server("GET", "/ping").status_code == 200
    assert (
        server(
            "POST", "/predict/vertex", json={"instances": ROWS, "parameters": {"a": 1}}
        ).status_code
        == 400
    )


def infer(**more):
    kinds = {"shop": "BYTES", "amount": "FP64", "weekday": "INT64"}
    inputs = [
        {"name": name, "shape": [3], "datatype": kinds[name], "data": COLUMNS[name]} for name in ROW
    ]
    return {"id": "42", "inputs": inputs, **more}


def test_open_inference(server, scores):
    """Version 2 of the protocol: metadata, health, tensors in and out."""
    answer = server("POST", "/v2/models/binary/infer", json=infer()).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == (
        "binary",
        "binary@v1.0.0",
        "42",
    )
    outputs = {one["name"]: one for one in answer["outputs"]}
    assert outputs["probability"] == {
        "name": "probability",
        "shape": [3],
        "datatype": "FP64",
        "data": scores,
    }
    assert len(set(outputs["id"]["data"])) == 3
    chosen = server(
        "POST", "/v2/models/binary/infer", json=infer(outputs=[{"name": "probability"}])
    ).json()
    assert [one["name"] for one in chosen["outputs"]] == ["probability"]
    found = server("GET", "/v2/models/binary").json()
    assert found["inputs"][0] == {"name": "shop", "datatype": "BYTES", "shape": [-1]}
    assert [one["name"] for one in found["outputs"]] == ["id", "probability"]
    assert found == model_metadata(server.app.host.current("binary"))
    assert server("GET", "/v2/models/binary/ready").status_code == 200
    assert server("GET", "/v2/models/no/ready").status_code == 404
    assert server("GET", "/v2").json()["name"] == "furrow"


def changed(**change):
    body = infer()
    body["inputs"][2] = {**body["inputs"][2], **change}
    return body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"inputs": []}, "a list of tensors"),
        ({"inputs": [1]}, "must be an object"),
        (changed(datatype="FP32"), "must have the datatype INT64"),
        (changed(name="nothing"), "has no input 'nothing'"),
        (changed(name="shop", datatype="BYTES"), "stands there twice"),
        (changed(shape=[2]), "shape says 2 rows, data has 3"),
        (changed(shape=[3, 2]), "shape must be"),
        (changed(shape=[True]), "shape must be"),
        (changed(shape=[2], data=[1, 2]), "has 2 values"),
        (changed(parameters={"binary_data_size": 4}), "binary data"),
        (changed(data=[1, 2, "x"]), "row 2: weekday must be Int64"),
        (infer(outputs=[{"name": "logit"}]), "there is no output 'logit'"),
        (infer(parameters={"priority": 1}), "mean nothing here"),
    ],
)
def test_inferences_that_are_refused(server, body, said):
    answer = server("POST", "/v2/models/binary/infer", json=body)
    assert answer.status_code in (400, 422), answer.text
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "must be an object"),
        ({}, "must have one of them"),
        ({"instances": ROWS, "inputs": ROWS}, "must have one of them"),
        ({"inputs": {}}, "rows, or columns"),
        ({"inputs": {"shop": ["a"], "amount": []}}, "'amount' has 0 values"),
        ({"inputs": 5}, "rows, or columns"),
        ({"rows": ROWS, "params": {"a": 1}}, "means nothing here"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, "a column twice"),
        (
            {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}},
            "row 0 must be a list of 1 values",
        ),
        ({"dataframe_split": {"columns": [1], "data": []}}, "a list of names"),
        ({"dataframe_split": {"columns": ["a"], "data": {}}}, 'needs "data"'),
        ({"dataframe_records": [1]}, "row 0 must be an object"),
    ],
)
def test_invocations_that_are_refused(server, body, said):
    answer = server("POST", "/invocations", json=body)
    assert answer.status_code in (400, 422), answer.text
    assert said in answer.json()["detail"]


def test_csv_as_sagemaker_s_clients_send_it(server):
    """A header of fields and a line a row; the same scores as of JSON, and an empty value is null."""
    rows = [dict(ROW), {**ROW, "amount": None}]
    expected = server("POST", "/invocations", json={"rows": rows}).json()["predictions"]
    text = "shop,weekday,amount\nnorth,3,12.5\n\nnorth,3,\n"
    answer = server("POST", "/invocations", content=text, headers={"content-type": "text/csv"})
    assert answer.status_code == 200, answer.text
    told = answer.json()["predictions"]
    assert [one["probability"] for one in told] == [one["probability"] for one in expected]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("north,3,12.5", "must name fields"),
        ("shop,shop\na,b", "twice"),
        ("shop,weekday,amount\nnorth,3", "row 0 has 2 values"),
        ("shop,weekday,amount\nnorth,three,1", "weekday must be Int64"),
        ("shop,weekday\nnorth,3", "lacks amount"),
        ('shop,weekday,amount\n"north,3,1', "not CSV"),
        ("", "must name fields"),
        ("shop,weekday,amount\n", "no row"),
    ],
)
def test_csv_that_is_refused(server, text, said):
    answer = server("POST", "/invocations", content=text, headers={"content-type": "text/csv"})
    assert answer.status_code in (400, 422), answer.text
    assert said in answer.text
    other = server("POST", "/predict", content=text, headers={"content-type": "text/csv"})
    assert other.status_code == 415


def test_csv_values_are_read_as_their_fields_types():
    """Numbers, truth and texts; a number that the type refuses is told with row and field."""
    fields = RowFields([RowField("n", "Int64", "key"), RowField("x", "Float64", "request"),
                        RowField("ok", "Bool", "request"), RowField("at", "UnixTimestamp", "request")])  # fmt: skip
    rows = read_csv(b"x,n,ok,at\n1e3,7,TRUE,2024-05-01T12:00Z\n,8,0,\n", fields)
    assert rows == [
        {"x": 1000.0, "n": 7, "ok": True, "at": "2024-05-01T12:00Z"},
        {"x": None, "n": 8, "ok": False, "at": None},
    ]
    with pytest.raises(Problem, match="row 0: ok must be Bool"):
        read_csv(b"ok\nyes\n", fields)
