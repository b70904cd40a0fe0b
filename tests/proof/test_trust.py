"""Signed statements: what is forged, moved, cut short or said by whom may not say it counts for nothing."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from furrow.errors import FurrowError
from furrow.files import canonical_json
from furrow.governance.proof_chain import broken, chain_of, weakest
from furrow.ground.git_mirror import fetch_branch, open_mirror
from furrow.ground.notes import add_line, read_lines
from furrow.ground.ssh_signatures import Signer, SigningError, commit_signer, signers_of, ssh_sign
from furrow.models.deployment import promote
from furrow.models.register import register
from furrow.models.registry import find
from furrow.models.trusted_version import approve, sign_gate, standing_of, trust_refusal
from furrow.proof.envelope import NAMESPACE
from furrow.proof.signed_statements import (
    NOTE,
    keep_signed,
    make_statement,
    read_weighed,
    stands,
)
from furrow.proof.trust_policy import KINDS, TrustPolicyError, parse_policy, read_policy
from furrow.serving.version_store import RefusedError, deployable
from tests.proof.signingpeople import SHA256, People, commit, project, run

POLICY = """
roles:
  register: {who: [ada@example.com, ben@example.com]}
  gate: {who: [ci@example.com]}
  approve: {who: [ada@example.com, ben@example.com, cas@example.com], count: 2, four_eyes: true}
"""
NOW = datetime.now(UTC) + timedelta(hours=6)  # a run of all tests comes to these late


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def governed(people: People, tmp_path: Path) -> Path:
    """A project of Ada's (ada@example.com makes its commits), with a policy."""
    listed = "".join(people.line(name) for name in ("ada", "ben", "cas", "ci"))
    return project(tmp_path / "project", POLICY, listed)


def signed(root: Path, people: People, who: str, kind: str, **facts: Any) -> dict[str, Any]:
    people.become(root, who)
    head = run(root, "git", "rev-parse", "HEAD").strip()
    return keep_signed(root, head, make_statement(root, kind, head, facts, now=datetime.now(UTC)))


def test_a_version_needs_a_signature_of_who_may_register(governed: Path, people: People) -> None:
    """Without one, with that of a stranger to the role, and with the right one."""
    with pytest.raises(FurrowError, match="asks for a signature of whoever registers"):
        register(governed)
    people.become(governed, "ci")
    with pytest.raises(SigningError, match=r"ci@example.com may not register"):
        register(governed, sign=True)
    people.become(governed, "mallory")
    with pytest.raises(SigningError, match="not in the list of signers"):
        register(governed, sign=True)
    assert run(governed, "git", "tag") == ""
    people.become(governed, "ben")
    version = register(governed, sign=True)
    assert trust_refusal(governed, version) == ""
    standing = standing_of(governed, version, read_policy(governed), "register", now=NOW)
    assert standing.by == ("ben@example.com",)


def test_a_tag_pushed_without_a_statement_is_not_deployed(governed: Path, people: People) -> None:
    """Whoever may push can make a tag that agrees with its commit in every hash."""
    people.become(governed, "ben")
    register(governed, sign=True)
    run(governed, "git", "update-ref", "-d", "refs/notes/furrow/replay")
    version = find(governed, "gbm@v1.0.0")
    assert "0 of 1 signed" in trust_refusal(governed, version)
    with pytest.raises(FurrowError, match="is not registered by whom"):
        promote(governed, "gbm@v1.0.0", "production")


def test_approval_takes_two_who_are_others(governed: Path, people: People) -> None:
    """Ada made the commit and Ben registered it: two of the others, or it is refused; a server asks the same."""
    people.become(governed, "ben")
    version = register(governed, sign=True)
    head = version.commit
    for name in ("ada", "ben", "cas"):
        people.become(governed, name)
        approve(governed, version, "production", now=datetime.now(UTC))
    policy = read_policy(governed)
    found = standing_of(governed, version, policy, "approve", now=NOW, environment="production")
    assert found.by == ("cas@example.com",)
    assert not found
    assert any("ben@example.com made the commit or registered" in one for one in found.problems)
    assert "1 of 2 signed" in trust_refusal(governed, version, environment="production")
    with pytest.raises(RefusedError, match="is not approved for production"):
        deployable(governed, str(version), head, environment="production")
    # the policy itself is merged: with one it is enough
    text = (governed / "conf/trust.yaml").read_text().replace("count: 2", "count: 1")
    (governed / "conf/trust.yaml").write_text(text)
    tip = commit(governed, "One is enough")
    assert str(deployable(governed, str(version), tip, environment="production")) == str(version)
    # an approval for one environment is none for another
    assert "0 of 1 signed" in trust_refusal(governed, version, environment="staging")


def test_a_server_brings_what_was_signed(governed: Path, people: People, tmp_path: Path) -> None:
    """The mirror has the notes of the branch that it follows, and new ones without a new commit."""
    mirror = open_mirror(tmp_path / "mirror.git")
    fetch_branch(mirror, str(governed), "main")
    people.become(governed, "ben")
    version = register(governed, sign=True)
    fetch_branch(mirror, str(governed), "main")
    assert trust_refusal(mirror, find(mirror, str(version)), trusted=version.commit) == ""


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda made: {**made, "payload": base64.b64encode(b"{}").decode()},
            "kind that this Furrow",
        ),
        (lambda made: {**made, "payload": made["payload"][:-9]}, "malformed or cut short"),
        (lambda made: {**made, "signatures": []}, "has no signature"),
        (lambda made: {**made, "signatures": "x"}, "has no signature"),
        (lambda made: {**made, "signatures": [{"sig": "????"}]}, "malformed"),
        (lambda made: {**made, "signatures": [{"sig": "eA=="}]}, "has no SSH signature"),
        (lambda made: {**made, "payloadType": "text/plain"}, "no in-toto statement"),
    ],
)
def test_what_was_changed_after_signing_counts_for_nothing(
    governed: Path, people: People, spoil: Callable[[Any], Any], said: str
) -> None:
    made = signed(governed, people, "ben", "register", version="gbm@v1.0.0", model_sha256=SHA256)
    head = run(governed, "git", "rev-parse", "HEAD").strip()
    run(governed, "git", "update-ref", "-d", "refs/notes/furrow/replay")
    add_line(governed, NOTE, head, canonical_json(spoil(made)))
    (one,) = read_weighed(governed, head, read_policy(governed), now=NOW)
    assert said in one.problem


def test_a_payload_of_the_same_form_with_other_words_is_not_signed(
    governed: Path, people: People
) -> None:
    """The forged statement is whole in itself: only the signature tells."""
    made = signed(governed, people, "ben", "register", version="gbm@v1.0.0", model_sha256=SHA256)
    said = json.loads(base64.b64decode(made["payload"]))
    said["predicate"]["model_sha256"] = "f" * 64
    forged = {**made, "payload": base64.b64encode(canonical_json(said).encode()).decode()}
    head = run(governed, "git", "rev-parse", "HEAD").strip()
    add_line(governed, NOTE, head, canonical_json(forged))
    policy = read_policy(governed)
    good, bad = sorted(read_weighed(governed, head, policy, now=NOW), key=lambda one: one.problem)
    assert (good.problem, "does not hold" in bad.problem) == ("", True)
    wanted = {"version": "gbm@v1.0.0", "model_sha256": "f" * 64}
    assert not stands(governed, head, policy, "register", [good, bad], **wanted)


def test_a_statement_moved_to_another_commit_or_version_or_project(
    governed: Path, people: People
) -> None:
    """A replayed statement: what was signed of one thing says nothing of another."""
    made = signed(governed, people, "ben", "register", version="gbm@v1.0.0", model_sha256=SHA256)
    later = commit(governed, "later")
    add_line(governed, NOTE, later, canonical_json(made))
    policy = read_policy(governed)
    (one,) = read_weighed(governed, later, policy, now=NOW)
    assert one.problem == "it is of another commit"
    first = run(governed, "git", "rev-parse", "HEAD~1").strip()
    every = read_weighed(governed, first, policy, now=NOW)
    assert stands(governed, first, policy, "register", every, version="gbm@v1.0.0")
    assert not stands(governed, first, policy, "register", every, version="gbm@v1.1.0")
    assert not stands(governed, first, policy, "approve", every, version="gbm@v1.0.0")
    # and one whose other project says the same of its own model is not of this project
    people.become(governed, "ben")
    foreign = make_statement(governed, "register", later, {"version": "x"}, now=datetime.now(UTC))
    foreign["predicate"]["project"] = "elsewhere/"
    keep_signed(governed, later, foreign)
    assert len(read_weighed(governed, later, policy, now=NOW)) == 1


def test_the_list_of_signers_is_the_main_branchs(governed: Path, people: People) -> None:
    """A branch that adds its author to keys/allowed_signers and conf/trust.yaml gains nothing."""
    run(governed, "git", "checkout", "-q", "-b", "attack")
    with (governed / "keys/allowed_signers").open("a") as handle:
        handle.write(people.line("mallory"))
    text = (governed / "conf/trust.yaml").read_text().replace("ada@", "mallory@")
    (governed / "conf/trust.yaml").write_text(text)
    head = commit(governed, "I may do anything")
    signed(governed, people, "mallory", "register", version="gbm@v1.0.0", model_sha256=SHA256)
    (one,) = read_weighed(governed, head, read_policy(governed), now=NOW)
    assert "not in the list of signers" in one.problem
    # a clone's origin says which branch that is, not what was checked out
    clone = governed.parent / "clone"
    run(governed, "git", "checkout", "-q", "main")
    run(governed.parent, "git", "clone", "-q", str(governed), str(clone))
    run(clone, "git", "checkout", "-q", "-B", "main", "origin/attack")
    assert read_policy(clone).roles["register"].who[0] == "ada@example.com"


def test_times_that_cannot_be(governed: Path, people: People) -> None:
    """A clock in the past, and one in the future."""
    people.become(governed, "ben")
    head = run(governed, "git", "rev-parse", "HEAD").strip()
    for at in (datetime(2001, 1, 1, tzinfo=UTC), NOW + timedelta(days=1)):
        keep_signed(governed, head, make_statement(governed, "register", head, {}, now=at))
    said = {
        one.problem.rpartition(", ")[2]
        for one in read_weighed(governed, head, read_policy(governed), now=NOW)
    }
    assert said == {"before the commit was made", "which is yet to come"}


def test_keys_that_were_rotated_expired_or_revoked(people: People, tmp_path: Path) -> None:
    """Of before its end an expired key's word counts; a revoked key's never did; a new key's does from its day."""
    listed = (
        people.line("old", 'valid-before="20250101"', called="ben@example.com")
        + people.line("new", 'valid-after="20250101"', called="ben@example.com")
        + people.line("stolen", called="cas@example.com")
    )
    data, space = b"words", NAMESPACE
    root = tmp_path / "any"
    root.mkdir()
    run(root, "git", "init", "-q")

    def said(name: str, year: int, revoked: bytes = b"") -> Signer | str:
        people.become(root, name)
        text = ssh_sign(root, data, space)
        at = datetime(year, 6, 1, tzinfo=UTC)
        return signers_of(
            data, text, namespace=space, signers=listed.encode(), revoked=revoked, at=at
        )

    assert isinstance(said("old", 2024), Signer)
    assert "not valid at the time" in str(said("old", 2026))
    assert isinstance(said("new", 2026), Signer)
    assert "not valid at the time" in str(said("new", 2024))
    revoked = people.public("stolen").encode()
    assert isinstance(said("stolen", 2026), Signer)
    assert "revoked" in str(said("stolen", 2026, revoked)).lower()
    # a signature for another purpose is none
    text = ssh_sign(root, data, "git")
    at = datetime(2026, 6, 1, tzinfo=UTC)
    other = signers_of(data, text, namespace=space, signers=listed.encode(), at=at)
    assert isinstance(other, str)


def test_a_revoked_key_of_the_policy(governed: Path, people: People) -> None:
    """conf/trust.yaml names the list; what the key signed before counts for nothing from then on."""
    people.become(governed, "ben")
    version = register(governed, sign=True)
    assert trust_refusal(governed, version) == ""
    (governed / "keys/revoked").write_text(people.public("ben") + "\n")
    (governed / "conf/trust.yaml").write_text(f"revoked: keys/revoked\n{POLICY}")
    commit(governed, "Ben lost his laptop")
    assert "revoked" in trust_refusal(governed, version).lower()


def test_one_key_counts_once_and_one_person_once(people: People, governed: Path) -> None:
    """Two names of one key, and two keys of one name, are one of two."""
    listed = (
        people.line("ada")
        + people.line("ben", called="ben@example.com,cas@example.com")
        + people.line("second", called="ben@example.com")
    )
    (governed / "keys/allowed_signers").write_text(listed)
    (governed / "conf/trust.yaml").write_text(
        "roles: {approve: {who: [ben@example.com, cas@example.com], count: 2}}\n"
    )
    head = commit(governed, "keys")
    policy = read_policy(governed)
    signed(governed, people, "ben", "approve", version="v")
    assert (
        len(
            stands(
                governed, head, policy, "approve", read_weighed(governed, head, policy, now=NOW)
            ).by
        )
        == 1
    )
    (governed / "keys/allowed_signers").write_text(listed.replace(",cas@example.com", ""))
    head = commit(governed, "keys again")
    policy = read_policy(governed)
    for name in ("ben", "second"):
        signed(governed, people, name, "approve", version="v")
    assert stands(
        governed, head, policy, "approve", read_weighed(governed, head, policy, now=NOW)
    ).by == ("ben@example.com",)


def test_what_is_of_before_the_policy(governed: Path, people: People) -> None:
    """`since` names a commit: nothing later can pass for older."""
    people.become(governed, "ben")
    version = register(governed, sign=True)
    run(governed, "git", "update-ref", "-d", "refs/notes/furrow/replay")
    (governed / "conf/trust.yaml").write_text(f"since: {version.commit}\n{POLICY}")
    commit(governed, "A policy from here on")
    assert trust_refusal(governed, version, environment="production") == ""
    states = {
        one.what: one.state
        for one in chain_of(governed, str(version), read_policy(governed), now=NOW)
    }
    assert states["registration"] == states["commit"] == "before"
    run(governed, "git", "commit", "-q", "--allow-empty", "-m", "x")
    links = chain_of(governed, "HEAD", read_policy(governed), now=NOW)
    assert [one.what for one in broken(links)] == ["verdicts"]


def test_the_chain_and_its_weakest_link(governed: Path, people: People) -> None:
    """From nothing signed to all that is asked for; a stranger's note breaks nothing and is told of."""
    people.become(governed, "ben")
    version = register(governed, sign=True)
    links = chain_of(governed, str(version), read_policy(governed), now=NOW)
    assert [one.what for one in broken(links)] == ["verdicts"]
    people.become(governed, "ci")
    sign_gate(governed, now=datetime.now(UTC))
    signed(governed, people, "mallory", "gate", version="any")
    links = chain_of(governed, str(version), read_policy(governed), now=NOW)
    assert broken(links) == []
    states = {one.what: one.state for one in links}
    assert states["a statement (gate)"] == "ignored"
    assert (
        states["gate"]
        == states["model"]
        == states["registration"]
        == states["verdicts"]
        == "proved"
    )
    least = weakest(links)
    assert least is not None
    assert (least.what, least.state) == ("replay", "absent")
    # a model that is another one is found out by its hash
    (governed / "build/models/gbm/model.joblib").write_bytes(b"another")
    states = {
        one.what: one.state
        for one in chain_of(governed, str(version), read_policy(governed), now=NOW)
    }
    assert states["model"] == "absent"


def test_a_commit_must_be_signed_where_that_is_asked(governed: Path, people: People) -> None:
    (governed / "conf/trust.yaml").write_text("commits: signed\n")
    commit(governed, "unsigned")
    assert [
        one.what for one in broken(chain_of(governed, "HEAD", read_policy(governed), now=NOW))
    ] == ["commit"]
    people.become(governed, "ada")
    run(governed, "git", "commit", "-q", "-S", "--allow-empty", "-m", "signed")
    assert broken(chain_of(governed, "HEAD", read_policy(governed), now=NOW)) == []
    head = run(governed, "git", "rev-parse", "HEAD").strip()
    found = commit_signer(governed, head, signers=people.line("ada").encode())
    assert isinstance(found, Signer)
    assert found.names == ("ada@example.com",)
    assert isinstance(commit_signer(governed, head, signers=people.line("ben").encode()), str)
    # an auditor's own list outranks the repository's
    own = read_policy(governed, signers=people.line("ben").encode())
    assert [one.what for one in broken(chain_of(governed, "HEAD", own, now=NOW))] == ["commit"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("roles: {aprove: {}}", "no key roles.aprove"),
        ("rolls: {}", "no key rolls"),
        ("roles: {approve: {whom: []}}", "no key roles.approve.whom"),
        ("roles: {approve: {who: ada}}", "not a list of names"),
        ("roles: {approve: {count: 0}}", "count is 0"),
        ("roles: {approve: {count: true}}", "count is True"),
        ("roles: {approve: {who: [a], count: 2}}", "count is 2, of 1 people"),
        ("roles: {approve: {four_eyes: yes please}}", "four_eyes is"),
        ("roles: [a]", "roles is not a mapping"),
        ("roles: {approve: 3}", "is not a mapping"),
        ("commits: maybe", "commits is"),
        ("since: 2024", "since is 2024"),
        ("keys: keys/none", "there is no keys/none"),
        ("revoked: keys/none", "there is no keys/none"),
        ("[", "not valid YAML"),
        ("- a", "holds no mapping"),
        ("since: '0000000'", "0000000"),
    ],
)
def test_a_policy_that_cannot_be_meant_opens_no_door(governed: Path, text: str, said: str) -> None:
    (governed / "conf/trust.yaml").write_text(text)
    commit(governed, "policy")
    with pytest.raises(FurrowError, match=said):
        read_policy(governed)


def test_no_key_to_sign_with(governed: Path, people: People) -> None:
    with pytest.raises(SigningError, match="knows no SSH key"):
        ssh_sign(governed, b"", NAMESPACE)
    people.become(governed, "ada")
    run(governed, "git", "config", "user.signingKey", "/nowhere/key")
    with pytest.raises(SigningError, match="did not sign"):
        ssh_sign(governed, b"", NAMESPACE)


def test_without_a_policy_nothing_is_asked(people: People, tmp_path: Path) -> None:
    root = project(tmp_path / "plain", "", "")
    version = register(root)
    assert trust_refusal(root, version, environment="production") == ""
    assert broken(chain_of(root, str(version), read_policy(root), now=NOW)) == []


def test_every_kind_may_be_declared() -> None:
    assert set(parse_policy({"roles": {kind: {} for kind in KINDS}}).roles) == set(KINDS)
    with pytest.raises(TrustPolicyError):
        parse_policy({"x": 1})


def test_a_note_of_many_lines_is_read_no_further(governed: Path, people: People) -> None:
    """A push can carry a million envelopes: of more than a bound none is looked at, and none is believed."""
    head = run(governed, "git", "rev-parse", "HEAD").strip()
    text = "".join(f'{{"payload":"{n}"}}\n' for n in range(3000))
    (governed.parent / "note").write_text(text)
    run(governed, "git", "notes", "--ref", "refs/notes/furrow/replay", "add", "-F", "../note", head)
    assert len(read_lines(governed, NOTE, head)) == 3000
    (one,) = read_weighed(governed, head, read_policy(governed), now=NOW)
    assert one.problem == "the note has more than 200 envelopes: none is looked at"
