"""What speaks for a version.

What the gate asked of it, a canary's e-processes, traffic and latency.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from furrow.drawing.charts import bars
from furrow.errors import FurrowError
from furrow.history.run_diff import flat
from furrow.models.register import champions_at
from furrow.serving.canary_test import AsGood, Worse
from furrow.serving.canary_watch import read_evidence
from furrow.serving.deployment_spec import read_deployment
from furrow.serving.deployment_state import read_followed
from furrow.web.content import Drawing, Link, Mark, Note, Table
from furrow.web.local_servers import monitored, state_of

if TYPE_CHECKING:
    from furrow.models.registry import Version
    from furrow.serving.canary_decision import Evidence
    from furrow.serving.canary_spec import Canary
    from furrow.web.content import Block
    from furrow.web.site import Site

__all__ = ["canary_evidence", "gate_evidence", "traffic"]

_FAILED = (FurrowError, KeyError, TypeError, ValueError, AttributeError)


def gate_evidence(site: Site, version: Version) -> list[Block]:
    """The gate of a version's commit, and what it said of the version."""
    try:
        known = champions_at(site.root, version.commit)
    except FurrowError as exc:
        return [Note(exc.message, "warn")]
    judged = [one for one in known.values() if version.name in one.verdicts]
    if not judged:
        return [Note(f"No gate judged {version.name} at {version.commit[:10]}.", "warn")]
    blocks: list[Block] = []
    for one in judged:
        verdict = one.verdicts[version.name]
        rows: list[tuple[Any, ...]] = [
            (rule, str(value), version.metrics.get(rule.rpartition(".")[2]))
            for rule, value in flat(dict(one.gate)).items()
            if value is not None
        ]
        champion = version.name == one.experiment
        name = f"gate-{one.problem or 'model'}"
        passed = Mark("passed", "good") if verdict.get("passed") else Mark("failed", "bad")
        others = sum(bool(said.get("passed")) for said in one.verdicts.values())
        words = (
            f"{one.problem or 'The gate'}: {passed.text}; {others} of {len(one.verdicts)} runs"
            " passed"
        )
        blocks.append(Note(f"{words}{', and it was the best' if champion else ''}.", passed.kind))
        blocks.append(Table(name, ("rule", "asked", "its own"), rows))
        failures = [
            (str(said.get("rule")), said.get("limit"), said.get("value"), said.get("short_by"))
            for said in verdict.get("failures") or ()
            if isinstance(said, dict)
        ]
        if failures:
            heads = ("failed", "limit", "value", "short by")
            blocks.append(Table(f"{name}-failures", heads, failures))
    return blocks


def canary_evidence(site: Site, commit: str, environment: str) -> list[Block]:
    """What is known of a canary that answers here.

    What came of requests, and how near a decision is.

    The evidence is an e-process for each signal and each question; its logarithm is told as a
    share of what a decision takes.
    """
    folder = state_of(site, environment)
    if folder is None:
        return []
    try:
        evidence = read_evidence(folder, read_followed(folder, environment).canary_digest)
        if evidence is None:
            return []
        declared = read_deployment(site.root, environment, commit)
    except _FAILED as exc:
        return [Note(f"{environment}: the server's state can't be read: {exc}", "bad")]
    words = [(name, said) for name, said in evidence.told().items()]
    seen = Table(f"canary-{environment}", ("signal", "seen"), words)
    tried = declared.tried if declared else None
    if tried is None:
        return [Note(f"Canary of {environment}; this commit declares none any more:", "warn"), seen]
    variant, canary = tried
    return [
        Note(f"{variant.capitalize()} of {environment}, {canary.model}:"),
        *_near(environment, canary, evidence),
        seen,
    ]


def _near(environment: str, canary: Canary, evidence: Evidence) -> list[Block]:
    signals = canary.abort.signals
    ends = math.log(len(signals) / canary.alpha), math.log(1 / canary.alpha)
    rows, shares = [], {}
    for signal in signals:
        worse = evidence.worse.get(signal, Worse()).log_e
        good = evidence.good.get(signal, AsGood(canary.margin)).log_e
        seen = evidence.seen(signal)
        rows.append((signal, seen.main, seen.main_bad, seen.canary, seen.canary_bad,
                     worse, ends[0], good, ends[1]))  # fmt: skip
        shares[f"{signal}: worse"] = min(1.0, max(0.0, worse / ends[0]))
        shares[f"{signal}: as good"] = min(1.0, max(0.0, good / ends[1]))
    heads = ("signal", "main", "of them bad", "canary", "of them bad ", "log e: worse",
             "ends it at", "log e: as good", "proposes it at")  # fmt: skip
    table = Table(f"canary-evidence-{environment}", heads, rows)
    title = f"How near a decision on {canary.model} is (1 decides)"
    drawn = bars(
        list(shares), list(shares.values()), text=lambda share: f"{share:.0%}", title=title
    )
    return [Drawing(title, drawn, table)]


def traffic(site: Site, environment: str) -> list[Block]:
    """Predictions and latency by version, as monitoring has counted them."""
    try:
        history = monitored(site, environment).history
    except _FAILED:
        return []
    found: dict[str, list[dict[str, Any]]] = {}
    for one in history:
        found.setdefault(str(one["version"]), []).append(one)
    rows = [
        (version, len(some), sum(int(one["rows"]) for one in some), str(some[-1]["window"])[:16],
         int(some[-1]["rows"]), some[-1].get("latency_ms"))
        for version, some in sorted(found.items())
    ]  # fmt: skip
    where = Link("by window", "monitoring", {"environment": environment})
    if not rows:
        state = state_of(site, environment)
        if state is None or not (state / "log").is_dir():
            return []
        asked = f"furrow log {(state / 'log').relative_to(site.root)}"
        said = f"Traffic of {environment} is counted as windows end, and none has. Next: {asked}"
        return [Note(said, link=where)]
    heads = ("version", "windows", "predictions", "last window", "predictions in it", "ms each")
    return [
        Note(f"Traffic of {environment}:", link=where),
        Table(f"traffic-{environment}", heads, rows),
    ]
