"""Feast's definitions are read as `feast apply` reads them, and nothing is left behind."""

import os
import py_compile
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from feast.types import PRIMITIVE_FEAST_TYPES_TO_STRING, Array, Int64, Set, String, Struct

from furrow.features.json_reader import Node
from furrow.features.manifest import read_dtype
from furrow.ground.feast.definitions import DefinitionError, read_definitions
from furrow.ground.feast.service_definition import ProjectionDefinition

STORE = "project: small\nprovider: local\nregistry: r.db\nentity_key_serialization_version: 3\n"
HEAD = """
from datetime import timedelta
from feast import Entity, FeatureService, FeatureView, Field, FileSource, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Float64, Int64, String

origin = Entity(name="airport", join_keys=["origin"], value_type=ValueType.STRING)
source = FileSource(name="rows", path="../build/tables/rows.parquet", timestamp_field="ts")
rows = FeatureView(
    name="rows",
    entities=[origin],
    ttl=timedelta(hours=1),
    schema=[Field(name="a", dtype=Int64), Field(name="b", dtype=Array(Float64))],
    source=source,
)
"""


def folder(tmp_path: Path, body: str = "", store: str = STORE, **files: str) -> Path:
    made = tmp_path / "features"
    made.mkdir()
    (made / "feature_store.yaml").write_text(store)
    (made / "definitions.py").write_text(HEAD + body)
    for name, text in files.items():
        (made / f"{name}.py").write_text(text)
    return made


def test_views_are_read(tmp_path: Path) -> None:
    """Keys, types, ttl and source are those of the definition; the key's type comes from its entity."""
    read = read_definitions(folder(tmp_path))
    (view,) = read.views
    assert read.project == "small"
    assert view.join_keys == (("origin", "String"),)
    assert view.features == (("a", "Int64", "", ""), ("b", "Array(Float64)", "", ""))
    assert (view.source, view.timestamp_field, view.ttl_seconds) == (
        "../build/tables/rows.parquet",
        "ts",
        3600,
    )
    assert view.created_timestamp_column is None


def test_a_view_without_entities_has_no_keys(tmp_path: Path) -> None:
    """Feast's dummy entity is not a join key."""
    body = 'alone = FeatureView(name="alone", entities=[], schema=[Field(name="a", dtype=Int64)], source=source)\n'
    views = {view.name: view for view in read_definitions(folder(tmp_path, body)).views}
    assert views["alone"].join_keys == ()
    assert views["alone"].ttl_seconds is None


def test_services_are_read_with_aliases_maps_and_references(tmp_path: Path) -> None:
    """Projections, and references by name, which Feast itself resolves only against a registry."""
    body = """
full = FeatureService(name="full", features=[rows[["b"]].with_name("far").with_join_key_map({"origin": "dest"})])
named = FeatureService(name="named", features=["rows:b"])
whole = FeatureService(name="whole", features=["rows"])
"""
    services = {s.name: s.views for s in read_definitions(folder(tmp_path, body)).services}
    (far,) = services["full"]
    assert far == ProjectionDefinition("rows", "far", ("b",), {"origin": "dest"})
    assert services["named"][0].features == ("b",)
    assert services["whole"][0].features == ("a", "b")


def test_on_demand_views_are_read(tmp_path: Path) -> None:
    """Inputs come from views and from the request."""
    body = """
@on_demand_feature_view(
    sources=[rows[["a"]], RequestSource(name="now", schema=[Field(name="hour", dtype=Int64)])],
    schema=[Field(name="c", dtype=Int64)],
    mode="python",
)
def sums(inputs):
    return {"c": [a + h for a, h in zip(inputs["a"], inputs["hour"])]}
"""
    (view,) = read_definitions(folder(tmp_path, body)).on_demand
    assert view.inputs == (("rows", "a", "Int64"), ("request", "hour", "Int64"))
    assert view.features == (("c", "Int64", "", ""),)
    assert (view.mode, view.singleton) == ("python", False)
    assert view.function({"a": [1], "hour": [2]}) == {"c": [3]}


def test_nothing_is_left_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Warning filters, sys.path, sys.modules, the folder's files and standard output are as before."""
    body = 'import warnings\nwarnings.simplefilter("ignore")\nprint("loading")\nimport helper\n'
    made = folder(tmp_path, body, helper="X = 1\n")
    files, here = sorted(made.rglob("*")), Path.cwd()
    filters, path, modules, finders = (
        list(warnings.filters),
        list(sys.path),
        set(sys.modules),
        list(sys.meta_path),
    )
    read_definitions(made)
    assert list(warnings.filters) == filters
    assert sys.path == path
    assert not (set(sys.modules) - modules) & {"definitions", "helper"}
    assert sys.meta_path == finders
    assert sorted(made.rglob("*")) == files
    assert Path.cwd() == here
    written = capsys.readouterr()
    assert written.out == ""
    assert "loading" in written.err


def test_importing_feast_leaves_filters_and_output_alone() -> None:
    """Feast prints and sets warning filters when it is imported; neither is seen outside."""
    script = (
        "import sys, warnings; before = list(warnings.filters); import furrow.ground.feast.definitions; "
        "assert 'feast' in sys.modules; print(list(warnings.filters) == before)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"


def test_an_edit_is_seen_at_once(tmp_path: Path) -> None:
    """No module is kept from one reading to the next, and no bytecode is believed: an edit may keep size and second."""
    made = folder(tmp_path)
    file = made / "definitions.py"
    assert read_definitions(made).views[0].ttl_seconds == 3600
    py_compile.compile(str(file))
    before = file.stat()
    file.write_text(file.read_text().replace("hours=1", "hours=2"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read_definitions(made).views[0].ttl_seconds == 7200


def test_modules_of_the_same_name_elsewhere_are_not_disturbed(tmp_path: Path) -> None:
    """The repository's own `helper` is used inside, the process's own before and after."""
    made = folder(
        tmp_path, "import helper\nrows.description = helper.WHO\n", helper='WHO = "mine"\n'
    )
    sys.modules["helper"] = other = type(sys)("helper")
    try:
        assert read_definitions(made).views[0].description == "mine"
        assert sys.modules["helper"] is other
    finally:
        del sys.modules["helper"]


def test_feastignore_and_folders_are_minded(tmp_path: Path) -> None:
    """Folders are packages, and ignored files are not run."""
    made = folder(tmp_path, "from air.more import extra\n")
    (made / "air").mkdir()
    text = "from feast import FeatureView, Field, FileSource\nfrom feast.types import Int64\n"
    text += (
        'extra = FeatureView(name="extra", entities=[], schema=[Field(name="z", dtype=Int64)],\n'
    )
    text += '    source=FileSource(path="../build/tables/extra.parquet", timestamp_field="ts"))\n'
    (made / "air" / "more.py").write_text(text)
    (made / "broken.py").write_text("raise SystemError\n")
    (made / ".feastignore").write_text("broken.py  # not yet\n")
    assert sorted(view.name for view in read_definitions(made).views) == ["extra", "rows"]


@pytest.mark.parametrize("text", ["def (:\n", "raise ValueError\n"])
def test_a_fault_is_named_by_the_path_from_here(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor finds the file where the command was run, in the repository or above it."""
    made = folder(tmp_path, "")
    (made / "air").mkdir()
    (made / "air" / "more.py").write_text(text)
    for here, said in ((made.parent, f"{made.name}/air/more.py:1"), (made, "air/more.py:1")):
        monkeypatch.chdir(here)
        with pytest.raises(DefinitionError) as caught:
            read_definitions(made)
        assert str(caught.value).startswith(f"{said}: ")
    monkeypatch.chdir(made / "air")
    with pytest.raises(DefinitionError, match=r"^more\.py:1: "):
        read_definitions(made)


SERVICE = "s = FeatureService(name='s', features=[{}])\n"
VIEW = "v = FeatureView(name={name!r}, entities={entities}, schema={schema}, source={source})\n"
FIELD = "[Field(name='z', dtype=Int64)]"


@pytest.mark.parametrize(
    ("body", "said", "hint"),
    [
        (
            "s = FeatureService(name='s', features=[rowz])\n",
            "definitions.py:16: NameError: name 'rowz'",
            "mean rows?",
        ),
        ("def (:\n", "definitions.py:16", "feast apply"),
        ("import nowhere_at_all\n", "definitions.py:16: ModuleNotFoundError", "feast apply"),
        ("raise ValueError\n", "definitions.py:16: ValueError", "feast apply"),
        (
            SERVICE.format("rows[['aa']]"),
            "definitions.py:16: ValueError: Feature aa does not exist",
            "did you mean a?",
        ),
        (
            SERVICE.format("'rowz'"),
            "feature service 's': there is no feature view 'rowz'",
            "did you mean rows?",
        ),
        (
            SERVICE.format("'rows:aa'"),
            "feature service 's': rows has no feature 'aa'",
            "did you mean a?",
        ),
        (
            "o = FeatureView(name='rows', entities=[], schema=[Field(name='z', dtype=Int64)], source=source)\n",
            "definitions.py: two definitions of the feature view 'rows'",
            "another name",
        ),
        (
            VIEW.format(name="v", entities="[]", schema=[], source="source"),
            "'v': schema: no features",
            "declare",
        ),
        (
            VIEW.format(name="v", entities="[]", schema=FIELD, source="None"),
            "'v': source: no source",
            "FileSource",
        ),
        (
            VIEW.format(
                name="v", entities="[]", schema=FIELD, source="FileSource(path='x.parquet')"
            ),
            "'v': timestamp_field: is not declared",
            "timestamp_field=",
        ),
        (
            VIEW.format(
                name="v",
                entities="[Entity(name='e', value_type=ValueType.STRING)]",
                schema=FIELD,
                source="source",
            ),
            "'v': entities: 'e' is not found",
            "a variable",
        ),
        (
            "e = Entity(name='e')\n"
            + VIEW.format(name="v", entities="[e]", schema=FIELD, source="source"),
            "entity 'e': value_type: the type of its key is unknown",
            "ValueType",
        ),
        (
            VIEW.format(
                name="v", entities="[]", schema=FIELD, source="source, ttl=timedelta(seconds=1.5)"
            ),
            "'v': ttl: 0:00:01.500000 is not a whole number of seconds",
            "",
        ),
    ],
)
def test_a_wrong_definition_is_named(tmp_path: Path, body: str, said: str, hint: str) -> None:
    """The message says where and what; the hint says what to write or what may be meant."""
    with pytest.raises(DefinitionError) as caught:
        read_definitions(folder(tmp_path, body))
    assert said in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("project: [1", "is not valid YAML"),
        ("provider: local\n", "project: a name is missing"),
        ("- a\n", "project: a name is missing"),
        (STORE + "online_store: [1]\n", "online_store: should be a mapping"),
    ],
)
def test_a_wrong_feature_store_yaml_is_named(tmp_path: Path, store: str, said: str) -> None:
    """The file's path is in the message."""
    with pytest.raises(DefinitionError) as caught:
        read_definitions(folder(tmp_path, store=store))
    assert "feature_store.yaml" in caught.value.message
    assert said in caught.value.message


def test_a_folder_that_is_no_feast_repository_is_named(tmp_path: Path) -> None:
    """The hint says how to name the right one."""
    with pytest.raises(DefinitionError) as caught:
        read_definitions(tmp_path)
    assert "cannot read" in caught.value.message
    assert "-C" in caught.value.hint


def test_secrets_of_the_environment_stay_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """References to the environment are kept as they are written."""
    monkeypatch.setenv("REDIS_PASSWORD", "hunter2")
    store = (
        STORE
        + "online_store:\n  type: redis\n  connection_string: localhost:6379,password=${REDIS_PASSWORD}\n"
    )
    read = read_definitions(folder(tmp_path, store=store))
    assert read.online_store["connection_string"] == "localhost:6379,password=${REDIS_PASSWORD}"


def test_every_type_of_feast_can_be_in_a_manifest() -> None:
    """The names of types are Feast's own, all of them."""
    names = [name for name in PRIMITIVE_FEAST_TYPES_TO_STRING.values() if name != "Invalid"]
    nested = [
        Array(String),
        Set(Int64),
        Array(Array(Int64)),
        Struct({"a": Int64, "b": Array(String)}),
    ]
    for name in (*names, *map(str, nested), str(Array(Struct({"a": Int64})))):
        assert read_dtype(Node(name, "m.json")) == name
