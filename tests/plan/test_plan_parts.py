"""The parts of a plan as values: durations, resources, what breaks, what is taken away, what a killed apply left."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.ground.git import resolve
from furrow.ground.hashes import Hasher
from furrow.ground.pipeline_spec import Dep, Out, Pipeline, Source, Step
from furrow.ground.runcache import Cache, cache_folder, run_key, store
from furrow.plan.baseline import Baseline
from furrow.plan.breaks import Registered, breaks, model_resources, registered
from furrow.plan.destroy import destroy, pruned
from furrow.plan.durations import Durations, group
from furrow.plan.fetch import Lacking, default_remote, lacking, wanting
from furrow.plan.lookup import Lookup
from furrow.plan.machine_state import APPLIED, note_applied
from furrow.plan.plan_spec import PlanError, Resource
from furrow.plan.recovery import take_over
from furrow.plan.resources import experiment_of, ordered, resource_of, view_resources
from furrow.plan.workspace import UNKNOWN, Disk, World


def test_durations_are_medians_of_the_newest_runs_or_of_the_kind() -> None:
    journal = [{"stage": "train@a", "seconds": seconds} for seconds in (100, 1, 2, 3, 4, 5)]
    found = Durations(
        [*journal, {"stage": "tables_x", "seconds": 7.0}, {"stage": "odd", "seconds": "no"}]
    )
    assert found.of("train@a") == 3
    assert found.of("train@new") == 3
    assert found.of("tables_y") == 7
    assert found.of("odd") is None
    assert [group(name) for name in ("train@gbm", "training_set_p_s", "tables_plane", "select")] == [
        "train", "training_set", "tables", "select",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "kind", "name"),
    [
        ("compile", "declarations", "declarations"),
        ("tables_weather", "tables", "weather"),
        ("training_set_late_full", "training_sets", "late_full"),
        ("train@gbm", "experiments", "gbm"),
        ("evaluate@a@b", "experiments", "a@b"),
        ("own", "stages", "own"),
    ],
)
def test_the_resource_of_a_stage(stage: str, kind: str, name: str) -> None:
    assert resource_of(stage) == (kind, name)
    assert experiment_of(stage) == (name if kind == "experiments" else None)


def test_resources_stand_by_kind() -> None:
    given = [
        Resource("models", "m", "unchanged"),
        Resource("data", "d", "add"),
        Resource("tables", "t", "change"),
    ]
    assert [one.kind for one in ordered(given)] == ["data", "tables", "models"]
    assert view_resources(None, None, recorded=True) == []


def test_versions_whose_features_change_break() -> None:
    """A digest that is another one, in words where they are known; a service that is gone; nothing where none is told."""
    models = [Registered("a@v1.0.0", ("production",), "full", "old"), Registered("b@v1.0.0", (), "gone", "x"),
              Registered("c@v1.0.0", (), "full", "new"), Registered("d@v1.0.0", (), "", "")]  # fmt: skip
    found = breaks(models, {"full": "new"}, lambda old, new: [f"{old} is {new}"])
    assert [(one.model, one.why) for one in found] == [
        ("a@v1.0.0", ("old is new",)),
        ("b@v1.0.0", ("the feature service gone is gone",)),
    ]
    assert breaks(models[:1], {"full": "new"}, lambda *_: [])[0].why == (
        "the digest of full changed",
    )
    assert [(one.kind, one.name) for one in model_resources(models[:1])] == [
        ("models", "a@v1.0.0"),
        ("deployments", "production"),
    ]


def test_deployments_that_lead_nowhere_are_told(repo: Path) -> None:
    (repo / "conf/deployment").mkdir(parents=True)
    (repo / "conf/deployment/test.yaml").write_text("model: m@v1.0.0\n")
    (repo / "conf/deployment/odd.yaml").write_text("nothing: here\n")
    found, notes = registered(repo)
    assert found == []
    assert any("not registered here" in note for note in notes)
    assert any("odd.yaml is malformed" in note for note in notes)


LOCK = """schema: '2.0'
stages:
  train@a:
    cmd: a
    outs:
    - path: build/a
      md5: {md5}
  train@b:
    cmd: b
"""


def test_what_dead_stages_left_is_taken_away(repo: Path, git: Callable[..., str]) -> None:
    """Outputs, the run's record and the entry; a record that no commit holds is kept, and its entry with it."""
    (repo / "dvc.lock").write_text(LOCK)
    for name in ("build/a", "build/b", "runs/a/metrics.json", "runs/b/metrics.json"):
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text("x")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "runs")
    (repo / "runs/b/metrics.json").write_text("y")
    pipeline = Pipeline({}, (), {"train@a": ("build/a", "../outside"), "train@b": ("build/b",)})
    kept = destroy(repo, pipeline, {"train@a", "train@b"})
    assert len(kept) == 1
    assert "runs/b holds what no commit holds" in kept[0]
    assert not (repo / "build/a").exists()
    assert not (repo / "runs/a").exists()
    assert (repo / "build/b").exists()
    assert (repo / "dvc.lock").read_text() == pruned(LOCK, {"train@a"})
    assert "train@b" in (repo / "dvc.lock").read_text()


def test_a_lock_that_was_cut_short_is_taken_from_the_last_commit(
    repo: Path, git: Callable[..., str]
) -> None:
    whole = LOCK.format(md5="a" * 32)
    (repo / "dvc.lock").write_text(whole)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "lock")
    empty = cache_folder(repo) / "runs/ab/abc"
    empty.mkdir(parents=True)
    (repo / ".dvc.lock.12345678").write_text("half")
    assert take_over(repo, "no such token") == []
    assert not empty.exists()
    assert not (repo / ".dvc.lock.12345678").exists()
    (repo / "dvc.lock").write_text(whole[:60])
    (said,) = take_over(repo, "no such token")
    assert "taken from the last commit" in said
    assert (repo / "dvc.lock").read_text() == whole


def test_what_was_applied_is_noted(repo: Path) -> None:
    note_applied(repo, registry="a")
    note_applied(repo, online="b")
    assert json.loads((repo / APPLIED).read_text()) == {
        "format": 1,
        "registry": "a",
        "online": "b",
    }


def test_sql_that_means_the_same(repo: Path, git: Callable[..., str]) -> None:
    """Comments and white space don't count; what changed since the lock's commit is told, code first."""
    (repo / "dvc.lock").write_text("x")
    (repo / "t.sql").write_text("SELECT a FROM b")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "one")
    old = Hasher(repo, remember=False).md5("t.sql")
    (repo / "t.sql").write_text("-- said\nselect a\n  from b\n")
    assert Baseline(repo).same_sql("t.sql", old)
    (repo / "t.sql").write_text("SELECT a, c FROM b")
    found = Baseline(repo)
    assert not found.same_sql("t.sql", old)
    assert found.commit == resolve(repo)
    assert "t.sql" in found.changed
    assert found.old_text("t.sql", old) == "SELECT a FROM b"
    (repo / "sub").mkdir()
    (repo / "sub/new.txt").write_text("")
    assert Baseline(repo).below("sub") == ["new.txt"]


@pytest.fixture
def project(repo: Path) -> Path:
    (repo / ".dvc").mkdir()
    return repo


def test_what_is_recorded_and_not_here(project: Path) -> None:
    """What can be fetched is asked of a remote; raw data that nobody has is an error with the next step."""
    step = Step("train", "x", ".", (), (), (Out("model", "model", "a" * 32),), recorded=True)
    pipeline = Pipeline({"train": step}, (Source("data.dvc", "data", "b" * 32 + ".dir"),), {})
    lack = lacking(project, pipeline, {"train"})
    assert list(lack.sources) == ["data"]
    assert not Lacking({}, {})
    assert str(lack).startswith("data")
    with pytest.raises(PlanError, match="names no DVC remote"):
        wanting(project, pipeline, {"train"})
    (project / ".dvc/config").write_text("[core]\n    remote = store\n")
    assert default_remote(project) == "store"
    assert wanting(project, pipeline, {"train"})[0] == "store"


def test_a_world_in_which_stages_have_run(project: Path) -> None:
    """A folder made of parts, what lies inside of what was written, and what the cache holds once a stage ran."""
    for name, text in (("dir/a", "1"), ("dir/b", "2")):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    hasher = Hasher(project, remember=False)
    world = World(Disk(project, hasher), Cache(project))
    one, two = hasher.md5("dir/a"), hasher.md5("dir/b")
    before = world.md5("dir")
    world.make("dir/b", one)
    (project / "dir/b").write_text("1")
    assert world.md5("dir") == Hasher(project, remember=False).md5("dir") != before
    world.make("dir/a", UNKNOWN, doubtful=True)
    assert world.md5("dir") == UNKNOWN
    assert world.doubtful("dir")
    world.make("gone", None)
    assert world.md5("gone/inner") is None
    assert not world.holds(two)
    world.put("dir/b", two)
    assert world.holds(two)
    assert not world.holds(two, "md5-dos2unix"), "DVC 2's cache is another one"
    world.put("dir/b", two, "md5-dos2unix")
    assert world.holds(two, "md5-dos2unix")
    world.make("old", one, "md5-dos2unix")
    assert world.md5("old", "md5-dos2unix") == one
    assert world.md5("old") == UNKNOWN


def test_runs_in_dvcs_cache(project: Path) -> None:
    """A key is DVC's, whatever the order of inputs; contents are believed where they are write-protected."""
    step = Step("s", "x", ".", (Dep("b", "b"), Dep("a", "a")), (), (Out("o", "o"),))
    one = run_key(step, {"a": "1", "b": "2"}, {}, set())
    assert (
        one
        == run_key(step, {"b": "2", "a": "1"}, {}, set())
        != run_key(step, {"a": "1", "b": "2"}, {}, {"a"})
    )
    assert run_key(step, {}, {"p.yaml": {"a": object()}}, set()) == ""
    store(project, "0cc175b9c0f1b6a831c399e269772661", b"a")
    cache = Cache.beside(project)
    assert cache.holds("0cc175b9c0f1b6a831c399e269772661")
    assert cache.path("0cc175b9c0f1b6a831c399e269772661").read_bytes() == b"a"
    assert cache.run(one) is None


def test_what_changed_of_raw_data(project: Path) -> None:
    (project / "data").mkdir()
    (project / "data/a.txt").write_text("1")
    hasher = Hasher(project, remember=False)
    sources = [Source("data.dvc", "data", hasher.md5("data"))]
    lookup = Lookup(
        project,
        project,
        None,
        cache=Cache(project),
        workspace=Disk(project, hasher),
        sources=sources,
        recorded={},
    )
    assert lookup.data("elsewhere", "x") is None
    old = hasher.md5("data/a.txt")
    (project / "data/a.txt").write_text("22")
    fresh = Lookup(
        project, project, None, cache=Cache(project), workspace=Disk(project, Hasher(project, remember=False)),
        sources=sources, recorded={},
    )  # fmt: skip
    assert fresh.data("data/a.txt", old) == ["a.txt changed"]
    assert fresh.after is None
