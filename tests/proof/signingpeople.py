"""People with SSH keys, and projects whose main branch says what counts."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

MODEL = b"a model"
SHA256 = hashlib.sha256(MODEL).hexdigest()


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class People:
    """Keys by name, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            run(
                self.folder,
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                name,
                "-f",
                str(path),
            )
        return path

    def public(self, name: str) -> str:
        return self.key(name).with_suffix(".pub").read_text().rsplit(" ", 1)[0]

    def line(self, name: str, options: str = "", called: str = "") -> str:
        return f"{called or f'{name}@example.com'} {options}{' ' if options else ''}{self.public(name)}\n"

    def become(self, root: Path, name: str) -> None:
        """Git signs with this person's key from now on."""
        run(root, "git", "config", "gpg.format", "ssh")
        run(root, "git", "config", "user.signingKey", str(self.key(name)))


def commit(root: Path, message: str) -> str:
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-q", "--allow-empty", "-m", message)
    return run(root, "git", "rev-parse", "HEAD").strip()


def project(root: Path, policy: str, signers: str) -> Path:
    """A project with one run that passed its gate, whose main branch has a policy and a list of signers."""
    (root / "runs/gbm").mkdir(parents=True)
    (root / "build/models/gbm").mkdir(parents=True)
    (root / "conf").mkdir()
    (root / "keys").mkdir()
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / ".gitignore").write_text("/build\n")
    record = {"model_sha256": SHA256, "features_digest": "a" * 64, "service": "full"}
    (root / "runs/gbm/record.json").write_text(json.dumps(record))
    (root / "runs/gbm/metrics.json").write_text(json.dumps({"roc_auc": 0.7}))
    (root / "runs/champion.json").write_text(
        json.dumps({"experiment": "gbm", "verdicts": {"gbm": {"passed": True, "failures": []}}})
    )
    (root / "build/models/gbm/model.joblib").write_bytes(MODEL)
    (root / "keys/allowed_signers").write_text(signers)
    if policy:
        (root / "conf/trust.yaml").write_text(policy)
    run(root, "git", "init", "-q", "-b", "main")
    commit(root, "first")
    return root


def copy(root: Path, to: Path) -> Path:
    shutil.copytree(root, to, symlinks=True)
    return to
