"""The stage graph and the CI workflow of a new project, as text."""

from __future__ import annotations

__all__ = ["dvc_text", "workflow_text"]

_DVC = """\
vars: [conf/experiments.yaml:experiments]   # `furrow compile` keeps tables_* and training_set_*
stages:
  compile:
    cmd: RUN furrow compile
    deps: [conf, features/definitions.py, features/feature_store.yaml, features/spines, features/tables]
    outs: [runs/.compiled: {cache: false, persist: true}]
  validate:
    cmd: RUN furrow.stages.validate
    deps: [data/landed, runs/.compiled]
    params: [runs/pipeline.json: [contract, code.validate]]
    outs: [build/validation.json: {persist: true}, runs/.validated: {cache: false, persist: true}]
  train:
    foreach: ${experiments}
    do:
      cmd: RUN furrow.stages.train ${key}
      deps: ["build/training/${item.problem}/${item.service}.parquet", runs/.compiled]
      params: ["runs/${key}/config.yaml": [calibration, code.digest, encoding, features, model,
        problem.entity, problem.horizons, problem.interval, problem.known_after, problem.label,
        problem.positive, problem.season, problem.split, problem.task, search, seed]]
      outs: ["build/models/${key}", "build/predictions/${key}.parquet"]
  evaluate:
    foreach: ${experiments}
    do:
      cmd: RUN furrow.stages.evaluate ${key}
      deps: ["build/models/${key}", "build/predictions/${key}.parquet", runs/.compiled]
      params: ["runs/${key}/config.yaml": [code, description, evaluation, problem, seed]]
      metrics: ["runs/${key}/metrics.json": {cache: false}]
      plots: ["runs/${key}/plots": {cache: false}]
      outs: ["build/evaluations/${key}.json", "runs/${key}/card.md": {cache: false},
        "runs/${key}/intervals.json": {cache: false}, "runs/${key}/record.json": {cache: false},
        "runs/${key}/slices.json": {cache: false}]
  select:
    cmd: RUN furrow.stages.select
    deps: [build/evaluations, runs/.compiled]
    params: [conf/experiments.yaml: [experiments], runs/pipeline.json: [gates, code.select]]
    outs: [runs/champion.json: {cache: false}]
"""

_WORKFLOW = """\
name: furrow   # a push is judged: what is stale runs, what changed is replayed
on: [push, pull_request]
permissions: {contents: read}
jobs:
  furrow:
    runs-on: ubuntu-24.04
    steps:
      - {uses: actions/checkout@v4, with: {fetch-depth: 0}}
      - run: pip install "${{ vars.FURROW }}"   # as git+https://HOST/OWNER/furrow@COMMIT
      - run: furrow ci --out report && cat report/report.md >> "$GITHUB_STEP_SUMMARY"
"""


def dvc_text() -> str:
    """dvc.yaml, without the stages that compile writes."""
    return _DVC.replace("RUN", "python -m")  # DVC starts it, in a project that is trusted


def workflow_text() -> str:
    """.github/workflows/furrow.yml."""
    return _WORKFLOW
