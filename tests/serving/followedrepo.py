"""A repository that a server follows: two registered models under DVC, a remote for each of Git and DVC."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvc.repo import Repo

from furrow.files import sha256_file
from furrow.models.register import register

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("binary", "regression")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass(frozen=True)
class Followed:
    """Where it lies.

    Attributes:
        work: A clone.
        origin: The bare repository that is followed.
        data: The DVC remote.
    """

    work: Path
    origin: Path
    data: Path

    def copied(self, place: Path) -> Followed:
        """A copy to be changed at will; the DVC remote is shared."""
        for folder in ("work", "origin.git"):
            shutil.copytree(self.work.parent / folder, place / folder, symlinks=True)
        found = Followed(place / "work", place / "origin.git", self.data)
        git(found.work, "remote", "set-url", "origin", str(found.origin))
        return found

    def declare(self, text: str, *, force: bool = False) -> str:
        """Merge a deployment of production; the commit."""
        path = self.work / "conf/deployment/production.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "--allow-empty", "-m", "Deploy")
        git(self.work, "push", "-q", *(["--force"] if force else []), "origin", "main", "--tags")
        return git(self.work, "rev-parse", "HEAD")


def build(place: Path, bundles: dict[str, Path]) -> Followed:
    """Make it, with a version v1.0.0 of each bundle."""
    found = Followed(place / "work", place / "origin.git", place / "data")
    work = found.work
    work.mkdir(parents=True)
    git(place, "init", "-q", "--bare", "-b", "main", str(found.origin))
    git(work, "init", "-q", "-b", "main")
    git(work, "config", "user.name", "Ada Test")
    git(work, "config", "user.email", "ada@example.com")
    git(work, "remote", "add", "origin", str(found.origin))
    Repo.init(str(work)).close()
    (work / ".dvc/config").write_text(
        f'[core]\n    remote = store\n[remote "store"]\n    url = {found.data}\n'
    )
    (work / "dvc.yaml").write_text("stages: {}\n")
    for name in NAMES:
        shutil.copytree(bundles[name], work / "build/models" / name)
        facts = json.loads((bundles[name] / "bundle.json").read_text())
        kept = ("model_sha256", "predictor_sha256", "features_digest", "service")
        (work / "runs" / name).mkdir(parents=True)
        record = {key: facts[key] for key in kept}
        (work / "runs" / name / "record.json").write_text(json.dumps(record))
        (work / "runs" / name / "metrics.json").write_text('{"roc_auc": 0.7}')
    verdicts = {name: {"passed": True, "failures": []} for name in NAMES}
    (work / "runs/champion.json").write_text(
        json.dumps({"experiment": NAMES[0], "verdicts": verdicts})
    )
    with Repo(str(work)) as repo:
        repo.add([str(work / "build/models" / name) for name in NAMES])
        repo.push()
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "Train")
    for name in NAMES:
        register(work, name)
    found.declare("model: binary@v1.0.0\ncanary: {model: regression@v1.0.0, share: 0.3}\n")
    return found


def sha256(bundle: Path) -> str:
    return sha256_file(bundle / "model.joblib")
