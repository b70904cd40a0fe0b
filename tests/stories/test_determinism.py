"""Clones on other machines write the same bytes: other folders, processors, threads, hash seeds, time zones, locales.

One run of the whole pipeline takes all of these together; models of the kinds that it lacks are
trained alone.
"""

import os
import subprocess
import sys

import pytest

from tests.otherprocessors import OLD, PLAIN_VECTORS

from .conftest import edit, grow, plant, run

pytestmark = [pytest.mark.story, pytest.mark.long]

ELSEWHERE = {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}
OTHERS = {"logistic": "logistic", "forest": "forest", "sure": "gbm"}
"""Experiments beside those of the stories, and their models; `sure` is calibrated and searches nothing."""


@pytest.fixture
def one_core():
    """This process and its children on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


@pytest.mark.usefixtures("one_core")
def test_a_clone_on_an_old_machine_writes_the_same(rested, tmp_path):
    """dvc.lock (with it every table, training set, prediction and model), data.dvc and all of runs/, byte for byte.

    The other machine has one core of a processor of 2005, another folder, hash seed, time zone and
    locale.
    """
    other = grow(plant(tmp_path / "another" / "folder"), **OLD, **ELSEWHERE)
    listed = ("git", "ls-files", "runs", "dvc.lock", "data.dvc", "features/manifest.json")
    names = run(rested, *listed).stdout.split()
    assert run(other, *listed).stdout.split() == names
    assert len(names) > 30
    different = [
        name for name in names if (rested / name).read_bytes() != (other / name).read_bytes()
    ]
    assert different == []


def test_every_kind_of_model_on_another_machine(rested, tmp_path):
    """A linear model, a forest and a calibrated one: four threads without vector code train what two with it do."""
    made = {}
    for name, threads, extra in (
        ("here", 2, {}),
        ("there", 4, {**PLAIN_VECTORS, **ELSEWHERE, "OMP_NUM_THREADS": "4"}),
    ):
        folder = tmp_path / name
        subprocess.run(["cp", "-a", "--reflink=auto", str(rested), str(folder)], check=True)
        _declare(folder, threads)
        run(folder, sys.executable, "-m", "furrow", "compile")
        for experiment in OTHERS:
            run(folder, sys.executable, "-m", "furrow.stages.train", experiment, **extra)
            run(folder, sys.executable, "-m", "furrow.stages.evaluate", experiment, **extra)
        made[name] = {
            str(path.relative_to(folder)): path.read_bytes()
            for experiment in OTHERS
            for top in (
                f"build/models/{experiment}",
                f"runs/{experiment}",
                f"build/predictions/{experiment}.parquet",
            )
            for path in sorted([folder / top, *(folder / top).rglob("*")])
            if path.is_file() and path.name != "config.yaml"  # it says how many threads
        }
    assert len(made["here"]) >= 36
    assert {name for name in made["here"] if made["here"][name] != made["there"].get(name)} == set()


def _declare(folder, threads):
    """Declare the other experiments, on the small service."""
    edit(folder / "conf/engine/local.yaml", "threads: 2", f"threads: {threads}")
    for name, model in OTHERS.items():
        text = (folder / "conf/experiment/gbm_schedule.yaml").read_text()
        text = text.replace("gbm_schedule", name).replace(
            "override /model: gbm", f"override /model: {model}"
        )
        (folder / f"conf/experiment/{name}.yaml").write_text(text)
        with (folder / "conf/experiments.yaml").open("a") as handle:
            handle.write(f"  {name}: {{problem: late, service: schedule}}\n")
    path = folder / "conf/experiment/sure.yaml"
    path.write_text(
        path.read_text().replace("defaults:\n", "defaults:\n  - override /calibration: isotonic\n")
    )
