"""Two versions of a file: what differs is said in rows, columns and keys; tolerances hold where they are declared."""

import io
import json

import pandas as pd
import pytest

from furrow.replay.file_compare import compare
from furrow.replay.locked_environment import check, locked
from furrow.replay.replay_settings import Covered, Settings, Tolerance

STRICT = Settings()


def parquet(**columns):
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer, index=False)
    return buffer.getvalue()


def loose(path, **limits):
    return Settings(tolerances=[Tolerance(path=path, **limits)])


def test_equal_bytes():
    """Nothing is opened."""
    assert compare("a.parquet", b"x", b"x", STRICT).status == "identical"


def test_json_keys():
    """Changed, missing and new keys, by their dotted names."""
    before, after = (
        b'{"a": {"b": [1, 2]}, "c": 1, "e": "x"}',
        b'{"a": {"b": [1, 3]}, "d": 1, "e": "x"}',
    )
    found = compare("m.json", before, after, STRICT)
    assert found.status == "different"
    assert found.differences == (
        "c: recorded 1, not replayed",
        "d: replayed 1, not recorded",
        "a.b[1]: recorded 2, replayed 3 (+1)",
    )
    assert found.values == ((2, 3),)


@pytest.mark.parametrize(
    ("recorded", "replayed", "limits", "status"),
    [
        (1.0, 1.0 + 1e-9, {"absolute": 1e-8}, "within tolerance"),
        (1.0, 1.0 + 1e-7, {"absolute": 1e-8}, "different"),
        (1e9, 1e9 + 1, {"relative": 1e-8}, "within tolerance"),
        (1.0, float("nan"), {"absolute": 1e9}, "different"),
        (float("inf"), 1.0, {"relative": 1.0}, "different"),
        (True, 1, {"absolute": 1}, "different"),
        ("1", "2", {"absolute": 5}, "different"),
        (1, None, {"absolute": 5}, "different"),
    ],
)
def test_tolerances_of_numbers(recorded, replayed, limits, status):
    """Numbers that are close enough; never NaN, a truth value or a text."""
    before, after = (json.dumps({"x": value}).encode() for value in (recorded, replayed))
    assert (
        compare("runs/a/metrics.json", before, after, loose("runs/*/metrics.json", **limits)).status
        == status
    )


def test_a_tolerance_is_for_its_keys_and_files():
    """The first entry that matches file and key counts; others must be equal."""
    settings = loose("m.json", keys=["roc_*"], absolute=1.0)
    assert (
        compare("m.json", b'{"roc_auc": 1.0}', b'{"roc_auc": 1.5}', settings).status
        == "within tolerance"
    )
    assert compare("m.json", b'{"rows": 1}', b'{"rows": 2}', settings).status == "different"
    assert (
        compare("n.json", b'{"roc_auc": 1.0}', b'{"roc_auc": 1.5}', settings).status == "different"
    )


def test_rows_of_a_table():
    """Which column, how many rows, by how much, and which rows by their first columns."""
    carriers = ["AA", "B6", "UA"]
    before, after = (
        parquet(carrier=carriers, p=[0.1, 0.2, 0.3]),
        parquet(carrier=carriers, p=[0.1, 0.25, 0.3]),
    )
    [words] = compare("p.parquet", before, after, STRICT).differences
    assert words == "column p: 1 of 3 rows differ, by up to 0.05; row 1 (carrier=B6) 0.2 → 0.25"
    for key, status in (("p", "within tolerance"), ("q", "different")):
        assert (
            compare("p.parquet", before, after, loose("*.parquet", keys=[key], absolute=0.1)).status
            == status
        )


def test_shape_of_a_table():
    """Columns and types that come or go, rows that are missing (and which), another order."""
    base = parquet(k=["a", "b"], v=[1, 2])

    def words(replayed):
        return compare("t.parquet", base, replayed, STRICT).differences

    assert "column w: replayed, not recorded" in words(parquet(k=["a", "b"], w=[1, 2]))
    assert (
        words(parquet(k=["a", "b"], v=[1.0, 2.0]))[0] == "column v: recorded int64, replayed double"
    )
    assert words(parquet(k=["a"], v=[1])) == ("rows: 2 recorded, 1 replayed; only recorded: b,2",)
    assert words(parquet(k=["b", "a"], v=[2, 1])) == ("the same rows in another order",)
    found = compare("t.csv", b"k,v\na,1\nb,2\n", b"k,v\nb,2\na,1\n", STRICT)
    assert found.differences == ("the same rows in another order",)


def test_missing_values_of_a_table():
    """A missing value equals a missing value, and nothing else."""
    before, after = parquet(k=["a", None], v=[1.0, None]), parquet(k=["a", None], v=[1.0, 2.0])
    [words] = compare("t.parquet", before, after, loose("t.parquet", absolute=99)).differences
    assert words.startswith("column v: 1 of 2 rows differ")


def test_equal_values_in_other_bytes():
    """Not identical; enough only where a tolerance speaks of the file."""
    before, after = b'{"a": 1}', b'{ "a": 1 }'
    assert compare("a.json", before, after, STRICT).status == "different"
    assert compare("a.json", before, after, loose("a.json")).status == "within tolerance"


def test_text_and_bytes():
    """Lines of text; the first byte that differs of anything else; what claims to be a table and is none."""
    assert compare("card.md", b"a\nb\n", b"a\nc\n", STRICT).differences == (
        "recorded: b",
        "replayed: c",
    )
    assert (
        "the first at 2"
        in compare("model.joblib", b"\x80\x04\x00", b"\x80\x04\x01", STRICT).differences[0]
    )
    assert (
        "not comparable by content"
        in compare("t.parquet", b"PAR1", b"rubbish", STRICT).differences[0]
    )
    assert "not comparable by content" in compare("t.json", b"{}", b"{", STRICT).differences[0]


def test_the_locked_environment():
    """Names in any spelling, hashes and comments passed over, other platforms' entries too."""
    text = (
        "# made by a tool\nScikit_Learn==1.9.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via furrow\n"
        "pywin32==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:aa\n"
        "numpy[all]==2.0 ; python_version >= '3.8'\n-e .\n"
    )
    assert locked(text) == {"scikit-learn": "1.9.1", "numpy": "2.0"}
    about = {
        "implementation": "CPython",
        "python": "3.11.7",
        "system": "Linux",
        "machine": "x86_64",
    }
    found = check(
        {**about, "distributions": {"scikit-learn": "1.9.0"}}, "requirements.lock", text.encode()
    )
    words = (
        "numpy: locked 2.0, installed not at all",
        "scikit-learn: locked 1.9.1, installed 1.9.0",
    )
    assert found.differences == words
    assert found.locked == 2
    assert check({**about, "distributions": {}}, "requirements.lock", None).lock == ""


def test_what_is_covered():
    """By stage and by path."""
    settings = Settings(covered=[Covered(stages=["train@*"], paths=["features/*.py"])])
    assert settings.covers("train@a", "features/views.py")
    assert not settings.covers("select", "features/views.py")
    assert not settings.covers("train@a", "features/views.sql")
