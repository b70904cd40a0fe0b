"""Sweeps: every trial recorded at once, none run twice, none lost, whatever happens in the middle."""

import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from furrow.errors import FurrowError
from furrow.features import manifest
from furrow.ground.experiments import ExperimentError, Recorded, list_experiments
from furrow.ground.git import UnbornBranchError
from furrow.runs import listing, load
from furrow.runs.prepare import Request, prepare
from furrow.runs.query import Query
from furrow.runs.recorder import Finished
from furrow.runs.selection import Selection
from furrow.runs.sweep import Sweeping
from tests.processes import group

GRID = ("model.learning_rate=0.05,0.3", "model.max_leaf_nodes=7,15,31")


def sweeping(root: Path, *words: str, experiment: str = "gbm", **options: object) -> Sweeping:
    services = manifest.load(root / "features/manifest.json").services
    digests = {name: service.digest for name, service in services.items()}
    request = Request(root, experiment, words, digests, **options)  # type: ignore[arg-type]
    return prepare(request, clock=time.time)


def recorded(root: Path) -> dict[str, Recorded]:
    return {one.name: one for one in list_experiments(root)}


def summary(found: list[Finished]) -> dict[str, tuple[tuple[str, ...], str, float | None]]:
    return {one.trial.name: (one.trial.overrides, one.state, one.score) for one in found}


def start(root: Path, environ: dict[str, str], *words: str) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).parent / "furrow"), "try", *words]
    return subprocess.Popen(
        command,
        cwd=root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def done(original: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Finished]]:
    """A project on which the grid was run."""
    root = Path(shutil.copytree(original, tmp_path_factory.mktemp("done") / "project", symlinks=True))
    patch = pytest.MonkeyPatch()
    for kind in ("AUTHOR", "COMMITTER"):
        patch.setenv(f"GIT_{kind}_NAME", "Ada Test")
        patch.setenv(f"GIT_{kind}_EMAIL", "ada@example.com")
    found = list(sweeping(root, *GRID).run())
    patch.undo()
    return root, found


@pytest.fixture
def again(done: tuple[Path, list[Finished]], tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(done[0], tmp_path / "project", symlinks=True))


def test_a_grid_is_every_combination_each_recorded_with_what_it_took(done: tuple[Path, list[Finished]]) -> None:
    root, found = done
    assert len(found) == 6
    assert all(one.state == "done" and not one.again for one in found)
    experiments = recorded(root)
    assert set(experiments) == {one.trial.name for one in found}
    for one in found:
        trailers = experiments[one.trial.name].trailers
        assert float(trailers["Furrow-Seconds"]) == pytest.approx(one.seconds, abs=0.001)
        assert len(trailers["Furrow-Predictions"]) == 64
        assert json.loads(trailers["Furrow-Overrides"]) == list(one.trial.overrides)
        assert "Furrow-Cpu-Seconds" in trailers


def test_a_trial_is_the_base_with_its_declaration_and_its_run(
    done: tuple[Path, list[Finished]], git: Callable[..., str]
) -> None:
    """Nothing else of the tree changes; durations stay out of it."""
    root, found = done
    one = found[0]
    commit = recorded(root)[one.trial.name].commit
    changed = git(root, "diff", "--name-only", "HEAD", commit).split()
    assert set(changed) <= {
        "conf/experiment/gbm.yaml", "conf/experiments.yaml", "runs/gbm/config.yaml", "runs/gbm/metrics.json",
        "runs/gbm/intervals.json", "runs/gbm/slices.json", "runs/gbm/record.json", "runs/gbm/plots/roc.csv",
        "runs/gbm/plots/pr.csv", "runs/gbm/plots/calibration.csv",
    }  # fmt: skip
    assert git(root, "rev-parse", f"{commit}^") == git(root, "rev-parse", "HEAD")
    assert json.loads(git(root, "show", f"{commit}:runs/gbm/metrics.json")) == one.metrics
    assert "seconds" not in git(root, "show", f"{commit}:runs/gbm/record.json")
    assert "learning_rate: 0.05" in git(root, "show", f"{commit}:conf/experiment/gbm.yaml")
    assert not git(root, "status", "--porcelain")


def test_the_same_command_runs_nothing_twice(again: Path, done: tuple[Path, list[Finished]]) -> None:
    before = recorded(again)
    found = list(sweeping(again, *GRID).run())
    assert all(one.again for one in found)
    assert summary(found) == summary(done[1])
    assert recorded(again) == before


def test_a_commit_that_changes_nothing_that_counts_has_the_trials_too(again: Path, git: Callable[..., str]) -> None:
    """They are recorded on the new commit without being run; one that changes the environment counts."""
    (again / "README.md").write_text("words\n")
    git(again, "add", "README.md")
    git(again, "commit", "-qm", "words")
    found = list(sweeping(again, *GRID).run())
    assert all(one.again for one in found)
    head = git(again, "rev-parse", "HEAD")
    assert {one.baseline for one in list_experiments(again)} > {head}
    assert len(list_experiments(again)) == 12
    trailers = recorded(again)[found[0].trial.name].trailers
    assert float(trailers["Furrow-Seconds"]) > 0
    (again / "requirements.lock").write_text("changed\n")
    assert not any(one.again for one in sweeping(again, "model.learning_rate=0.05", "model.max_leaf_nodes=7").run())


def test_what_the_work_tree_changes_is_in_the_trial(project: Path, git: Callable[..., str]) -> None:
    path = project / "conf/model/gbm.yaml"
    path.write_text(path.read_text().replace("max_iter: 12", "max_iter: 5"))
    (one,) = sweeping(project, "seed=3").run()
    assert one.trial.config.model["max_iter"] == 5
    commit = recorded(project)[one.trial.name].commit
    assert "max_iter: 5" in git(project, "show", f"{commit}:conf/model/gbm.yaml")
    assert "conf/model/gbm.yaml" in git(project, "status", "--porcelain")


def test_a_trial_is_a_run_by_its_name(done: tuple[Path, list[Finished]]) -> None:
    """Alone, as a revision, and in the list."""
    root, found = done
    trial = found[0].trial
    alone = load.run(trial.name, repo=root)
    assert alone.name == "gbm"
    assert alone.commit == recorded(root)[trial.name].commit == load.run(f"gbm@{trial.name}", repo=root).commit
    assert alone.config["model"]["learning_rate"] == trial.config.model["learning_rate"]
    listed = listing.list_runs(root, Selection(everything=True), Query(columns=("run",)))
    named = listed.named(run for (run,) in listed.answer.rows)
    assert {f"gbm@{one.trial.name}" for one in found} == set(named.values())
    assert all(run.startswith("gbm@") for run in named)
    with pytest.raises(load.NoSuchRunError):
        load.run(f"{trial.name}x", repo=root)


def test_the_threads_of_a_fit_count_and_its_workers_do_not(project: Path) -> None:
    def again(*words: str) -> bool:
        (one,) = sweeping(project, "model.max_iter=3", *words).run()
        return one.again

    assert not again()
    assert again("engine.workers=1")
    assert not again("engine.threads=3")


def test_what_only_a_fitted_model_can_say_is_not_the_trials(project: Path, git: Callable[..., str]) -> None:
    said = ["runs/gbm/card.md", "runs/gbm/plots/importance.csv"]
    for path in said:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("of the model before\n")
    git(project, "add", "-f", *said)
    git(project, "commit", "-q", "-m", "A run")
    (one,) = sweeping(project, "model.max_iter=3").run()
    held = git(project, "ls-tree", "-r", "--name-only", recorded(project)[one.trial.name].commit, "runs/gbm").split()
    assert "runs/gbm/metrics.json" in held
    assert not set(said) & set(held)


def test_a_short_name_that_another_trial_has_is_left_to_it(project: Path, git: Callable[..., str]) -> None:
    (one,) = sweeping(project, "model.max_iter=3").run()
    commit = recorded(project)[one.trial.name].commit
    ref = git(project, "for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{one.trial.name}")
    message = f"another\n\nFurrow-Trial: {'0' * 64}\n"
    other = git(project, "commit-tree", f"{commit}^{{tree}}", "-p", f"{commit}^", "-m", message)
    git(project, "update-ref", ref, other)
    (two,) = sweeping(project, "model.max_iter=3").run()
    assert not two.again
    assert two.trial.name.startswith(one.trial.name)
    assert recorded(project)[one.trial.name].commit == other
    assert recorded(project)[two.trial.name].trailers["Furrow-Trial"] == two.trial.digest
    (again,) = sweeping(project, "model.max_iter=3").run()
    assert again.again
    assert again.trial.name == two.trial.name


@pytest.mark.timeout(120)
def test_a_process_that_has_fitted_before_can_try(project: Path) -> None:
    """Its OpenMP threads are not in the workers, which wait for none of them."""
    with threadpool_limits(2):
        HistGradientBoostingClassifier(max_iter=3).fit([[float(n)] for n in range(5000)], [n % 2 for n in range(5000)])
    (one,) = sweeping(project, "model.max_iter=3", "engine.threads=2", jobs=1).run()
    assert one.state == "done"


def test_equal_trials_are_run_once(project: Path) -> None:
    found = list(sweeping(project, "model.learning_rate=0.3,0.30,3e-1", jobs=1).run())
    assert [one.again for one in found] == [False, True, True]
    assert len({one.score for one in found}) == 1
    assert len(recorded(project)) == 1


def test_groups_vary_too(project: Path, git: Callable[..., str]) -> None:
    found = list(sweeping(project, "calibration=none,sigmoid", "model.max_iter=3").run())
    assert {one.trial.config.calibration.method for one in found} == {"none", "sigmoid"}
    sigmoid = next(one for one in found if one.trial.config.calibration.method == "sigmoid")
    text = git(project, "show", f"{recorded(project)[sigmoid.trial.name].commit}:conf/experiment/gbm.yaml")
    assert "- override /calibration: sigmoid" in text


def test_a_trial_that_fails_is_told_and_the_others_go_on(project: Path) -> None:
    found = list(sweeping(project, "model.max_leaf_nodes=1,7").run())
    states = {one.trial.overrides: one for one in found}
    assert states[("model.max_leaf_nodes=7",)].state == "done"
    failed = states[("model.max_leaf_nodes=1",)]
    assert failed.state == "failed"
    assert "max_leaf_nodes" in failed.message
    assert len(recorded(project)) == 1


def test_a_worker_that_is_killed_costs_its_trial_alone(project: Path) -> None:
    run = sweeping(project, "model.max_iter=3,4,5000,5,6,7,8,9", jobs=2).run()
    found = [next(run) for _ in range(3)]  # the next one was begun, and ends without being asked for
    pids = [child.pid for child in multiprocessing.active_children() if child.name == "furrow trial"]
    assert len(pids) == 2
    busy: list[int] = []
    while len(busy) != 1:
        before = {pid: ticks(pid) for pid in pids}
        time.sleep(0.4)
        busy = [pid for pid in pids if ticks(pid) > before[pid] + 2]
    os.kill(busy[0], signal.SIGKILL)
    found += list(run)
    states = [one.state for one in found]
    assert sorted(states) == ["done"] * 7 + ["failed"]
    (failed,) = (one for one in found if one.state == "failed")
    assert failed.trial.config.model["max_iter"] == 5000
    assert "SIGKILL" in failed.message
    assert len(recorded(project)) == 7


def ticks(pid: int) -> int:
    """Processor time that a process has used."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def test_killed_half_way_it_goes_on_from_there(project: Path, home: Path, environ: dict[str, str]) -> None:
    """kill -9: what finished is kept, no process is left behind, and the same command does the rest."""
    words = ("gbm", "seed=range(1,13)", "model.max_iter=40", "--jobs", "2")
    process = start(project, environ, *words)
    wait_for(lambda: len(recorded(project)) >= 2)
    process.kill()
    process.communicate()
    wait_for(lambda: not group(process.pid), 10)
    kept = recorded(project)
    assert 2 <= len(kept) < 12
    second = start(project, environ, *words, "--json")
    output, errors = second.communicate()
    assert second.returncode == 0, errors
    trials = json.loads(output)["trials"]
    assert len(trials) == 12
    assert {trial["trial"] for trial in trials if trial["recorded_before"]} == set(kept)
    after = recorded(project)
    assert len(after) == 12
    assert all(after[name] == one for name, one in kept.items())


def test_ctrl_c_is_clean(project: Path, environ: dict[str, str]) -> None:
    """The signal reaches the whole group, as from a terminal: a sentence, 130, nothing left running, all kept."""
    process = start(project, environ, "gbm", "seed=range(1,40)", "model.max_iter=40", "--jobs", "2")
    wait_for(lambda: len(recorded(project)) >= 1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    assert not group(process.pid)
    assert recorded(project)


def test_two_sweeps_at_once_lose_nothing(project: Path, environ: dict[str, str]) -> None:
    first = start(project, environ, "gbm", "seed=range(1,9)", "--jobs", "2", "--json")
    second = start(project, environ, "gbm", "seed=range(5,13)", "--jobs", "2", "--json")
    names: set[str] = set()
    for process in (first, second):
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        trials = json.loads(output)["trials"]
        assert [trial["state"] for trial in trials] == ["done"] * 8
        names |= {trial["trial"] for trial in trials}
    assert set(recorded(project)) == names
    assert len(names) == 12


@pytest.fixture
def small_disk(project: Path, tmp_path: Path) -> Iterator[Path]:
    """The project with its Git objects on a file system of their own, if this machine lets us make one."""
    objects = project / ".git/objects"
    kept = tmp_path / "objects"
    objects.rename(kept)
    objects.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(objects)], check=False).returncode:
        objects.rmdir()
        kept.rename(objects)
        yield project
        return
    shutil.copytree(kept, objects, dirs_exist_ok=True)
    yield project
    subprocess.run(["umount", "-l", str(objects)], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as handle, contextlib.suppress(OSError):
        while True:
            handle.write(b"\0" * 4096)


def test_a_disk_that_fills_up_stops_the_sweep_and_loses_nothing(small_disk: Path) -> None:
    """A real full file system where one can be mounted; else no file may grow any more. Then there is room again."""
    objects = small_disk / ".git/objects"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ballast = objects / "ballast"
    run = sweeping(small_disk, *GRID).run()
    found = [next(run)]
    try:
        if os.path.ismount(objects):
            fill(ballast)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
        with pytest.raises(ExperimentError, match="cannot record gbm-") as caught:
            found += list(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        ballast.unlink(missing_ok=True)
    assert "goes on from there" in caught.value.hint
    assert set(recorded(small_disk)) == {one.trial.name for one in found}
    subprocess.run(["git", "-C", str(small_disk), "fsck", "--strict"], check=True, capture_output=True)
    rest = list(sweeping(small_disk, *GRID).run())
    assert len(rest) == len(recorded(small_disk)) == 6
    assert sum(one.again for one in rest) == len(found)


@pytest.mark.parametrize(
    ("experiment", "words", "options", "message", "hint"),
    [
        ("gmb", ("seed=1",), {}, "no experiment 'gmb'", "did you mean 'gbm'"),
        ("gbm", ("model.lerning_rate=1,2",), {}, "no key 'model.lerning_rate'", "model.learning_rate"),
        ("gbm", ("model.lerning_rate=1",), {}, "no key 'model.lerning_rate'", "did you mean 'model.learning_rate'?"),
        ("gbm", ("modell.max_iter=1",), {}, "no key 'modell.max_iter'", "did you mean 'model.max_iter'?"),
        ("gbm", ("modell.max_iter=1,2",), {}, "no key 'modell.max_iter'", "did you mean 'model.max_iter'?"),
        ("gbm", ("sed=1",), {}, "no key 'sed'", "did you mean 'seed'?"),
        ("gbm", ("calibratoin=none",), {}, "no key 'calibratoin'", "did you mean 'calibration'?"),
        ("gbm", ("seed=range(0,101)", "model.max_iter=range(0,100)"), {}, "there are 10,100 combinations", "--search"),
        ("gbm", ("seed=range(0,999790002)",), {}, "more than 10,000 values", "interval"),
        ("gbm", ("+model.lerning_rate=1,2",), {}, "unknown key 'model.lerning_rate'", "learning_rate"),
        ("gbm", ("seed=interval(0,1)",), {}, "interval can't be enumerated", "--search"),
        ("gbm", ("seed=1,two",), {}, "seed", ""),
        ("gbm", ("model=gmb,gbm",), {}, "gmb", "gbm"),
        ("gbm", ("features.service=ful",), {}, "no feature service 'ful'", "did you mean 'full'"),
        ("gbm", ("~model.max_iter",), {}, "can't be taken away", "value"),
        ("gbm", ("seed",), {}, "seed", "KEY=VALUE"),
        ("gbm", ("model._target_=os.system",), {}, "not allowed", "sklearn"),
        ("gbm", ("name=other",), {}, "name is 'other'", "adopt"),
        ("gbm", ("seed=1",), {"metric": "auc"}, "metric 'auc' is unknown", "roc_auc"),
        ("gbm", ("seed=1",), {"engine": "clutser"}, "clutser", "cluster"),
        ("gbm", ("seed=1",), {"search": "tpee"}, "no search 'tpee'", "did you mean 'tpe'"),
        ("gbm", ("seed=1",), {"trials": 3}, "--trials", "--search"),
        ("gbm", ("search=tpe",), {}, "searches by itself", "search=none"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(
    original: Path, experiment: str, words: tuple[str, ...], options: dict[str, object], message: str, hint: str
) -> None:
    with pytest.raises(FurrowError) as caught:
        sweeping(original, *words, experiment=experiment, **options)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert not recorded(original)


def test_it_needs_a_training_set_and_a_commit_and_a_name(
    project: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project / "build/training/full.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FurrowError, match=r"full\.parquet") as caught:
        sweeping(project, "seed=1")
    assert "dvc repro" in caught.value.hint
    monkeypatch.setenv("HOME", str(project / "nowhere"))
    git(project, "config", "user.useConfigOnly", "true")
    with pytest.raises(ExperimentError, match="who commits") as told:
        sweeping(project, "seed=1")
    assert "user.name" in told.value.hint
    git(project, "checkout", "-q", "--orphan", "new")
    with pytest.raises(UnbornBranchError):
        sweeping(project, "seed=1")


def test_a_training_set_that_dvc_does_not_name_is_warned_of(project: Path) -> None:
    out = {"path": "build/training/full.parquet", "md5": "0" * 32}
    (project / "dvc.lock").write_text(json.dumps({"stages": {"training_set_full": {"outs": [out]}}}))
    assert "dvc repro training_set_full" in sweeping(project, "seed=1").warnings[0]
