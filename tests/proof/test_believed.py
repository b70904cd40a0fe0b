"""Which replays count: a pushed note that agrees in every hash is no proof; who signed, and who disagrees, tells."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from furrow.ci.trust_check import trust_holds
from furrow.cli import approve as approve_cli
from furrow.cli import verify as verify_cli
from furrow.errors import FurrowError
from furrow.files import canonical_json
from furrow.governance.proof_chain import broken, chain_of
from furrow.ground.notes import add_line, read_lines
from furrow.models.register import register, replay_holds
from furrow.models.registry import find
from furrow.models.trusted_version import approve
from furrow.proof.signed_statements import NOTE, read_weighed
from furrow.proof.trust_policy import read_policy
from furrow.replay.believed_replays import Belief, believed
from furrow.replay.note_verify import verify
from furrow.replay.replay_verdict import Environment, StageVerdict, Verdict
from furrow.replay.statement import made_here, read_verdicts, statement, write_note
from furrow.serving.canary_decision import ABORT
from furrow.serving.canary_decision import Verdict as Decision
from furrow.serving.canary_statement import sign_decision
from tests.proof.signingpeople import People, commit, project, run

NOW = datetime.now(UTC) + timedelta(hours=6)  # a run of all tests comes to these late


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def root(people: People, tmp_path: Path) -> Path:
    listed = "".join(people.line(name) for name in ("ada", "ben", "ci"))
    root = project(tmp_path / "project", "", listed)
    (root / "conf/ci.yaml").write_text("branch: main\nregister: {replayed: true}\n")
    commit(root, "ask for replays")
    return root


def head(root: Path) -> str:
    return run(root, "git", "rev-parse", "HEAD").strip()


def verdict(root: Path, status: str = "identical", *, later: int = 0) -> Verdict:
    stages = (StageVerdict("train@gbm", status, 1.0),)
    started = (datetime.now(UTC) + timedelta(seconds=later)).isoformat()
    first = "" if status == "identical" else "train@gbm"
    place = Environment("3.11", "Linux")
    return Verdict(
        head(root), {}, status, first, stages, place, started, 1.0, "host", "0.1", project=""
    )


def belief(root: Path) -> Belief:
    return believed(root, head(root), read_policy(root), now=NOW)


def test_a_pushed_note_is_not_believed(root: Path) -> None:
    """It holds against the objects, as whoever wrote it saw to; registering by hand asks for more."""
    add_line(root, NOTE, head(root), canonical_json(statement(root, verdict(root))))
    assert all(verify(root, head(root)))
    assert read_verdicts(root, head(root))
    assert belief(root).why == "nobody whom this clone trusts signed its replay"
    with pytest.raises(FurrowError, match="has not been replayed"):
        register(root)


def test_what_this_clone_found_itself_is_believed(root: Path, tmp_path: Path) -> None:
    """And by a clone that fetches the note, it is not."""
    write_note(root, verdict(root))
    assert len(made_here(root)) == 1
    assert belief(root).by == ("this clone",)
    version = register(root)
    assert replay_holds(root, version)
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(root), str(clone))
    run(clone, "git", "fetch", "-q", "origin", "refs/notes/furrow/*:refs/notes/furrow/*")
    assert read_verdicts(clone, head(root))
    assert not belief(clone)


def test_a_signed_replay_is_believed_anywhere(root: Path, people: People, tmp_path: Path) -> None:
    people.become(root, "ben")
    write_note(root, verdict(root), sign=True)
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(root), str(clone))
    run(clone, "git", "fetch", "-q", "origin", "refs/notes/furrow/*:refs/notes/furrow/*")
    assert belief(clone).by == ("ben@example.com",)
    (one,) = read_weighed(clone, head(root), read_policy(clone), now=NOW)
    assert (one.kind, one.problem) == ("replay", "")
    links = {one.what: one.state for one in chain_of(clone, "HEAD", read_policy(clone), now=NOW)}
    assert links["replay"] == "proved"


def test_trusted_people_who_disagree_prove_nothing(root: Path, people: People) -> None:
    """Until whoever found a difference finds none any more: the newest word of each counts."""
    people.become(root, "ben")
    write_note(root, verdict(root), sign=True)
    people.become(root, "ci")
    write_note(root, verdict(root, "different"), sign=True)
    found = belief(root)
    assert not found
    assert "ci@example.com" in found.why
    assert "ben@example.com that it does not" in found.why
    (link,) = [
        one for one in chain_of(root, "HEAD", read_policy(root), now=NOW) if one.what == "replay"
    ]
    assert link.state == "refused"
    write_note(root, verdict(root, later=20), sign=True)
    assert belief(root).by == ("this clone", "ben@example.com", "ci@example.com")


def test_a_role_for_replays_asks_for_as_many_as_it_says(root: Path, people: People) -> None:
    """What this clone found itself counts for nothing then; nor does somebody of another role."""
    (root / "conf/trust.yaml").write_text(
        "roles: {replay: {who: [ben@example.com, ci@example.com], count: 2}}\n"
    )
    commit(root, "policy")
    write_note(root, verdict(root))
    assert not belief(root)
    people.become(root, "ada")
    write_note(root, verdict(root), sign=True)
    assert belief(root).why == "ada@example.com may not replay"
    people.become(root, "ben")
    write_note(root, verdict(root), sign=True)
    assert belief(root).why == "1 of 2 who must replay it did"
    assert [one.what for one in broken(chain_of(root, "HEAD", read_policy(root), now=NOW))] == [
        "replay"
    ]
    people.become(root, "ci")
    write_note(root, verdict(root), sign=True)
    assert belief(root)


def test_a_signed_replay_of_results_that_are_not_the_commits(root: Path, people: People) -> None:
    """A trusted key does not outweigh the objects: the statement must hold, too."""
    people.become(root, "ben")
    odd = verdict(root)
    write_note(
        root, Verdict(**{**vars(odd), "status": "identical", "first": "train@gbm"}), sign=True
    )
    assert not belief(root)


def test_the_commands(
    root: Path, people: People, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Approve and verify, as a person calls them; exit codes and JSON."""
    (root / "conf/trust.yaml").write_text(
        "roles: {approve: {who: [ben@example.com]}, register: {}}\n"
    )
    commit(root, "policy")
    write_note(root, verdict(root))
    people.become(root, "ci")
    register(root, sign=True)
    monkeypatch.chdir(root)
    with pytest.raises(FurrowError, match="may not approve"):
        approve_cli.command.main(["gbm@v1.0.0", "--to", "production"], standalone_mode=False)
    people.become(root, "ben")
    approve_cli.command.main(["gbm@v1.0.0", "--to", "production"], standalone_mode=False)
    assert "1 of 1 approved it" in capsys.readouterr().out
    assert verify_cli.command.main(["gbm@v1.0.0"], standalone_mode=False) == 0
    assert "holds (conf/trust.yaml at" in capsys.readouterr().out
    signers = root.parent / "mine"
    signers.write_text(people.line("ada"))
    assert (
        verify_cli.command.main(
            ["gbm@v1.0.0", "--signers", str(signers), "--json"], standalone_mode=False
        )
        == 1
    )
    assert '"holds": false' in capsys.readouterr().out
    with pytest.raises((FurrowError, click.ClickException)):
        verify_cli.command.main(["no-such-thing"], standalone_mode=False)


def test_a_clones_own_list_of_signers_is_passed_over_and_told(
    people: People,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever hands a clone on may have named it; whoever named it themselves is told how to say so."""
    root = project(tmp_path / "project", "", "")
    run(root, "git", "rm", "-q", "keys/allowed_signers")
    commit(root, "no list")
    listed = tmp_path / "mine"
    listed.write_text(people.line("ada"))
    monkeypatch.chdir(root)
    told = f"--signers {listed}, if it was you"
    verify_cli.command.main(["HEAD"], standalone_mode=False)
    assert told not in capsys.readouterr().err
    run(root, "git", "config", "gpg.ssh.allowedSignersFile", str(listed))
    verify_cli.command.main(["HEAD"], standalone_mode=False)
    assert told in capsys.readouterr().err
    verify_cli.command.main(["HEAD", "--signers", str(listed)], standalone_mode=False)
    assert told not in capsys.readouterr().err


def test_ci_asks_the_target_branchs_policy(root: Path, people: People) -> None:
    """A deployment of what nobody approved fails; a branch that changes the policy gains nothing."""
    (root / "conf/trust.yaml").write_text("roles: {approve: {who: [ben@example.com]}}\n")
    tip = commit(root, "policy")
    write_note(root, verdict(root))
    register(root)
    run(root, "git", "checkout", "-q", "-b", "deploy")
    (root / "conf/deployment").mkdir()
    (root / "conf/deployment/production.yaml").write_text("model: gbm@v1.0.0\n")
    (root / "conf/trust.yaml").write_text("roles: {}\n")
    result = commit(root, "deploy, and ask for nothing")
    session = SimpleNamespace(repo=root, root=root, tip=tip, commit=result, result=result)
    found = trust_holds(session)  # type: ignore[arg-type]
    assert found is not None
    assert found.status == "failed"
    assert "is not approved for production" in found.details[0]
    run(root, "git", "checkout", "-q", "main")
    people.become(root, "ben")
    approve(root, find(root, "gbm@v1.0.0"), "production", now=datetime.now(UTC))
    found = trust_holds(session)  # type: ignore[arg-type]
    assert found is not None
    assert found.status == "passed"
    session.tip = run(root, "git", "rev-parse", "HEAD~1").strip()
    assert trust_holds(session) is None  # type: ignore[arg-type]


def test_a_canarys_end_is_signed(root: Path, people: People, tmp_path: Path) -> None:
    """Where the server has a key; the statement goes to the remote, and is one of the canary's version."""
    write_note(root, verdict(root))
    register(root)
    mirror = tmp_path / "mirror.git"
    run(tmp_path, "git", "clone", "-q", "--bare", str(root), str(mirror))
    decision = Decision(ABORT, "surely worse in errors")
    assert (
        sign_decision(
            mirror, str(root), "production", "gbm@v1.0.0", decision, now=datetime.now(UTC)
        )
        == ""
    )
    assert [
        one
        for one in read_weighed(root, head(root), read_policy(root), now=NOW)
        if one.kind == "canary"
    ] == []
    people.become(mirror, "ci")
    run(root, "git", "update-ref", "-d", "refs/notes/furrow/replay")
    assert (
        sign_decision(
            mirror, str(root), "production", "gbm@v1.0.0", decision, now=datetime.now(UTC)
        )
        == ""
    )
    (one,) = [
        one
        for one in read_weighed(root, head(root), read_policy(root), now=NOW)
        if one.kind == "canary"
    ]
    assert (one.problem, one.predicate["decision"]) == ("", "abort")
    # what others noted there meanwhile is joined, and nothing of it is lost
    add_line(root, NOTE, head(root), '{"another": "line"}')
    later = Decision(ABORT, "worse again")
    run(mirror, "git", "update-ref", "-d", "refs/notes/furrow/replay")
    assert (
        sign_decision(mirror, str(root), "production", "gbm@v1.0.0", later, now=datetime.now(UTC))
        == ""
    )
    kept = read_lines(root, NOTE, head(root))
    assert '{"another": "line"}' in kept
    assert len([line for line in kept if '"payload' in line]) == 2
    said = sign_decision(
        mirror, "/nowhere", "production", "gbm@v1.0.0", decision, now=datetime.now(UTC)
    )
    assert "is not signed on the remote" in said
