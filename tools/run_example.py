"""Run one of examples/: `python tools/run_example.py NAME` (or `make example NAME=...`).

The project is copied to build/examples/NAME as a repository of its own, as somebody's would be: its
data are landed, every stage runs, and the runs are shown. A second time, only what changed runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
WHO = (
    "-c",
    "user.name=Furrow",
    "-c",
    "user.email=furrow@example.com",
    "-c",
    "commit.gpgsign=false",
)
KEPT = {".git", ".dvc", ".furrow", ".dvcignore", "build", "data", "runs", "dvc.lock", "data.dvc"}


def run(folder: Path, *command: str) -> None:
    """Run a command there, shown; the script ends with its code where it fails."""
    print(f"$ {' '.join(command)}", flush=True)
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"DVC_NO_ANALYTICS": "1", **os.environ, "PATH": tools, "FURROW_TRUST": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def bring(name: str, folder: Path) -> None:
    """Copy the project as it is committed; what its stages made in an earlier run stays."""
    for old in folder.iterdir() if folder.is_dir() else ():
        if old.name not in KEPT:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    ignored = shutil.ignore_patterns("__pycache__", *(KEPT - {"data", "data.dvc"}))
    shutil.copytree(EXAMPLES / name, folder, ignore=ignored, dirs_exist_ok=True)


def main() -> None:
    """Bring, land, run, show."""
    names = sorted(path.parent.name for path in EXAMPLES.glob("*/dvc.yaml"))
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        sys.exit(f"say which example: {', '.join(names)}")
    folder = ROOT / "build/examples" / sys.argv[1]
    bring(sys.argv[1], folder)
    if not (folder / ".git").is_dir():
        run(folder, "git", "init", "-q", "-b", "main")
        run(folder, "dvc", "init", "-q")
    run(folder, "python", "pipelines/ingest.py")
    run(folder, "dvc", "add", "-q", "data/landed")
    run(folder, "dvc", "repro", "-q")
    run(folder, "git", "add", "-A")
    message = f"Run {sys.argv[1]}"
    run(folder, "git", *WHO, "commit", "-q", "--allow-empty", "-m", message)
    run(folder, "furrow", "runs")


if __name__ == "__main__":
    main()
