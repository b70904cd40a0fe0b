"""DVC remotes for real: a folder and an S3 endpoint; push, pull, a lost connection, missing and corrupt objects."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from .ciproject import commit, copied, furrow, run, set_rate

KEYS = {
    "AWS_ACCESS_KEY_ID": "ada",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A project with a folder as its DVC remote."""
    return copied(tmp_path_factory, tmp_path, settings="branch: main\nreplay: none\n")


def outcome(folder: Path, *arguments: str, code: int = 0, **extra: str):
    done = furrow(folder, "ci", "--json", *arguments, check=False, **extra)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def texts(value) -> dict[str, str]:
    return {
        one["name"]: f"{one['status']} {one['text']} {' '.join(one['details'])}"
        for one in value["checks"]
    }


def objects(store: Path, content: bytes) -> Path:
    return next(
        path for path in store.rglob("*") if path.is_file() and path.read_bytes() == content
    )


def clone(project: Path) -> Path:
    run(project.parent, "git", "clone", "-q", str(project), "clone")
    return project.parent / "clone"


def test_a_missing_object(project, tmp_path):
    """The remote lacks a model that the commit names: which run needs it, and how to make it again."""
    objects(tmp_path / "store", b"model of gbm 0.2 2").unlink()
    said = texts(outcome(clone(project), code=1))
    assert said["remote"].startswith("failed the DVC remote lacks")
    assert "build/models/gbm" in said["remote"]
    assert "dvc repro train@gbm" in said["remote"]


@pytest.mark.long
def test_a_corrupt_object_is_refused_and_rebuilt(project, tmp_path):
    """An evaluation that is damaged in the remote is not used: it is made again from the raw data."""
    content = (project / "build/evaluations/base.json").read_bytes()
    path = objects(tmp_path / "store", content)
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(content.replace(b"0.5", b"0.9"))
    path.chmod(
        mode
    )  # read-only as before: DVC takes what is read-only in its own cache for checked
    set_rate(project, "gbm", 0.4)
    commit(project, "Another rate")
    value = outcome(clone(project), "--lenient")
    assert {"train@base", "evaluate@base", "select"} <= {one["name"] for one in value["stages"]}
    base = next(one for one in value["runs"] if one["experiment"] == "base")
    assert base["measures"][0]["after"] == 0.5
    cached = [
        each.read_bytes() for each in (tmp_path / "clone/.dvc/cache").rglob("*") if each.is_file()
    ]
    assert content in cached
    assert content.replace(b"0.5", b"0.9") not in cached


@pytest.fixture
def endpoint() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """An S3 server on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(
                urllib.request.Request(f"{address}/team", method="PUT"), timeout=5
            ):
                break
        except OSError:
            time.sleep(0.2)
    yield address, process
    process.kill()
    process.wait()


def in_s3(project: Path, address: str) -> None:
    """Move a project's data to the server."""
    run(project, "dvc", "remote", "add", "-q", "-d", "--force", "store", "s3://team/dvc")
    run(project, "dvc", "remote", "modify", "store", "endpointurl", address)
    run(project, "dvc", "push", "-q", **KEYS)
    commit(project, "Keep data in S3")


def user(address: str, name: str, *actions: str) -> dict[str, str]:
    """A user of the server who may do these actions, by the user's keys."""
    iam = boto3.client(
        "iam",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="ada",
        aws_secret_access_key="secret",
    )
    iam.create_user(UserName=name)
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    }
    iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        **KEYS,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


@pytest.mark.long
def test_a_remote_without_rights(project, endpoint, tmp_path):
    """The server answers 403: nothing is made again for nothing, no result is offered half, and the rights are named."""
    address, _ = endpoint
    in_s3(project, address)
    run(tmp_path, "git", "clone", "-q", "--bare", str(project), "bare.git")
    set_rate(project, "gbm", 0.4)
    (project / "conf/ci.yaml").write_text("replay: none\nprepare: touch prepared\n")
    tip = commit(project, "Another rate")
    run(project, "git", "push", "-q", str(tmp_path / "bare.git"), "main")
    run(tmp_path, "git", "clone", "-q", str(tmp_path / "bare.git"), "clone")
    reader = user(address, "reader", "s3:GetObject", "s3:ListBucket")
    wrong = {**reader, "AWS_SECRET_ACCESS_KEY": "guessed"}
    asked = urllib.request.Request(
        f"{address}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}
    )
    with urllib.request.urlopen(
        asked, timeout=5
    ):  # from here on the server asks who it is, and what they may
        pass

    value = outcome(tmp_path / "clone", "--offer", "origin", code=1, **wrong)
    assert texts(value)["stages"].startswith(
        "failed the DVC remote does not let CI read: failed to connect to s3"
    )
    assert "s3:GetObject and s3:ListBucket" in texts(value)["stages"]
    assert value["stages"] == []
    assert "offer" not in texts(value)

    value = outcome(tmp_path / "clone", "--offer", "origin", code=1, **reader)
    assert texts(value)["stages"].startswith("passed 3 run")
    assert texts(value)["offer"].startswith("failed the DVC remote does not let CI write: ")
    assert "Access Denied" in texts(value)["offer"]
    assert "s3:PutObject" in texts(value)["offer"]
    assert value["offered"] == ""
    assert run(tmp_path / "bare.git", "git", "rev-parse", "main").stdout.strip() == tip


@pytest.mark.long
def test_an_s3_endpoint_and_a_lost_connection(project, endpoint, tmp_path):
    """CI in a fresh clone fetches from S3 what it needs and pushes what it made; with the server gone it says so."""
    address, server = endpoint
    in_s3(project, address)
    run(tmp_path, "git", "clone", "-q", "--bare", str(project), "bare.git")
    set_rate(project, "gbm", 0.4)
    commit(project, "Another rate")
    run(project, "git", "push", "-q", str(tmp_path / "bare.git"), "main")
    run(tmp_path, "git", "clone", "-q", str(tmp_path / "bare.git"), "clone")
    value = outcome(tmp_path / "clone", "--offer", "origin", **KEYS)
    assert texts(value)["offer"].startswith("passed")
    assert [one["name"] for one in value["stages"]] == ["train@gbm", "evaluate@gbm", "select"]

    run(tmp_path, "git", "clone", "-q", str(tmp_path / "bare.git"), "other")
    run(tmp_path / "other", "dvc", "pull", "-q", **KEYS)
    assert (tmp_path / "other/build/models/gbm/model.joblib").read_text() == "model of gbm 0.4 2"

    server.kill()
    server.wait()
    run(tmp_path, "git", "clone", "-q", str(project), "third")
    value = outcome(tmp_path / "third", code=1, AWS_MAX_ATTEMPTS="1", **KEYS)
    said = texts(value)["stages"]
    assert said.startswith("failed dvc:")
    assert "can't be reached" in said
