"""Stage select: every run judged by the gate, the champion named."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import yaml

from furrow.errors import FurrowError
from furrow.files import read_json, write_json
from furrow.ground.hydra import structured
from furrow.training import journal
from furrow.training.gate import Gate, champion, judge


def main(root: Path) -> None:
    """Write runs/champion.json: the champion, or the rules that failed and by how much."""
    with journal.record(root, "select"):
        gate = structured(Gate, read_json(root / "runs/pipeline.json")["gate"], where="runs/pipeline.json")
        declared = yaml.safe_load((root / "conf/experiments.yaml").read_text(encoding="utf-8"))["experiments"]
        evaluations = {name: read_json(root / f"build/evaluations/{name}.json") for name in sorted(declared)}
        verdicts = judge(gate, evaluations)
        best = champion(gate, verdicts, evaluations)
        record = {
            "experiment": best,
            "metrics": evaluations[best]["metrics"] if best else None,
            "model_sha256": evaluations[best]["model_sha256"] if best else None,
            "gate": asdict(gate),
            "verdicts": {
                verdict.experiment: {
                    "passed": bool(verdict),
                    "failures": [asdict(failure) for failure in verdict.failures],
                }
                for verdict in verdicts
            },
        }
        write_json(root / "runs/champion.json", record)
    for verdict in verdicts:
        print(f"{'passed' if verdict else 'failed'}  {verdict.experiment}")
        for failure in verdict.failures:
            print(f"          {failure}")
    print(f"champion: {best}" if best else "no champion: no run passed the gate")


if __name__ == "__main__":
    try:
        main(Path.cwd())
    except FurrowError as error:
        sys.exit(f"error: {error}")
