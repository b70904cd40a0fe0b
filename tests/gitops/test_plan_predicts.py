"""The plan names exactly the stages that `dvc repro` then runs, and those that it takes from its cache."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from furrow.plan.make_plan import make_plan

from .small import Repro, commit, repro, run


def predicted(folder: Path) -> Repro:
    plan = make_plan(folder)
    return Repro(
        {stage.name for stage in plan.stages if stage.action == "run"},
        {stage.name for stage in plan.stages if stage.action == "restore"},
    )


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    path.write_text(text.replace(old, new))


def drop_from_cache(folder: Path, pick: random.Random) -> None:
    objects = sorted(
        path for path in (folder / ".dvc/cache/files/md5").rglob("*") if path.is_file()
    )
    if objects:
        pick.choice(objects).unlink()


def corrupt_cache(folder: Path, pick: random.Random) -> None:
    path = pick.choice(
        sorted(path for path in (folder / ".dvc/cache/files/md5").rglob("*") if path.is_file())
    )
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"x")


def replace_first(path: Path, line: str) -> None:
    path.write_text("\n".join([line, *path.read_text().splitlines()[1:]]) + "\n")


def new_month(folder: Path, pick: random.Random) -> None:
    (folder / f"data/flights/2013-{pick.randrange(3, 12):02}.csv").write_text(
        f"AA,{pick.randrange(99)}\n"
    )
    if pick.random() < 0.5:
        run(folder, "dvc", "add", "-q", "data")


def more_experiments(folder: Path, pick: random.Random) -> None:
    path = folder / "conf/experiments.yaml"
    if "late" in path.read_text():
        path.write_text(path.read_text().replace("  late: {service: full}\n", ""))
    else:
        path.write_text(path.read_text() + "  late: {service: full}\n")
        (folder / "conf/experiment/late.yaml").write_text(
            f"model: {{learning_rate: {pick.random():.3f}}}\nseed: 2\n"
        )


def another_output(folder: Path, pick: random.Random) -> None:
    path = folder / pick.choice(
        ["build/tables/a.parquet", "build/predictions/gbm.csv", "runs/gbm/card.md"]
    )
    if path.exists():
        content = path.read_text()
        path.unlink()
        path.write_text(f"{content}more\n")


def lose(folder: Path, pick: random.Random) -> None:
    name = pick.choice(
        [
            "build/models/gbm",
            "build/tables/b.parquet",
            "runs/champion.json",
            "runs/gbm/metrics.json",
        ]
    )
    path = folder / name
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def any_hyper_parameter(folder: Path, pick: random.Random) -> None:
    rate = pick.choice(["0.1", "1e-1", "0.2", "0.3"])
    replace_first(
        folder / "conf/experiment/gbm.yaml", f"model: {{learning_rate: {rate}, depth: 3}}"
    )


def sql_comment(folder: Path, pick: random.Random) -> None:
    path = folder / "features/tables/a.sql"
    path.write_text(
        f"-- remark {pick.random()}\n" + "".join(path.read_text().splitlines(keepends=True)[1:])
    )


def append(name: str, line: str) -> Callable[[Path, random.Random], None]:
    def edit(folder: Path, pick: random.Random) -> None:
        with (folder / name).open("a") as handle:
            handle.write(line.replace("RANDOM", str(pick.randrange(10**6))) + "\n")

    return edit


def back_to_the_commit(folder: Path, pick: random.Random) -> None:
    run(folder, "git", "checkout", "-q", "HEAD", "--", ".")
    run(folder, "dvc", "checkout", "-q", check=False)


EDITS: dict[str, Callable[[Path, random.Random], object]] = {
    "hyper-parameter": any_hyper_parameter,
    "seed": lambda f, p: change(
        f / "conf/experiment/base.yaml", "seed: 1", f"seed: {p.randrange(3)}"
    ),
    "a key that nobody reads": lambda f, p: (f / "params.yaml").write_text(
        f"service: 1\nother: {p.random()}\n"
    ),
    "a key of params.yaml": lambda f, p: (f / "params.yaml").write_text(
        f"service: {p.randrange(3)}\nother: 1\n"
    ),
    "comment in YAML": append("dvc.yaml", "# RANDOM"),
    "comment in SQL": sql_comment,
    "SQL": lambda f, p: change(
        f / "features/tables/b.sql", "y from", f"y, {p.randrange(4)} as z from"
    ),
    "new month": new_month,
    "experiments": more_experiments,
    "an output is another": another_output,
    "an output is lost": lose,
    "the cache loses an object": drop_from_cache,
    "the cache is damaged": corrupt_cache,
    "code": append("train.sh", "echo RANDOM >> build/models/$1/model.txt"),
    "blanks in a command": lambda f, p: change(
        f / "dvc.yaml", "cmd: cat build/tables/a", "cmd: cat  build/tables/a"
    ),
    "an ignored file": lambda f, p: (f / "data/flights/x.tmp").write_text(str(p.random())),
    "revert of declarations": lambda f, p: run(
        f, "git", "checkout", "-q", "HEAD", "--", "conf", "features"
    ),
    "back to the commit": back_to_the_commit,
    "a commit": lambda f, p: commit(f, "more"),
}


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))]
)
def test_random_edits(small: Path, seed: int) -> None:
    """After one to three edits of any kind the plan and `dvc repro` agree, and then there is nothing to do."""
    pick = random.Random(seed)
    for step in range(5):
        names = pick.sample(sorted(EDITS), pick.randrange(1, 4))
        for name in names:
            EDITS[name](small, pick)
        expected = predicted(small)
        done = repro(small)
        assert (expected.ran, expected.cached) == (done.ran, done.cached), (
            f"seed {seed}, step {step}: {names}"
        )
        assert predicted(small) == Repro(set(), set()), f"seed {seed}, step {step}: after {names}"
