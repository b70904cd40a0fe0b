"""Parts of CI one by one: what DVC's files may hold, imports, deployments, drawings, what is kept and published, jobs."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from furrow.ci.bare_hook import log_of
from furrow.ci.ci_commit import commit_results, made_by_ci
from furrow.ci.ci_settings import parse_settings
from furrow.ci.deployment_check import deployments_hold
from furrow.ci.dvc_checkout import RefusedError, configure, inputs_of, remote_of, translated
from furrow.ci.dvc_files import Place, config_lines, lines_of_file
from furrow.ci.fair_comparison import rejudged
from furrow.ci.held_imports import imports_of
from furrow.ci.held_tree import RESULTS, HeldTree
from furrow.ci.inspect import dvc_config
from furrow.ci.outcome import Check, Measure, Outcome
from furrow.ci.publish import publish, read_status, status_line, write_reports
from furrow.ci.queue import FOLDER, Pushed, again, enqueue, jobs, place_of, room
from furrow.ci.registration import registered
from furrow.ci.run_ci import Options
from furrow.ci.run_record import keep, kept
from furrow.ci.steps import address
from furrow.drawing.curves import curves, intervals
from furrow.ground.git import common_dir, resolve
from furrow.ground.isolate import CommandError
from furrow.ground.pipeline_spec import Dep, Out, Pipeline, Source, Step
from furrow.ground.worktree import Checkout


def refused(text: str, file: str = "dvc.yaml", **more) -> list[str]:
    def wrong(path: str) -> str:
        return "leads out" if path.startswith(("/", "../")) or "/../" in f"/{path}" else ""

    return list(lines_of_file(Place(file, wrong, **more), text.encode()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stages: {a: {cmd: x, deps: [../x]}}", "deps: ../x leads out"),
        ("stages: {a: {cmd: x, outs: [{/x: {cache: false}}]}}", "outs: /x leads out"),
        ("stages: {a: {cmd: x, wdir: ../..}}", "wdir ../.. leads out"),
        (
            "stages: {a: {foreach: [1], do: {cmd: x, deps: ['s3://b/x']}}}",
            "leads out of the repository",
        ),
        ("vars: ['../p.yaml']\nstages: {}", "vars: ../p.yaml leads out"),
        ("vars: ['${x}']", "is not a plain path"),
        ("plots: [{'/p': {x: a}}]", "plots: /p leads out"),
        ("artifacts: {m: {path: /m}}", "artifacts: /m leads out"),
        ("a: [", "not valid YAML"),
    ],
)
def test_paths_of_a_dvc_yaml_that_lead_out(text: str, said: str) -> None:
    (line,) = refused(text)
    assert said in line
    assert line.startswith("dvc.yaml: ")


def test_what_a_commit_from_outside_may_hold() -> None:
    """Only keys that a list names, and imports that the target allows; a trusted one may hold more."""
    odd = "stages: {a: {cmd: x, surprise: 1, outs: [{o: {remote: r}}]}}"
    assert refused(odd) == []
    assert {line.partition(" holds ")[0] for line in refused(odd, strict=True)} == {
        "dvc.yaml: a stage",
        "dvc.yaml: outs: o",
    }
    pointer = (
        "outs: [{path: data, md5: x}]\ndeps: [{path: d, repo: {url: https://h/r, rev_lock: a}}]"
    )
    assert "imports" in refused(pointer, "data.dvc", strict=True)[0]
    assert refused(pointer, "data.dvc", strict=True, imports=("https://h/r",)) == []
    assert config_lines(b"[core]\n    remote = x\n")[0].endswith("is not believed")
    assert (
        "which a commit from outside may not"
        in config_lines(b"[core]\n    hardlink_lock = 1\n    site = x\n")[0]
    )
    assert "can't be read" in config_lines(b"\xff")[0]


def test_what_a_checkout_imports(tmp_path: Path) -> None:
    """Told by the md5 of its data; what is no import, or damaged, is none."""
    (tmp_path / "a.dvc").write_text(
        "deps: [{path: d, repo: {url: u, rev_lock: l, odd: x}}]\nouts: [{md5: m, path: a}]\n"
    )
    (tmp_path / "b.dvc").write_text("outs: [{md5: n, path: b}]\n")
    (tmp_path / "c.dvc").write_text("{")
    found = imports_of(tmp_path, ["a.dvc", "b.dvc", "c.dvc", "gone.dvc"])
    assert list(found) == ["m"]
    assert found["m"].address == "u"
    assert found["m"].pointer["deps"] == [{"path": "d", "repo": {"url": "u", "rev_lock": "l"}}]


def commit(repo: Path, git: Callable[..., str], **files: str) -> str:
    for name, text in files.items():
        path = repo / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "--allow-empty", "-m", "c")
    return resolve(repo)


def test_deployments(repo: Path, git: Callable[..., str]) -> None:
    """Nothing deployed is skipped; a version that no tag registers is refused, and a warning where it was so before."""
    base = resolve(repo)
    assert deployments_hold(repo, "", base).status == "skipped"
    (repo / "conf/deployment").mkdir(parents=True)
    (repo / "conf/deployment/production.yaml").write_text("model: m@v1.0.0\n")
    broken = commit(repo, git)
    found = deployments_hold(repo, base, broken)
    assert found.status == "failed"
    assert "production serves m@v1.0.0: no tag registers this version" in found.details
    assert deployments_hold(repo, broken, commit(repo, git)).status == "warning"
    path = repo / "conf/deployment/production.yaml"
    path.write_text("model: m@v1.0.0\ncanary: {model: m@v2.0.0, shre: 0.1}\n")
    found = deployments_hold(repo, broken, commit(repo, git))
    assert found.status == "failed"
    assert "did you mean 'share'?" in found.details[0]
    path.write_text("model: m@v1.0.0\ncanary: {model: m@v2.0.0}\n")
    found = deployments_hold(repo, broken, commit(repo, git))
    assert "the canary of production is m@v2.0.0: no tag registers this version" in found.details[0]


def test_drawings() -> None:
    """Points within the axes whatever they hold, names as text and no markup, nothing where there is nothing."""
    points = ((0.0, 0.0), (0.5, 2.0), (1.0, 1.0))
    drawn = curves("roc", {"before": points, "after": points})
    assert drawn.count("<polyline") == 2
    assert "ROC" in drawn
    assert "<b>" not in curves("<b>", {})
    rows = [("<script>", Measure("auc", 0.7, (0.6, 0.8), 0.75, (0.7, 0.8)))]
    assert "&lt;script&gt;" in intervals(rows, metric="auc")
    assert intervals(rows, metric="auc").count("<circle") == 2
    assert intervals([], metric="auc") == ""


def test_what_came_of_a_commit_is_kept_published_and_written(
    repo: Path, git: Callable[..., str], tmp_path: Path
) -> None:
    """In the bare repository its own record tells; clones read the note; the reports are three files."""
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(bare))
    head = resolve(bare, "HEAD")
    outcome = Outcome(
        head,
        branch="main",
        project="a/",
        checks=(Check("plan", "passed", "x"),),
        started="2024-01-01T00:00:00+00:00",
    )
    keep(bare, status_line(outcome), tip=True)
    publish(bare, head)
    for source, folder in (("record", bare), ("note", repo)):
        if source == "note":
            git(repo, "fetch", "-q", str(bare), "refs/notes/*:refs/notes/*")
        (line,) = read_status(folder, head)
        assert (line["source"], line["passed"], line["project"]) == (source, True, "a/")
    assert kept(bare, head)[0]["tip"] is True
    write_reports(outcome, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.md",
        "report.html",
        "report.json",
    }
    assert Outcome.from_json(json.loads((tmp_path / "out/report.json").read_text())) == outcome


def test_jobs_of_each_project(repo: Path, git: Callable[..., str], tmp_path: Path) -> None:
    """A push of a repository with two projects makes a run of each; again too; logs and reports have names of their own."""
    (repo / "a/conf").mkdir(parents=True)
    (repo / "a/conf/ci.yaml").write_text("{}")
    first = commit(repo, git, README="x")
    for name in ("a/dvc.yaml", "b/dvc.yaml"):
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_text("stages: {}\n")
    second = commit(repo, git)
    home = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(home))
    assert enqueue(home, [Pushed("main", first, second)]) == 2
    assert {(job.commit, job.project, job.tip) for job in jobs(home)} == {
        (second, "a/", True),
        (second, "b/", True),
    }
    assert len({job.place for job in jobs(home)}) == 2
    assert place_of(second, "") == second
    assert enqueue(home, [Pushed("main", "0" * 40, first)]) == 0, "no project yet"
    assert again(home, second) == ["main"]
    assert len(jobs(home)) == 4
    (room(home, "logs") / f"{place_of(second, 'a/')}.log").write_text("of a\n")
    assert log_of(home, second) == "of a\n"
    assert (home / FOLDER).is_dir()


def test_results_of_one_project_are_no_others(repo: Path, git: Callable[..., str]) -> None:
    """CI's commit says whose stages it ran: made by CI for that project alone."""
    for name in ("a", "b"):
        (repo / name / "conf").mkdir(parents=True)
        (repo / name / "dvc.yaml").write_text("stages: {}\n")
        (repo / name / "conf/ci.yaml").write_text("{}\n")
    base = commit(repo, git)
    assert commit_results(repo / "a", base) == ""
    (repo / "a/dvc.lock").write_text("x")
    (repo / "b/dvc.lock").write_text("y")
    made = commit_results(repo / "a", base)
    assert git(repo, "show", "--name-only", "--format=", made) == "a/dvc.lock"
    assert made_by_ci(repo / "a", made)
    assert not made_by_ci(repo / "b", made)
    assert not made_by_ci(repo, made)
    assert not made_by_ci(repo / "a", base)


def test_the_checkouts_remote(repo: Path, tmp_path: Path) -> None:
    """A relative address counts from the clone; what is fetched is verified; a stranger's settings are replaced."""
    (repo / ".dvc").mkdir()
    config = b"[core]\n    remote = s\n['remote \"s\"']\n    url = ../../store\n"
    (repo / ".dvc/config").write_bytes(config)
    root = tmp_path / "checkout"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text("[core]\n    remote = evil\n")
    assert configure(root, repo, tmp_path / "cache", trusted=False, config=config)
    assert remote_of(root) == str((repo / ".dvc/../../store").resolve())
    local = (root / ".dvc/config.local").read_text()
    assert "verify = true" in local
    assert str(tmp_path / "cache") in local
    assert not configure(root, repo, tmp_path / "cache", trusted=False, config=None)


def test_dvcs_settings_at_a_commit(repo: Path, git: Callable[..., str]) -> None:
    """A project's own, or those of the nearest folder above."""
    (repo / "a/conf").mkdir(parents=True)
    (repo / "a/dvc.yaml").write_text("stages: {}\n")
    (repo / ".dvc").mkdir()
    (repo / ".dvc/config").write_text("top\n")
    first = commit(repo, git)
    assert dvc_config(repo / "a", first) == dvc_config(repo, first) == b"top\n"
    (repo / "a/.dvc").mkdir()
    (repo / "a/.dvc/config").write_text("own\n")
    assert dvc_config(repo / "a", commit(repo, git)) == b"own\n"


def test_inputs_that_stale_stages_need() -> None:
    """What they read of DVC's, not what a stage is certain to write, nor plain files."""
    made = Step("made", "x", ".", (), (), (Out("m", "m", "1"),))
    use = Step(
        "use",
        "x",
        ".",
        (Dep("m/part", "m/part"), Dep("data/a", "data/a"), Dep("plain", "plain")),
        (),
        (Out("u", "u", "2"),),
    )
    pipeline = Pipeline({"made": made, "use": use}, (Source("data.dvc", "data", "3"),), {})
    assert inputs_of(pipeline, {"use"}, {"use"}) == ["data/a", "m/part"]
    assert inputs_of(pipeline, {"made", "use"}, {"made", "use"}) == ["data/a"]


def test_what_dvc_says_of_a_remote_says_what_to_mend() -> None:
    assert isinstance(
        translated(CommandError("x", lines=["ERROR: AccessDenied: (403)"]), "read"), RefusedError
    )
    assert (
        "can't be reached" in translated(CommandError("x", lines=["ERROR: timed out"]), "read").hint
    )


@pytest.fixture
def session(repo: Path, git: Callable[..., str]) -> SimpleNamespace:
    """What steps share, of a commit that names no champion."""
    git(repo, "remote", "add", "origin", "https://h/read")
    git(repo, "remote", "set-url", "--push", "origin", "https://h/write")
    head = resolve(repo)
    settings = parse_settings(b"register: {automatic: true}\n")
    options = Options(register=True, branch=settings.branch, offer="origin")
    return SimpleNamespace(repo=repo, root=repo, commit=head, base="", tip="", result=head, made="", offered="",
                           settings=settings, options=options, replays=[])  # fmt: skip


def test_where_results_go(session: SimpleNamespace) -> None:
    """To the address that a remote is pushed to, to the repository itself, or to an address as it was given."""
    assert address(session) == "https://h/write"
    for offer, expected in (
        (".", str(common_dir(session.repo))),
        ("https://h/other", "https://h/other"),
    ):
        session.options = replace(session.options, offer=offer)
        assert address(session) == expected


def test_nothing_is_registered_without_a_champion(session: SimpleNamespace) -> None:
    """Where it was asked for, on the main branch, that is said; elsewhere nothing is."""
    assert registered(session).text == "there is no champion"
    for change in ({"register": False}, {"branch": "other"}, {"untrusted": True}):
        session.options = replace(session.options, **change)
        assert registered(session) is None


def test_nothing_is_judged_again_where_nothing_was_judged(session: SimpleNamespace) -> None:
    assert rejudged(session) == {}


def test_the_place_of_a_strangers_project(tmp_path: Path) -> None:
    """Stages run in the project's folder of the checkout, comparisons in a folder with nothing else."""
    tree = Checkout(tmp_path / "tree/a", tmp_path / "room", "c", "a/")
    held = HeldTree(tree, tree.room, None, None, None, False, print, None)
    assert held.place == tmp_path / "room/held/tree/a"
    assert held.top == tmp_path / "room/held/tree"
    assert held.judge == tmp_path / "room/judge"
    assert "dvc.lock" in RESULTS
