"""A pickle opens by a tag that somebody signed whom the user knows: their own list of signers decides, not the clone's."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from furrow.ground.trust import UntrustedError
from furrow.history.named_run import run as load_run
from furrow.history.signed_tags import vouching_tag
from furrow.models.predict import PredictionError, open_model
from furrow.models.register import register
from tests.attack.test_reading import clone as clone  # noqa: PLC0414 - a clone with a pickle that leaves a marker
from tests.attack.test_reading import markers as markers  # noqa: PLC0414 - what it uses

pytestmark = pytest.mark.attack


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key of a colleague, and one of a stranger."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("colleague", "stranger"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    return folder


@pytest.fixture
def known(keys: Path, git) -> Path:
    """The user knows the colleague."""
    signers = Path(os.environ["HOME"]) / "signers"
    signers.write_text(f"ada@example.com {(keys / 'colleague.pub').read_text()}")
    user = str(Path(os.environ["HOME"]) / ".gitconfig")
    git(keys, "config", "--file", user, "gpg.ssh.allowedSignersFile", str(signers))
    return signers


def facts(clone: Path) -> str:
    record = json.loads((clone / "runs/gbm/record.json").read_text())
    return json.dumps({"experiment": "gbm", "model_sha256": record["model_sha256"]})


def tagged(clone: Path, git, key: Path | None, text: str, name: str = "gbm@v1.0.0") -> None:
    sign = ["-a"] if key is None else ["-s", "-u", str(key)]
    git(clone, "-c", "gpg.format=ssh", "tag", "-f", *sign, "-m", f"Register {name}\n\n{text}", name)


def opens(clone: Path) -> bool:
    try:
        load_run("gbm", repo=clone).model()
    except UntrustedError:
        with pytest.raises(UntrustedError):
            open_model(clone)
        return False
    return True


def test_a_signature_that_the_user_knows(clone, markers, keys, known, git):
    """With it, in either way of asking; whatever name the tag goes by now, for the signature is of its text."""
    assert not opens(clone)
    tagged(clone, git, keys / "colleague", facts(clone))
    sha256 = json.loads(facts(clone))["model_sha256"]
    assert vouching_tag(clone, sha256) == "gbm@v1.0.0"
    assert opens(clone)
    assert (markers / "pickle").exists()
    (markers / "pickle").unlink()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the bundle beside the pickle is none
        open_model(clone)
    assert not isinstance(caught.value, UntrustedError | PredictionError)


@pytest.mark.parametrize(
    ("key", "change", "name"),
    [
        (None, lambda text: text, "gbm@v1.0.0"),
        ("stranger", lambda text: text, "gbm@v1.0.0"),
        (
            "colleague",
            lambda text: text.replace('"model_sha256": "', '"model_sha256": "0'),
            "gbm@v1.0.0",
        ),
        ("colleague", lambda text: "see the file", "gbm@v1.0.0"),
        ("colleague", lambda text: text, "gbm@v1"),
    ],
)
def test_what_vouches_for_nothing(clone, markers, keys, known, git, key, change, name):
    """No signature, a stranger's, another hash, no hash, a tag that is no version's."""
    tagged(clone, git, key and keys / key, change(facts(clone)), name)
    assert not opens(clone)
    assert not list(markers.iterdir())


def test_a_tag_whose_text_was_changed(clone, markers, keys, known, git):
    """A good signature over another text; text behind the signature; a signature cut out."""
    tagged(clone, git, keys / "colleague", '{"model_sha256": "' + "0" * 64 + '"}')
    content = subprocess.run(
        ["git", "-C", str(clone), "cat-file", "tag", "gbm@v1.0.0"], capture_output=True, check=True
    ).stdout
    right = json.loads(facts(clone))["model_sha256"].encode()
    signature = content[content.index(b"-----BEGIN") :]
    for forged in (
        content.replace(b"0" * 64, right),
        content.replace(b"0" * 64, right).replace(signature, b""),
        content.replace(b'{"model', b'{"model_sha256": "' + right + b'"}\n{"model'),
        content + b'{"model_sha256": "' + right + b'"}\n',
        content.replace(signature, b'{"model_sha256": "' + right + b'"}\n' + signature),
    ):
        made = subprocess.run(["git", "-C", str(clone), "hash-object", "-t", "tag", "-w", "--stdin", "--literally"],
                              input=forged, capture_output=True, check=True).stdout.decode().strip()  # fmt: skip
        git(clone, "update-ref", "refs/tags/gbm@v1.0.0", made)
        assert not opens(clone)
    assert not list(markers.iterdir())


def test_the_clone_s_own_settings_count_for_nothing(clone, markers, keys, tmp_path, git):
    """A list of signers, or a program that says "good", that the clone's settings name; a list in the folder worked in."""
    tagged(clone, git, keys / "stranger", facts(clone))
    (clone / "signers").write_text(f"ada@example.com {(keys / 'stranger.pub').read_text()}")
    liar = tmp_path / "liar"
    liar.write_text(
        f"#!/bin/sh\ntouch {markers}/liar\necho 'Good \"git\" signature for ada@example.com with ED25519 key SHA256:x'\n"
    )
    liar.chmod(0o755)
    for name, value in {
        "gpg.ssh.allowedSignersFile": str(clone / "signers"), "gpg.ssh.program": str(liar), "gpg.program": str(liar),
        "gpg.openpgp.program": str(liar), "gpg.x509.program": str(liar), "gpg.minTrustLevel": "undefined",
    }.items():  # fmt: skip
        git(clone, "config", name, value)
    assert not opens(clone)
    user = str(Path(os.environ["HOME"]) / ".gitconfig")
    git(clone, "config", "--file", user, "gpg.ssh.allowedSignersFile", "signers")
    assert not opens(clone)
    assert not list(markers.iterdir())


def test_many_signatures_are_not_all_checked(clone, keys, known, git, monkeypatch):
    """A thousand tags that name the model cost a bounded time."""
    monkeypatch.setattr("furrow.history.signed_tags._MOST", 2)
    asked = []
    monkeypatch.setattr(
        "furrow.history.signed_tags.is_signed", lambda _, content: asked.append(content)
    )
    for number in range(4):
        tagged(clone, git, keys / "stranger", facts(clone), f"gbm@v1.0.{number}")
    assert vouching_tag(clone, json.loads(facts(clone))["model_sha256"]) == ""
    assert len(asked) == 2


def test_registering_signs(clone, keys, known, git, monkeypatch):
    """`furrow models register --sign` makes such a tag."""
    monkeypatch.setenv("FURROW_TRUST", "1")
    git(clone, "config", "gpg.format", "ssh")
    git(clone, "config", "user.signingKey", str(keys / "colleague"))
    git(clone, "switch", "-q", "main")
    version = register(clone, "gbm", sign=True)
    assert vouching_tag(clone, str(version.facts["model_sha256"])) == "gbm@v1.0.0"
