"""Repositories with runs in their history, written through `git fast-import`."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = """# Written by `furrow compile` from conf/: change it there.
name: {name}
description: A run of {name}
seed: {seed}
features:
  service: full
  keys:
  - origin
  - dest
  digest: {digest}
model:
  _target_: sklearn.ensemble.HistGradientBoostingClassifier
  learning_rate: {rate}
  early_stopping: false
search: null
"""


class History:
    """A repository that grows by commits of whole files.

    Args:
        path: Where to make it.
        arguments: More for `git init`.
    """

    def __init__(self, path: Path, *arguments: str) -> None:
        self.path = path
        subprocess.run(["git", "init", "-q", "-b", "main", *arguments, str(path)], check=True)
        self.clock = 1_700_000_000

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(
        self,
        files: dict[str, str | bytes | None],
        *,
        ref: str = "refs/heads/main",
        parents: tuple[str, ...] = (),
        subject: str = "Change things",
        when: int = 0,
    ) -> str:
        """Write files (None deletes one) over the ref's commit, or over the first of the parents; the new id."""
        self.clock = when or self.clock + 60
        body = subject.encode()
        lines = [
            f"commit {ref}\ncommitter Ada Test <ada@example.com> {self.clock} +0000\n".encode()
        ]
        lines.append(b"data %d\n%s\n" % (len(body), body))
        exists = subprocess.run(
            ["git", "-C", str(self.path), "rev-parse", "-q", "--verify", ref],
            capture_output=True,
            check=False,
        )
        sources = parents or ((f"{ref}^0",) if exists.returncode == 0 else ())
        lines += [
            f"{'merge' if at else 'from'} {source}\n".encode() for at, source in enumerate(sources)
        ]
        for path, content in files.items():
            if content is None:
                lines.append(f"D {path}\n".encode())
                continue
            data = content if isinstance(content, bytes) else content.encode()
            lines.append(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
        subprocess.run(
            ["git", "-C", str(self.path), "fast-import", "--quiet", "--force"],
            input=b"".join(lines),
            check=True,
        )
        return self.git("rev-parse", ref)

    def run(
        self, name: str, auc: float = 0.7, *, rate: float = 0.1, seed: int = 7
    ) -> dict[str, str | bytes | None]:
        """The files of a run."""
        features = [f"feature_{number}" for number in range(3)]
        values = {"roc_auc": auc, "log_loss": 0.5, "rows": 100}
        record = {
            "format": 1,
            "experiment": name,
            "service": "full",
            "features_digest": "a" * 64,
            "features": features,
            "months": {"train": ["2013-01"], "test": ["2013-02"]},
            "rows": {"train": 200, "test": 100},
            "environment": {"python": "3.11", "packages": {"numpy": "2.3.1"}},
        }
        files = {
            "config.yaml": CONFIG.format(name=name, seed=seed, rate=rate, digest="a" * 64),
            "metrics.json": json.dumps(values, sort_keys=True, indent=1) + "\n",
            "intervals.json": json.dumps({"roc_auc": {"low": auc - 0.01, "high": auc + 0.01}})
            + "\n",
            "record.json": json.dumps(record, sort_keys=True, indent=1) + "\n",
            "plots/roc.csv": "false_positive_rate,true_positive_rate\n0,0\n0.2,0.6\n1,1\n",
        }
        return {f"runs/{name}/{file}": text for file, text in files.items()}


@pytest.fixture
def history(tmp_path: Path) -> History:
    """An empty repository."""
    return History(tmp_path / "history")


@pytest.fixture
def new_history(tmp_path: Path) -> Callable[..., History]:
    """Makes more repositories, with arguments for `git init`."""
    return lambda name, *arguments: History(tmp_path / name, *arguments)
