"""The 28 tests of "The ML Test Score" (Breck, Cai, Nielsen, Salib, Sculley: IEEE Big Data, 2017), with evidence.

Each look says what speaks for a test at a commit, in words; an empty text is none. What it tells is
what the commit's own files, its history and its replays say: a file that declares a check that runs
with every commit, or the trace that the check left.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from furrow.files import sha256_bytes
from furrow.layout import CHAMPION, CONTRACT, COST_YAML, LOCK, OWNERS_YAML, TRUST_YAML
from furrow.plurals import number_of
from furrow.training.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from furrow.governance.score_evidence import Evidence

__all__ = ["SECTIONS", "TESTS", "ScoreTest"]

SECTIONS = ("data", "model", "infrastructure", "monitoring")


@dataclass(frozen=True)
class ScoreTest:
    """One of the 28.

    Attributes:
        section: data, model, infrastructure or monitoring.
        number: 1 to 7.
        asks: What it asks, in the paper's words or near them.
        look: What speaks for it.
        command: What shows it, or runs it.
        missing: What would be evidence.
    """

    section: str
    number: int
    asks: str
    look: Callable[[Evidence], str]
    command: str
    missing: str

    @property
    def id(self) -> str:
        """Such as "data.1"."""
        return f"{self.section}.{self.number}"


def _every(things: Iterable[Any], good: Callable[[Any], Any], words: str) -> str:
    """Words, where there is something and each of it is good."""
    every = list(things)
    if not every or not all(good(one) for one in every):
        return ""
    words = words.replace("each of {}", "each of {}" if len(every) > 1 else "the {}")
    return re.sub(r"\{\} ((?:feature )?\w+)s\b", lambda one: number_of(len(every), one[1]), words)


def _part(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _schema(of: Evidence) -> str:
    tables = of.yaml(CONTRACT).get("tables")
    listed = list(tables.values()) if isinstance(tables, dict) else []
    if "validate" not in of.stages:
        return ""
    words = "the contract types every column of {} tables, and the stage validate ran"
    return _every(listed, lambda one: _part(one, "columns") or _part(one, "types"), words)


def _beneficial(of: Evidence) -> str:
    services: dict[str, set[str]] = {}
    for record in of.runs.values():
        services.setdefault(str(record.get("problem")), set()).add(str(record.get("service")))
    best = max(services.items(), key=lambda one: len(one[1]), default=("", set()))
    return f"{best[0]} was judged with {len(best[1])} sets of features" if len(best[1]) > 1 else ""


def _price(of: Evidence) -> str:
    limit = _part(of.yaml(COST_YAML), "budget", "commit")
    return (
        f"CI holds a commit's stages to a budget of {limit:g}"
        if isinstance(limit, int | float)
        else ""
    )


def _tells(of: Evidence) -> str:
    words = "the gates of {} problems refuse a feature that tells the label alone"
    return _every(of.gates.values(), lambda gate: gate.get("tells", Gate.tells), words)


def _privacy(of: Evidence) -> str:
    words = "the logs of {} deployments leave out what is named"
    return _every(of.deployments.values(), lambda one: _part(one, "log", "redact"), words)


def _quickly(of: Evidence) -> str:
    words = "each of {} feature tables is a stage of its own: a new one runs alone"
    return _every(of.tables, lambda name: {f"tables_{name}", f"tables@{name}"} & of.stages, words)


def _tested(of: Evidence) -> str:
    texts = list(of.tests.values())
    words = "tests name each of {} feature tables"
    return _every(of.tables, lambda name: any(name in text for text in texts), words)


def _reviewed(of: Evidence) -> str:
    role = _part(of.yaml(TRUST_YAML), "roles", "approve")
    return (
        "conf/trust.yaml asks for the approval of another person"
        if _part(role, "four_eyes") is True
        else ""
    )


def _online(of: Evidence) -> str:
    return _canary(of, "label", "the canary of {} is judged by labels, as runs are")


def _tuned(of: Evidence) -> str:
    found = [name for name, record in of.runs.items() if record.get("trials")]
    return f"{', '.join(found)} searched" if found else ""


def _staleness(of: Evidence) -> str:
    def rolls(record: dict[str, Any]) -> bool:
        periods = _part(record, "periods", "test")
        return isinstance(periods, list) and len(periods) > 1

    words = "each of {} runs is judged over several periods by rolling origin"
    return _every(of.runs.values(), rolls, words)


def _simpler(of: Evidence) -> str:
    def asks(gate: dict[str, Any]) -> bool:
        return gate.get("baseline", "by default") is not None or bool(gate.get("margin"))

    return _every(
        of.gates.values(), asks, "the gates of {} problems ask for more than a baseline has"
    )


def _slices(of: Evidence) -> str:
    sliced = [name for name, problem in of.problems.items() if problem.get("slices")]
    held = [name for name in sliced if _part(of.gates.get(name, {}), "slices")]
    return (
        f"the gate holds the slices of {', '.join(held)}"
        if held and len(held) == len(sliced)
        else ""
    )


def _inclusion(of: Evidence) -> str:
    words = "groups are watched, with limits, in {} environments"
    fair = [_part(one, "fairness") for one in of.monitors.values()]
    return _every(fair, lambda one: _part(one, "groups") and _part(one, "limits"), words)


def _reproducible(of: Evidence) -> str:
    return f"replayed, says {', '.join(of.replayed)}" if of.replayed else ""


def _specification(of: Evidence) -> str:
    texts = list(of.tests.values())
    words = "tests name each of {} experiments"
    return _every(of.runs, lambda name: any(name in text for text in texts), words)


def _integration(of: Evidence) -> str:
    return "CI runs `furrow ci`" if "furrow ci" in of.ci else ""


def _validated(of: Evidence) -> str:
    judged = of.json(CHAMPION).get("problems")
    verdicts = judged if isinstance(judged, dict) else {}
    names = set(of.problems)
    words = "the runs of each of {} problems have a gate's verdict"
    return _every(names, lambda name: _part(verdicts, name, "verdicts"), words)


def _debuggable(of: Evidence) -> str:
    def logs(one: dict[str, Any]) -> bool:
        sample = _part(one, "log", "sample")
        return isinstance(_part(one, "log"), dict) and (sample is None or sample > 0)

    return _every(of.deployments.values(), logs, "the answers of {} deployments can be traced")


def _canary(of: Evidence, key: str, words: str) -> str:
    found = [
        name
        for name, one in of.deployments.items()
        if isinstance(_part(one, "canary"), dict)
        and (not key or _part(one, "canary", "abort", key))
    ]
    return words.format(", ".join(found)) if found else ""


def _canaried(of: Evidence) -> str:
    return _canary(of, "", "{} has a canary")


def _rolled_back(of: Evidence) -> str:
    found = [name for name, count in of.served.items() if count > 1]
    return f"{', '.join(found)} can go back to an earlier version" if found else ""


def _dependencies(of: Evidence) -> str:
    lock = of.files.get(LOCK)
    if lock is None:
        return ""
    wanted = sha256_bytes(lock)
    words = f"each of {{}} runs was made with the {LOCK} of this commit"
    return _every(
        of.runs.values(), lambda one: _part(one, "environment", "lock_sha256") == wanted, words
    )


def _invariants(of: Evidence) -> str:
    words = "each of {} deployments is watched"
    return _every(of.deployments, lambda name: name in of.monitors, words)


def _skew(of: Evidence) -> str:
    return "CI runs `furrow features verify`" if "furrow features verify" in of.ci else ""


def _stale(of: Evidence) -> str:
    due = of.yaml(OWNERS_YAML).get("due")
    if not isinstance(due, dict) or not due or "furrow models list" not in of.ci:
        return ""
    return "CI runs `furrow models list`, and conf/owners.yaml says when a model is too old"


def _stable(of: Evidence) -> str:
    def finite(run: str) -> bool:
        return all(math.isfinite(one) for one in of.metrics(run).values() if isinstance(one, float))

    if not _every(of.gates.values(), lambda one: one.get("minimum") or one.get("maximum"), "{}"):
        return ""
    return _every(of.runs, finite, "the metrics of {} runs are finite, and the gates bound them")


def _speed(of: Evidence) -> str:
    return _canary(of, "slower_than", "the canary of {} is ended when it is slower")


def _quality(of: Evidence) -> str:
    return _every(
        of.monitors.values(), lambda one: one.get("alarms"), "alarms are raised by {} monitors"
    )


_D, _M, _I, _O = SECTIONS
TESTS = (
    ScoreTest(
        _D,
        1,
        "feature expectations are captured in a schema",
        _schema,
        "furrow data check",
        "rules for every table in conf/data/contract.yaml, and a recorded stage validate",
    ),
    ScoreTest(
        _D,
        2,
        "all features are beneficial",
        _beneficial,
        "furrow runs",
        "experiments of one problem with several feature services",
    ),
    ScoreTest(
        _D,
        3,
        "no feature's cost is too much",
        _price,
        "furrow cost",
        "budget.commit in conf/cost.yaml",
    ),
    ScoreTest(
        _D,
        4,
        "features adhere to meta-level requirements",
        _tells,
        "furrow gate",
        "no gate with `tells: null`",
    ),
    ScoreTest(
        _D,
        5,
        "the data pipeline has privacy controls",
        _privacy,
        "furrow deployments",
        "log.redact in every deployment",
    ),
    ScoreTest(
        _D,
        6,
        "new features can be added quickly",
        _quickly,
        "furrow plan",
        "a stage for each feature table",
    ),
    ScoreTest(
        _D,
        7,
        "all input feature code is tested",
        _tested,
        "pytest tests",
        "tests that name each feature table",
    ),
    ScoreTest(
        _M,
        1,
        "model specs are reviewed and submitted",
        _reviewed,
        "furrow verify",
        "roles.approve with four_eyes in conf/trust.yaml",
    ),
    ScoreTest(
        _M,
        2,
        "offline and online metrics correlate",
        _online,
        "furrow status",
        "abort.label of a canary",
    ),
    ScoreTest(
        _M,
        3,
        "all hyper-parameters have been tuned",
        _tuned,
        "furrow try",
        "an experiment with a search",
    ),
    ScoreTest(
        _M,
        4,
        "the impact of model staleness is known",
        _staleness,
        "furrow runs show",
        "a split of several test periods",
    ),
    ScoreTest(
        _M,
        5,
        "a simpler model is not better",
        _simpler,
        "furrow gate",
        "no gate with `baseline: null` and no `margin`",
    ),
    ScoreTest(
        _M,
        6,
        "model quality is sufficient on important data slices",
        _slices,
        "furrow runs show",
        "slices of the problem, and `slices` in its gate",
    ),
    ScoreTest(
        _M,
        7,
        "the model is tested for considerations of inclusion",
        _inclusion,
        "furrow monitor",
        "fairness.groups and limits in conf/monitor",
    ),
    ScoreTest(
        _I,
        1,
        "training is reproducible",
        _reproducible,
        "furrow replay",
        "a replay of this commit that is believed",
    ),
    ScoreTest(
        _I,
        2,
        "model specs are unit tested",
        _specification,
        "pytest tests",
        "tests that name each experiment",
    ),
    ScoreTest(
        _I,
        3,
        "the ML pipeline is integration tested",
        _integration,
        "furrow ci",
        "a workflow that runs `furrow ci`",
    ),
    ScoreTest(
        _I,
        4,
        "model quality is validated before serving",
        _validated,
        "furrow gate",
        "verdicts of each problem's gate",
    ),
    ScoreTest(
        _I, 5, "the model is debuggable", _debuggable, "furrow trace", "`log` in every deployment"
    ),
    ScoreTest(
        _I,
        6,
        "models are canaried before serving",
        _canaried,
        "furrow status",
        "a canary in conf/deployment",
    ),
    ScoreTest(
        _I,
        7,
        "serving models can be rolled back",
        _rolled_back,
        "furrow rollback",
        "a deployment with an earlier version",
    ),
    ScoreTest(
        _O,
        1,
        "dependency changes result in notification",
        _dependencies,
        "furrow doctor",
        "requirements.lock, with which all runs were made",
    ),
    ScoreTest(
        _O,
        2,
        "data invariants hold for inputs",
        _invariants,
        "furrow monitor",
        "conf/monitor for every deployment",
    ),
    ScoreTest(
        _O,
        3,
        "training and serving are not skewed",
        _skew,
        "furrow features verify",
        "a workflow that runs `furrow features verify`",
    ),
    ScoreTest(
        _O,
        4,
        "models are not too stale",
        _stale,
        "furrow models list",
        "`due` in conf/owners.yaml, and a workflow that runs `furrow models list --all-repos"
        " --check`",
    ),
    ScoreTest(
        _O,
        5,
        "models are numerically stable",
        _stable,
        "furrow gate",
        "`minimum` or `maximum` in every gate, finite metrics",
    ),
    ScoreTest(
        _O,
        6,
        "computing performance has not regressed",
        _speed,
        "furrow status",
        "abort.slower_than of a canary",
    ),
    ScoreTest(
        _O,
        7,
        "prediction quality has not regressed",
        _quality,
        "furrow monitor",
        "alarms in every conf/monitor",
    ),
)
