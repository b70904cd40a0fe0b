"""What whoever may push, or holds an old key, would try against signed statements: each attempt counts for nothing."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from furrow.ci.trust_check import trust_holds
from furrow.errors import FurrowError
from furrow.files import canonical_json
from furrow.governance.proof_chain import broken, chain_of
from furrow.governance.signed_files import check_signed_files
from furrow.ground.notes import add_line
from furrow.ground.ssh_signatures import ssh_sign
from furrow.models.register import refusal, register
from furrow.models.registry import find
from furrow.models.trusted_version import trust_refusal
from furrow.proof.envelope import NAMESPACE, seal
from furrow.proof.signed_statements import NOTE, keep_signed, make_statement, read_weighed, stands
from furrow.proof.trust_policy import TrustPolicyError, parse_policy, read_policy, trusted_commit
from furrow.replay.believed_replays import believed
from furrow.replay.replay_verdict import Environment, StageVerdict, Verdict
from furrow.replay.statement import write_note
from tests.proof.signingpeople import SHA256, People, commit, project, run

POLICY = """
roles:
  register: {who: [ben@example.com]}
  replay: {who: [ci@example.com, ben@example.com]}
"""
NOW = datetime.now(UTC) + timedelta(hours=6)  # a run of all tests comes to these late


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def root(people: People, tmp_path: Path) -> Path:
    """A project of Ada's; Ben registers, a machine replays."""
    listed = "".join(people.line(name) for name in ("ben", "ci"))
    return project(tmp_path / "project", POLICY, listed)


def head(root: Path) -> str:
    return run(root, "git", "rev-parse", "HEAD").strip()


def verdict(root: Path, status: str, *, later: int = 0) -> Verdict:
    stages = (StageVerdict("train@gbm", status, 1.0),)
    first = "" if status == "identical" else "train@gbm"
    started = (datetime.now(UTC) + timedelta(seconds=later)).isoformat()
    place = Environment("3.11", "Linux")
    return Verdict(
        head(root), {}, status, first, stages, place, started, 1.0, "host", "0.1", project=""
    )


def attack(root: Path) -> str:
    """A branch that says of itself who may do what, and back to main."""
    run(root, "git", "checkout", "-q", "-b", "attack")
    (root / "conf/trust.yaml").write_text("roles: {}\n")
    tip = commit(root, "nothing is asked")
    run(root, "git", "checkout", "-q", "main")
    return tip


def test_a_tag_with_the_name_of_the_branch_is_not_the_branch(root: Path) -> None:
    """Git takes a tag before a branch; anybody may push one."""
    tip = head(root)
    run(root, "git", "tag", "main", attack(root))
    run(root, "git", "config", "furrow.trustBranch", "main")
    assert trusted_commit(root) == tip
    assert trusted_commit(root, "main") == tip
    assert read_policy(root, branch="main").roles


def test_a_branch_that_is_not_there_is_no_policy_that_asks_for_nothing(root: Path) -> None:
    for name in ("mian", "HEAD~1", "--all"):
        with pytest.raises(TrustPolicyError, match="there is no branch"):
            read_policy(root, branch=name)


def test_a_version_of_a_side_branch_with_a_tag_that_is_called_main(root: Path) -> None:
    """ "Merged" is told by the branch, too."""
    run(root, "git", "checkout", "-q", "-b", "side")
    (root / "runs/gbm/metrics.json").write_text('{"roc_auc": 0.99}')
    side = commit(root, "better, surely")
    message = f'Register\n\n{{"model_sha256": "{SHA256}"}}'
    run(root, "git", "tag", "-a", "-m", message, "gbm@v9.0.0", side)
    run(root, "git", "checkout", "-q", "main")
    run(root, "git", "tag", "main", side)
    assert "is not on the branch main" in refusal(root, find(root, "gbm@v9.0.0"))


def test_since_is_a_whole_id_which_no_tag_can_be_called() -> None:
    for since in ("4f1c0a9", "main", "v1.0", "A" * 40):
        with pytest.raises(TrustPolicyError, match="since is"):
            parse_policy({"since": since})
    assert parse_policy({"since": "4f" * 20}).since == "4f" * 20


def test_an_old_key_that_gives_a_new_commit_an_old_time(root: Path, people: People) -> None:
    """Ben's key has expired: its statement of then counts on a commit of then, not on a backdated one of now."""
    old = people.line("old", 'valid-before="20250101"', called="ben@example.com")
    (root / "keys/allowed_signers").write_text(old)
    policy_tip = commit(root, "Ben's key has ended")
    people.become(root, "old")
    then = datetime(2024, 6, 1, tzinfo=UTC)
    stamp = {"GIT_AUTHOR_DATE": then.isoformat(), "GIT_COMMITTER_DATE": then.isoformat()}
    before = dict(os.environ)
    os.environ.update(stamp)
    try:
        backdated = commit(root, "of long ago")
    finally:
        for name in stamp:
            os.environ.pop(name)
            if name in before:
                os.environ[name] = before[name]
    facts = {"version": "gbm@v1.0.0", "model_sha256": SHA256}
    made = make_statement(root, "register", backdated, facts, now=then + timedelta(hours=1))
    keep_signed(root, backdated, made)
    (one,) = read_weighed(root, backdated, read_policy(root, branch=policy_tip), now=NOW)
    assert one.problem.endswith("before the commit was made")


def test_a_clock_ahead_of_now_locks_nobody_out(root: Path, people: People) -> None:
    """One commit of the future does not make every statement after it one of before its commit."""
    run(root, "git", "-c", "user.name=x", "commit", "-q", "--allow-empty", "-m", "a fast clock",
        f"--date={NOW + timedelta(days=400):%Y-%m-%dT%H:%M:%S}")  # fmt: skip
    ahead = {"GIT_COMMITTER_DATE": f"{NOW + timedelta(days=400):%Y-%m-%dT%H:%M:%S}+0000"}
    os.environ.update(ahead)
    try:
        commit(root, "a fast clock")
    finally:
        os.environ.pop("GIT_COMMITTER_DATE")
    tip = commit(root, "as it is")
    people.become(root, "ben")
    keep_signed(root, tip, make_statement(root, "register", tip, {}, now=datetime.now(UTC)))
    (one,) = read_weighed(root, tip, read_policy(root), now=NOW)
    assert one.problem == ""


def test_envelopes_without_end_hide_no_dissent(root: Path, people: People) -> None:
    """Whoever fills a note with so many that a difference which was found is not looked at gets no replay for it."""
    people.become(root, "ben")
    write_note(root, verdict(root, "identical"), sign=True)
    policy = read_policy(root)
    assert believed(root, head(root), policy, now=NOW)
    people.become(root, "ci")
    write_note(root, verdict(root, "different"), sign=True)
    assert not believed(root, head(root), policy, now=NOW)
    kept = run(root, "git", "notes", "--ref", "refs/notes/furrow/replay", "show", head(root))
    ours = next(line for line in kept.splitlines() if line)
    flood = "".join(f'{{"payload":"{n}"}}\n' for n in range(400))
    (root.parent / "note").write_text(f"{ours}\n{flood}{kept}")
    notes = ("git", "notes", "--ref", "refs/notes/furrow/replay")
    run(root, *notes, "add", "-f", "-F", "../note", head(root))
    found = believed(root, head(root), policy, now=NOW)
    assert not found
    assert "more than 200 envelopes" in found.why
    links = chain_of(root, "HEAD", policy, now=NOW)
    assert "replay" in [one.what for one in broken(links)]


def test_a_rotated_keys_dissent_ends_with_its_owners_newer_word(root: Path, people: People) -> None:
    """A person's newest word counts, whichever of their keys it has; another person's does not take its place."""
    listed = people.line("ci") + people.line("cinew", called="ci@example.com") + people.line("ben")
    (root / "keys/allowed_signers").write_text(listed)
    commit(root, "a new key for the machine")
    people.become(root, "ci")
    write_note(root, verdict(root, "different"), sign=True)
    people.become(root, "ben")
    write_note(root, verdict(root, "identical", later=10), sign=True)
    policy = read_policy(root)
    assert "ci@example.com found that it differs" in believed(root, head(root), policy, now=NOW).why
    people.become(root, "cinew")
    write_note(root, verdict(root, "identical", later=20), sign=True)
    assert set(believed(root, head(root), policy, now=NOW).by) == {
        "ben@example.com",
        "ci@example.com",
    }


def test_what_a_statement_leaves_out_is_not_what_was_asked(root: Path, people: People) -> None:
    """Nothing is equal to nothing: a version without a hash is not registered by a statement without one."""
    people.become(root, "ben")
    keep_signed(
        root,
        head(root),
        make_statement(root, "register", head(root), {"version": "v"}, now=datetime.now(UTC)),
    )
    policy = read_policy(root)
    weighed = read_weighed(root, head(root), policy, now=NOW)
    assert stands(root, head(root), policy, "register", weighed, version="v")
    assert not stands(root, head(root), policy, "register", weighed, version="v", model_sha256=None)


def test_signed_commits_are_asked_for_by_ci_and_servers(root: Path, people: People) -> None:
    """Not by `furrow verify` alone: a version of an unsigned commit is refused, and so is an unsigned commit."""
    (root / "conf/trust.yaml").write_text("commits: signed\n")
    version = register(root, rev=commit(root, "policy"))
    assert "asks for signed commits" in trust_refusal(root, version)
    tip = head(root)
    run(root, "git", "checkout", "-q", "-b", "change")
    session = SimpleNamespace(repo=root, root=root, tip=tip, commit=tip, result=tip)
    people.become(root, "ben")
    run(root, "git", "commit", "-q", "-S", "--allow-empty", "-m", "signed")
    session.commit = session.result = head(root)
    found = trust_holds(session)  # type: ignore[arg-type]
    assert found is not None
    assert found.status == "passed"
    (root / "conf/trust.yaml").write_text("commits: any\n")
    session.commit = session.result = commit(root, "unsigned, and no longer asked for")
    found = trust_holds(session)  # type: ignore[arg-type]
    assert found is not None
    assert (found.status, found.details) == ("failed", (f"{head(root)[:10]}: it is not signed",))


def test_an_envelope_that_is_of_no_file_vouches_for_none(root: Path, people: People) -> None:
    """Nor does one of another kind, whose signature is good."""
    people.become(root, "ben")
    at = {"at": "2026-01-01T00:00:00Z"}
    said = {"_type": "x", "subject": [], "predicateType": "urn:furrow:audit:v1", "predicate": at}
    envelope = root.parent / "a.dsse"
    for statement, why in (
        (said, "is of no file"),
        ({**said, "predicateType": "urn:furrow:gate:v1"}, "about something else"),
    ):
        made = seal(statement, lambda data: ssh_sign(root, data, NAMESPACE))
        envelope.write_text(canonical_json(made))
        with pytest.raises(FurrowError, match=why):
            check_signed_files(envelope, read_policy(root))


def test_a_signature_of_the_role_next_door(root: Path, people: People) -> None:
    """The machine that may replay registers nothing, and its good statement on the right commit stays one of a replay."""
    people.become(root, "ci")
    facts = {"version": "gbm@v1.0.0", "model_sha256": SHA256}
    made = make_statement(root, "register", head(root), facts, now=datetime.now(UTC))
    envelope = keep_signed(root, head(root), made)
    policy = read_policy(root)
    (one,) = read_weighed(root, head(root), policy, now=NOW)
    assert one.problem == "ci@example.com may not register"
    # the very envelope with another kind written over it is signed by nobody
    made["predicateType"] = "urn:furrow:canary:v1"
    forged = {**seal(made, lambda _: ""), "signatures": envelope["signatures"]}
    add_line(root, NOTE, head(root), canonical_json(forged))
    assert all(each.problem for each in read_weighed(root, head(root), policy, now=NOW))
