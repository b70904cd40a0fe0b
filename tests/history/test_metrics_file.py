"""Metrics files: whatever DVC shows of one, `furrow runs`, `runs show` and `furrow.run()` show, too."""

from __future__ import annotations

import io
import json
import math
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dvc.repo import Repo
from dvc.repo.metrics.show import _gather_metrics
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from furrow.history.listing import list_runs
from furrow.history.load import RunFileError
from furrow.history.metrics_file import MetricsFileError, numbers, read_metrics
from furrow.history.named_run import run
from furrow.history.query import Query
from furrow.history.selection import Selection
from tests.runs.conftest import History

if TYPE_CHECKING:
    from pathlib import Path

KEYS = st.one_of(
    st.sampled_from(
        ["auc", "val", "a.b", "with space", "größe", "", "1", "true", "x'y\"z", "€%#{}@:", "\u2028"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6),
)
NUMBERS = st.one_of(
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([0, 0.0, -0.0, 1e308, 2**63, -(2**63)]),
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)
LEAVES = st.one_of(NUMBERS, NUMBERS, st.booleans(), st.none(), TEXTS, st.lists(NUMBERS, max_size=2))
MAPPINGS = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6),
    max_size=5,
)
TEXT_FILES = st.sampled_from(
    [
        *(
            "",
            "{",
            "[1]",
            "3",
            "0.5",
            '"text"',
            "null",
            "a: 1\na: 2\n",
            '{"a": 1, "a": 2}',
            "a: &x 1\nb: *x\n",
        ),
        "a: yes\nb: 0o14\nc: 014\nd: 1_000\ne: 1e3\nf: .nan\ng: -.inf\nh: 2013-01-01\ni: 0x1F\nj: 1:30\n",
        *(
            "- 1\n",
            "a = 1\n",
            "a = 1\na = 2\n",
            "a = 0x1F\nb = inf\nc = 1979-05-27\nd.e = 1_000\n[f]\ng = true\n",
        ),
        *("\ufeffa: 1\n", "a: !!x 1", "1: 2\ntrue: 3\nnull: 4\n1.5: 5\n", "a: {b: [1], c: {}}\n"),
        *('{"a.b": 1, "a": {"b": 2}}', '{"\\ud800": 1}', "a: 1\r\nb: 2\r\n", "a = 1\r\nb = 2\r\n"),
    ]
)


def as_toml(value: dict[str, Any]) -> str:
    """TOML of what TOML has: no nulls."""
    lines = []
    for key, inner in value.items():
        name = json.dumps(key)
        if isinstance(inner, dict):
            inside = as_toml(inner).strip().replace("\n", ", ")
            lines.append(f"{name} = {{ {inside} }}")
        elif isinstance(inner, float):
            said = repr(inner)
            lines.append(f"{name} = {said if any(c in said for c in '.nie') else said + '.0'}")
        elif inner is not None:
            lines.append(f"{name} = {json.dumps(inner)}")
    return "\n".join(lines) + "\n"


def written(suffix: str, value: dict[str, Any]) -> str:
    if suffix == "json":
        return json.dumps(value)
    if suffix == "toml":
        return as_toml(value).replace("\x7f", "\\u007f")
    return yaml.safe_dump(value, allow_unicode=False, version=(1, 2))


FILES = st.sampled_from(["json", "yaml", "toml"]).flatmap(
    lambda suffix: st.tuples(
        st.just(suffix), MAPPINGS.map(lambda value: written(suffix, value)) | TEXT_FILES
    )
)


def key_text(key: Any) -> str:
    return (
        json.loads(json.dumps({key: 0})).popitem()[0]
        if isinstance(key, (bool, type(None)))
        else str(key)
    )


def leaves(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """DVC's answer by dotted names; its keys as its JSON writes them, half characters written out."""
    if not isinstance(value, dict):
        return [(prefix, value)]
    found = []
    for key, inner in value.items():
        found += leaves(
            inner,
            f"{prefix}.{key_text(key)}" if prefix is not None and prefix != "\0" else key_text(key),
        )
    return found


def whole(value: Any) -> Any:
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


@pytest.fixture(scope="module")
def dvc(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `dvc metrics show --json` says of a file's text, through DVC's API, in this process."""
    folder = tmp_path_factory.mktemp("dvc")
    repo = Repo.init(str(folder), no_scm=True)

    def show(suffix: str, text: str) -> Any:
        path = folder / f"metrics.{suffix}"
        path.write_text(text, encoding="utf-8", newline="")
        (found,) = _gather_metrics(repo, targets=[path.name], on_error="return").values()
        return found.get("error") or found["data"]

    yield show
    repo.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("many") / "repo")


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(FILES)
def test_what_dvc_shows(dvc: Any, file: tuple[str, str]) -> None:
    """The values that DVC shows, by its dotted names; where it can't read a file, neither can we."""
    suffix, text = file
    theirs = dvc(suffix, text)
    try:
        ours = read_metrics(f"metrics.{suffix}", text.encode())
    except MetricsFileError:
        assert (
            isinstance(theirs, Exception)
            or theirs == {}
            or text.startswith("\ufeff")
            or "\\ud" in text
        )
        return
    assert not isinstance(theirs, Exception), (theirs, ours)
    if not isinstance(theirs, dict):
        assert same(ours.values["metrics"], whole(theirs))
        return
    expected = {whole(name): whole(value) for name, value in leaves(theirs, "\0")}
    assert set(ours.values) == set(expected)
    assert "twice" in str(ours.left_out) or all(
        same(ours.values[name], value) for name, value in expected.items()
    )


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(FILES)
def test_the_list_and_the_run_agree(many: History, file: tuple[str, str]) -> None:
    """`furrow runs` and `furrow.run().metrics` hold the same values of one file."""
    suffix, text = file
    for other in ("json", "yaml", "toml"):
        if other != suffix:
            many.commit({f"runs/x/metrics.{other}": None})
    many.commit({f"runs/x/metrics.{suffix}": text})
    found = list_runs(
        many.path, Selection("main"), Query(columns=("name", "status", "problem", "metrics"))
    )
    (row,) = found.answer.rows
    names = [column.name.removeprefix("metric.") for column in found.answer.columns]
    listed = {
        name: value for name, value in list(zip(names, row, strict=True))[3:] if value is not None
    }
    one = run("x", "main", repo=many.path)
    try:
        metrics = one.metrics
    except RunFileError:
        assert row[1] == "damaged"
        assert not listed
        return
    assert set(listed) == set(metrics)
    assert all(same(listed[name], value) for name, value in metrics.items())
    assert all(what in row[2] for what in one.left_out)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1}'.decode().encode("utf-16"), "not text"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": "\xe9"}', "not text"),
        (b"[" * 100_000, "nested more than 64"),
        (b'{"a":' * 100_000, "nested more than 64"),
        (b'{"a":' * 150 + b"1" + b"}" * 150, "nested more than 64"),
        (json.dumps({str(number): number for number in range(20_000)}).encode(), "more than"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "limit"),
        (b"", "Expecting value"),
        (b"[1]", "not a mapping"),
    ],
)
def test_what_can_not_be_read(content: bytes, said: str) -> None:
    """Each is a sentence."""
    with pytest.raises(MetricsFileError, match=said):
        read_metrics("metrics.json", content)


def test_a_small_file_that_is_endless() -> None:
    """Aliases of YAML that multiply are no way to hold up a list."""
    lines = [
        "a0: &a0 {x: 1, y: 2}",
        *(f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}" for n in range(1, 40)),
    ]
    with pytest.raises(MetricsFileError, match="more than"):
        read_metrics("metrics.yaml", "\n".join(lines).encode())


def test_what_is_passed_over_is_said() -> None:
    """Lists, nulls, dates, keys that are there twice: DVC drops them without a word."""
    found = read_metrics("metrics.yaml", b"a: [1, 2]\nb: null\nc: 2013-01-01\nd: {e: 0.5}\n")
    assert found.values == {"d.e": 0.5}
    assert found.left_out == [
        "a is a list, not a number",
        "b is null, not a number",
        "c is a date, not a number",
    ]
    twice = read_metrics("metrics.json", b'{"a": 1, "a": 2, "b.c": 1, "b": {"c": 2}}')
    assert twice.values == {"a": 2, "b.c": 2}
    assert twice.left_out == ["b.c is there twice", "a is there twice"]


def test_numbers_of_a_tag() -> None:
    """Only what can be compared."""
    assert numbers({"a": 1, "b": True, "c": "x", "d": {"e": 0.5}, "f": None}) == {
        "a": 1,
        "d.e": 0.5,
    }


def test_toml_is_what_it_says() -> None:
    """The writer of this test writes TOML."""
    assert tomllib.load(io.BytesIO(as_toml({"a": {"b": 1e300, "c": "x"}}).encode())) == {
        "a": {"b": 1e300, "c": "x"}
    }


def test_text_is_nothing_to_a_comparison(tmp_path: Path) -> None:
    """Where a metric is a number in one run and text in another, the text is shown and never larger than a number."""
    history = History(tmp_path / "repo")
    files = {"a": '{"auc": 0.7, "note": "good"}', "b": '{"auc": "0.9"}', "c": '{"auc": 0.9}'}
    history.commit({f"runs/{name}/metrics.json": text for name, text in files.items()})
    query = Query(where="auc > 0.75", columns=("name", "auc"))
    assert list_runs(history.path, None, query).answer.rows == [("c", 0.9)]
    every = list_runs(
        history.path, None, Query(columns=("name", "auc", "status"), sort=("-auc",))
    ).answer.rows
    assert every == [("c", 0.9, "ok"), ("a", 0.7, "ok"), ("b", "0.9", "ok")]
    assert list_runs(
        history.path, None, Query(where="note = 'good'", columns=("name",))
    ).answer.rows == [("a",)]


def test_integers_of_any_size_sort_and_filter(tmp_path: Path) -> None:
    """They are shown to the last digit, and compared."""
    history = History(tmp_path / "repo")
    sizes = {"a": 3, "b": 2**70 + 1, "c": -(10**400), "d": 10**400}
    history.commit(
        {f"runs/{name}/metrics.json": json.dumps({"n": size}) for name, size in sizes.items()}
    )
    rows = list_runs(history.path, None, Query(columns=("name", "n"), sort=("n",))).answer.rows
    assert rows == [("c", -(10**400)), ("a", 3), ("b", 2**70 + 1), ("d", 10**400)]
    assert len(list_runs(history.path, None, Query(where="n > 1000")).answer.rows) == 2
