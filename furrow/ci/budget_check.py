"""The budget: what the stages that CI ran for a commit cost, by the target branch's factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ci.outcome import Check
from furrow.governance.cost import spent
from furrow.governance.cost_factors import factors_at
from furrow.training import journal

if TYPE_CHECKING:
    from furrow.ci.run_ci import Session

__all__ = ["budget_check"]


def budget_check(session: Session) -> Check | None:
    """Whether a commit's stages stayed within budget.commit of conf/cost.yaml.

    The target branch's file counts, so that no commit raises its own; where there is none yet, the
    commit's. None where nobody declared a budget.
    """
    declared = factors_at(session.root, session.tip or session.result)
    limit = declared.budget.get("commit") if declared else None
    if declared is None or limit is None:
        return None
    taken = spent(journal.read(session.bench.place))
    price = taken.price(declared) or 0.0
    words = f"{taken.runs} stages cost {price:.2f} {declared.currency} of {limit:.2f}"
    if price > limit:
        how = "run less, or raise budget.commit of conf/cost.yaml in a commit of its own"
        return Check("budget", "failed", words, (how,))
    return Check("budget", "passed", words)
