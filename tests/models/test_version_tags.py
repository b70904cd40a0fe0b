"""Version tags as others write them: signed, with tails, of odd names, of no commit."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from furrow.errors import FurrowError
from furrow.models.deployment import promote
from furrow.models.register import register
from furrow.models.registry import find, name_of, versions

if TYPE_CHECKING:
    from pathlib import Path

FACTS = {
    "experiment": "gbm",
    "model_sha256": "c" * 64,
    "metrics": {"mae": 1.5},
    "note": "} -----BEGIN { \n\n",
}


def run(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def train(root: Path, name: str, record: dict[str, Any] | None = None) -> None:
    """Write and commit what a run leaves: its model, which Git ignores, its record, the champion."""
    model = root / "build/models" / name / "model.joblib"
    model.parent.mkdir(parents=True)
    model.write_bytes(name.encode())
    (root / "runs" / name).mkdir(parents=True)
    made = record or {"features_digest": "a" * 64, "service": "full"}
    made["model_sha256"] = hashlib.sha256(name.encode()).hexdigest()
    (root / "runs" / name / "record.json").write_text(json.dumps(made))
    (root / "runs" / name / "metrics.json").write_text(
        json.dumps({"roc_auc": 0.75, "log_loss": 0.4})
    )
    champion = {"experiment": name, "verdicts": {name: {"passed": True, "failures": []}}}
    commit(root, {"runs/champion.json": json.dumps(champion)})


def commit(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).write_text(text)
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-q", "-m", "change")


@pytest.fixture
def project(repo: Path) -> Path:
    """A repository with a trained model."""
    (repo / ".gitignore").write_text("/build/\n")
    train(repo, "gbm")
    return repo


def by_ssh(project: Path, tmp_path: Path) -> None:
    run(tmp_path, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key")
    run(project, "git", "config", "gpg.format", "ssh")
    run(project, "git", "config", "user.signingkey", str(tmp_path / "key.pub"))


def by_gpg(project: Path, tmp_path: Path) -> None:
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    script = tmp_path / "sign"
    script.write_text(f'#!/bin/sh\nexec gpg --homedir {home} --batch "$@"\n')
    script.chmod(0o755)
    quick = ("--passphrase", "", "--quick-generate-key", "ada@example.com", "ed25519")
    run(tmp_path, str(script), "--quiet", *quick)
    run(project, "git", "config", "gpg.program", str(script))
    run(project, "git", "config", "user.signingkey", "ada@example.com")


@pytest.mark.parametrize("sign", [by_ssh, by_gpg])
def test_signed_tags(project: Path, tmp_path: Path, sign: Any) -> None:
    """A signature stands in the tag's message: the facts are found before it, so registering again is a no-op."""
    tool = "gpg" if sign is by_gpg else "ssh-keygen"
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not here")
    sign(project, tmp_path)
    run(project, "git", "config", "tag.gpgSign", "true")
    first = register(project)
    assert "BEGIN" in run(project, "git", "cat-file", "tag", "gbm@v1.0.0")
    assert first.facts["metrics"] == {"roc_auc": 0.75, "log_loss": 0.4}
    assert register(project) == first
    assert [str(version) for version in versions(project)] == ["gbm@v1.0.0"]
    branch, promoted = promote(project, "gbm@v1.0.0", "production")
    assert promoted == first
    assert first.facts["model_sha256"] in run(
        project, "git", "show", f"{branch}:conf/deployment/production.yaml"
    )


def tag(
    project: Path,
    body: bytes,
    *,
    name: str = "gbm@v1.0.0",
    target: str = "HEAD",
    kind: str = "commit",
) -> None:
    """A tag object of exactly these bytes, as any tool may write one."""
    oid = run(project, "git", "rev-parse", target).strip()
    text = (
        f"object {oid}\ntype {kind}\ntag {name}\ntagger Ada <a@b.c> 1700000000 +0000\n".encode()
        + body
    )
    made = subprocess.run(
        ["git", "-C", str(project), "hash-object", "-t", "tag", "-w", "--stdin", "--literally"],
        input=text, check=True, capture_output=True,
    )  # fmt: skip
    run(project, "git", "update-ref", f"refs/tags/{name}", made.stdout.decode().strip())


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "shape",
    [
        b"\nRegister gbm\n\n%b\n",
        b"\nRegister gbm\n\n%b",
        b"\nRegister gbm\n\n\n\n%b\n\nSigned-off-by: Ada <a@b.c>\nReviewed-by: Bo {x}\n",
        b"\nRegister gbm\r\n\r\n%b\r\n\r\nChange-Id: I1\r\n",
        b"encoding ISO-8859-1\n\nRegister gbm by J\xf6rg\n\n%b\n",
        b"\nRegister gbm\n\n%b\n-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n",
        b"\nRegister gbm\n\n%b\n-----BEGIN PGP SIGNATURE-----\n\niQ\n-----END PGP SIGNATURE-----\n",
        b"\nRegister gbm\n\n%b\n{}\n",
        b"\nRegister \x01\ngbm\x01\n\n%b\n\x01\n\x02",
    ],
)
def test_tails_and_odd_bytes(project: Path, shape: bytes, indent: int | None) -> None:
    """Trailers, carriage returns, other encodings, signatures and control characters: the tag says the same."""
    if b"\x01" in shape:
        shape = shape.replace(b"\ngbm", b" gbm")
    tag(project, shape.replace(b"%b", json.dumps(FACTS, indent=indent).encode()))
    (version,) = versions(project)
    assert version.claims == FACTS
    assert version.commit == run(project, "git", "rev-parse", "HEAD").strip()


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"\nx", b"\nx\n\n[1]\n", b"\nx\n\n{\n", b"\nx\n\n" + b'{"a":' * 99_999]
)
def test_tags_without_facts(project: Path, body: bytes) -> None:
    """A tag that says nothing is a version without claims, beside others that have some."""
    tag(project, body)
    tag(project, b"\nx\n\n" + json.dumps(FACTS).encode(), name="gbm@v2.0.0")
    assert [version.claims for version in versions(project)] == [FACTS, {}]


def test_a_commits_message_is_no_tags(project: Path) -> None:
    """Whoever writes a commit does not register a model: a bare reference carries no facts."""
    run(project, "git", "commit", "-q", "--allow-empty", "-m", f"x\n\n{json.dumps(FACTS)}")
    run(project, "git", "tag", "gbm@v1.0.0")
    assert versions(project)[0].facts == {}


def test_what_is_no_commit_is_no_version(project: Path) -> None:
    """A tagged file, folder or tag: only what leads to a commit is a version, and the others hide none."""
    good = b"\nx\n\n" + json.dumps(FACTS).encode()
    tag(project, good, name="file@v1.0.0", target="HEAD:.gitignore", kind="blob")
    run(project, "git", "tag", "folder@v1.0.0", "HEAD^{tree}")
    tag(project, good, name="gbm@v1.0.0")
    tag(project, good, name="gbm@v1.1.0", target="refs/tags/gbm@v1.0.0", kind="tag")
    missing = "1" * 40
    (project / ".git/refs/tags/gone@v1.0.0").write_text(f"{missing}\n")
    found = {str(version): version.commit for version in versions(project)}
    head = run(project, "git", "rev-parse", "HEAD").strip()
    assert found == {"gbm@v1.1.0": head, "gbm@v1.0.0": head}


@pytest.mark.parametrize(
    "name", ["gbm", "a@b", "größe", "v1", "x.y", "a@v1.0.0", "team/model", "p%23#'\"&;$()!"]
)
def test_names_that_git_allows(project: Path, name: str) -> None:
    """Whatever may be in a tag's name can be registered and asked for."""
    if name != "gbm":
        train(project, name)
    made = register(project)
    assert str(made) == f"{name}@v1.0.0"
    assert name_of(str(made)) == name
    for text in (str(made), f"{name}@1.0.0", f"{name}@latest", name):
        assert find(project, text) == made


@pytest.mark.parametrize("name", ["a b", "a~1", "a..b", "-x", "a\\b", "x.lock/y"])
def test_names_that_git_does_not_allow(project: Path, name: str) -> None:
    """They are refused in a sentence, before anything is written."""
    champion = {"experiment": name, "verdicts": {name: {"passed": True, "failures": []}}}
    commit(project, {"runs/champion.json": json.dumps(champion)})
    with pytest.raises(FurrowError, match="Git allows no tag"):
        register(project)


@pytest.mark.parametrize(
    "champion",
    [
        {},
        {"experiment": "gbm"},
        {"experiment": "gbm", "verdicts": []},
        {"experiment": ["gbm"], "verdicts": {}},
        {"experiment": "gbm", "verdicts": {"gbm": None}},
        {"experiment": "gbm", "verdicts": {"gbm": {"passed": "yes"}}},
        {"experiment": "gbm", "verdicts": {"gbm": {"failures": "none"}}},
    ],
)
def test_a_champion_that_is_none(project: Path, champion: Any) -> None:
    """A champion.json of another form is said to be one."""
    commit(project, {"runs/champion.json": json.dumps(champion)})
    with pytest.raises(FurrowError):
        register(project)
    assert versions(project) == []


def test_a_record_without_features(project: Path) -> None:
    """A project without a feature store registers its models: what the record doesn't say, the tag doesn't."""
    train(project, "linear", {"format": 1})
    first = register(project)
    assert first.facts["features_digest"] is None
    assert register(project) == first
    branch, _ = promote(project, str(first), "production")
    assert "features_digest" not in run(
        project, "git", "show", f"{branch}:conf/deployment/production.yaml"
    )
    commit(project, {"runs/linear/record.json": "{}"})
    with pytest.raises(FurrowError, match="names no model_sha256"):
        register(project)
