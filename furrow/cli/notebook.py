"""`%load_ext furrow` in a notebook: from then on `%furrow runs --where "roc_auc > 0.7"` is the command line's."""

from __future__ import annotations

import shlex
from typing import Any

from furrow.cli.main import run
from furrow.errors import UsageError

__all__ = ["furrow", "load"]


def furrow(line: str) -> None:
    """Run a command in this process and print what it says; a command that fails stops a notebook.

    Args:
        line: The words behind `%furrow`.

    Raises:
        UsageError: The command ended with another code than 0.
    """
    code = run(shlex.split(line))
    if code:
        raise UsageError(f"furrow {line} ended with exit code {code}", hint="see what it printed")


def load(shell: Any) -> None:
    """Give a shell the magic, and have it show what clients of features answer.

    Args:
        shell: IPython's.
    """
    shell.register_magic_function(furrow, "line")
    html = shell.display_formatter.formatters["text/html"]
    html.for_type_by_name("furrow.features.batch", "Batch", _batch)


def _batch(batch: Any) -> str:
    from furrow.models.notebook_features import batch_html  # noqa: PLC0415 - when one is shown

    return batch_html(batch)
