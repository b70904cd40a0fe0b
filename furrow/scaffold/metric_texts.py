"""A metric of a project's own, as text: what a wrong prediction costs, to be made one's own."""

from __future__ import annotations

from furrow.layout import METRICS_PY
from furrow.scaffold.answer_error import AnswerError, near
from furrow.training.tasks import load_task, task_names
from furrow.training.tasks.task import CLASSES, NUMBER, PROBABILITY

__all__ = ["METRICS_PY", "metric_text"]


_HEAD = '''"""Metrics of this project's own: conf/metrics.yaml names each, and `furrow compile` checks it."""

import numpy as np
'''

_NUMBER = '''    """The mean error of a prediction, where too little costs twice what too much costs."""
    gap = rows.column("label") - rows.column("prediction")
    return rows.mean(np.where(gap > 0, 2 * gap, -gap))
'''

_BODIES = {
    PROBABILITY: (
        '''    """What wrong predictions cost a row: 5 for a positive that was missed, 1 for a false alarm."""
    said = rows.column("probability") >= 0.5
    came = rows.column("label") == 1
    return rows.mean(np.where(came & ~said, 5, 0) + np.where(said & ~came, 1, 0))
'''
    ),
    CLASSES: (
        '''    """The share of rows whose class was not the most probable one."""
    classes = [name for name in rows.frame.columns if name.startswith("probability_")]
    best = rows.frame[classes].to_numpy().argmax(axis=1)
    said = np.array([name.removeprefix("probability_") for name in classes])[best]
    return rows.mean(said != rows.frame["label"].astype(str).to_numpy())
'''
    ),
    NUMBER: _NUMBER,
}


def metric_text(name: str, task: str, before: str) -> str:
    """pipelines/metrics.py with one function more.

    Args:
        name: Of the metric and its function.
        task: That it judges.
        before: The file as it is; empty where there is none.

    Raises:
        AnswerError: There is no such task.
    """
    if task not in task_names():
        raise AnswerError(f"there is no task {task!r}", hint=near(task, task_names()))
    head = before.rstrip("\n") + "\n" if before else _HEAD
    lacking = "import numpy as np\n\n\n" if before and "import numpy as np" not in before else ""
    return f"{lacking}{head}\n\ndef {name}(rows):\n{_BODIES[load_task(task).answers]}"
