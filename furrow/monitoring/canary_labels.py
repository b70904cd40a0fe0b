"""Labels as evidence about a canary: how many predictions of each variant turned out wrong.

Wrong is what the task says. What a server decides by them is in `furrow.serving.canary_watch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from furrow.layout import RUN_CONFIG, run_file
from furrow.monitoring.labelled_performance import judged_rows
from furrow.monitoring.labelled_rows import join_labels
from furrow.monitoring.late_labels import Settled, landed, settle
from furrow.monitoring.log_windows import flat
from furrow.monitoring.logged_run import run_of
from furrow.serving.canary_test import Block
from furrow.serving.canary_watch import count_labels, read_evidence
from furrow.serving.deployment_state import read_followed
from furrow.serving.log_reader import read_log
from furrow.training import config
from furrow.training.tasks import load_task

if TYPE_CHECKING:
    from furrow.monitoring.monitor_site import Site
    from furrow.training.problem import Problem

__all__ = ["supply_labels", "wrong_ones"]

_VARIANTS = ("main", "canary")


def supply_labels(site: Site) -> Block | None:
    """Tell the server's watch what labels say since its canary began to answer.

    Args:
        site: Where; the state lies beside the log.

    Returns:
        What was told; None where no canary is watched, or no label came.
    """
    state = site.log.parent
    digest = read_followed(state).canary_digest
    evidence = read_evidence(state, digest) if digest else None
    frames = landed(site.labels)
    if evidence is None or not frames:
        return None
    seen, settled = Block(), dict[str, Settled]()
    for batch in read_log(site.log, evidence.began, site.now):
        rows = flat(batch).to_pandas()
        run = run_of(site.root, *(str(rows[one].iloc[0]) for one in ("model", "version")))
        declared = site.root / run_file(run, RUN_CONFIG)
        if not declared.is_file():
            continue
        problem = config.load(declared).problem
        usable = [one for one in frames if problem.label in one]
        if usable:
            if problem.name not in settled:
                settled[problem.name] = settle(usable, problem)
            seen = seen.plus(_seen(site, rows, settled[problem.name], problem))
    count_labels(state, digest, seen)
    return seen


def wrong_ones(rows: pd.DataFrame, problem: Problem) -> pd.Series:
    """Whether each labelled prediction is wrong; those that can't be told are left out.

    Args:
        rows: With labels, from the log.
        problem: What was predicted.
    """
    return load_task(problem.task).wrong(judged_rows(rows, problem))


def _seen(site: Site, rows: pd.DataFrame, settled: Settled, problem: Problem) -> Block:
    found = []
    for variant in _VARIANTS:
        mine = rows[rows["variant"] == variant]
        if not len(mine):
            found += [0, 0]
            continue
        known = join_labels(mine, settled, problem, now=site.now).known
        wrong = wrong_ones(known, problem) if len(known) else pd.Series(dtype=bool)
        found += [len(wrong), int(wrong.sum())]
    return Block(*found)
