"""The report: verdict first, fits a comment, one self-contained page, nothing from outside is markup."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from furrow.ci.outcome import (
    Check,
    Measure,
    Outcome,
    OutcomeError,
    Replayed,
    RunReport,
    SliceRow,
    StageRow,
)
from furrow.ci.report_markdown import LIMIT, change, markdown
from furrow.ci.report_page import page
from furrow.ci.what_to_do import what_to_do
from furrow.safe_text import markdown_code as code


def measure(metric="log_loss", verdict="better"):
    return Measure(metric, 0.45, (0.44, 0.46), 0.43, (0.42, 0.44), (-0.03, -0.01), verdict)


def run(name, **fields):
    given = {
        "status": "changed",
        "measures": (measure(), measure("roc_auc", "luck")),
        "slices": (SliceRow("origin", "JFK", 1200, "roc_auc", 0.7, 0.71, (0.69, 0.73)),),
        "curves": {
            "roc": {
                "before": ((0.0, 0.0), (0.3, 0.6), (1.0, 1.0)),
                "after": ((0.0, 0.0), (0.2, 0.7), (1.0, 1.0)),
            },
            "calibration": {"after": ((0.1, 0.12), (0.5, 0.48))},
        },
        "config": (("model.learning_rate", "0.1", "0.05"),),
        "method": "paired bootstrap of 30 days",
    }
    return RunReport(name, **{**given, **fields})


@pytest.fixture
def outcome():
    return Outcome(
        commit="a" * 40,
        subject="Slower learning",
        author="Ada Test",
        target="main",
        base="b" * 40,
        checks=(
            Check("compile", "passed", "every resolved config is what conf/ gives", seconds=1.2),
            Check("gate", "passed", "gbm is champion", seconds=0.1),
        ),
        stages=(StageRow("train@gbm", "run", ("model.learning_rate 0.1 -> 0.05",), 12.0),),
        runs=(run("gbm", champion=True, passed=True), run("forest", status="unchanged")),
        changes={
            "data": ("data +28,889 rows 2013-10",),
            "config": ("gbm: model.learning_rate 0.1 -> 0.05",),
        },
        replays=(Replayed("gbm", "identical", 7, (), 30.0),),
        started="2026-01-02T03:04:05+00:00",
        seconds=71,
        machine="builder",
        furrow="0.1.0",
    )


def test_the_verdict_comes_first(outcome):
    """The first line says whether it passed; a failed check is named in it, and its details follow."""
    assert markdown(outcome).splitlines()[0] == "## ✅ Furrow: passed"
    failed = replace(
        outcome,
        checks=(*outcome.checks, Check("replay", "failed", "gbm differs", ("seed: 5 and 7",))),
    )
    text = markdown(failed)
    assert text.splitlines()[0] == "## ❌ Furrow: failed: replay"
    assert "- replay: `seed: 5 and 7`" in text
    assert not failed


def test_everything_is_in_it(outcome):
    """Metrics side by side with intervals, whether the difference is real, changes, slices, replay, durations."""
    text = markdown(outcome)
    assert (
        "| `gbm` **champion** | changed | `log_loss` | 0.4500 (0.4400 to 0.4600) | 0.4300 (0.4200 to 0.4400) "
        "| -0.0200 [-0.0300, -0.0100] | better |" in text
    )
    assert "may be luck" in text
    assert text.count("- `paired bootstrap of 30 days`") == 1
    for part in (
        "2013-10",
        "model.learning_rate 0.1 -> 0.05",
        "`origin=JFK`",
        "identical",
        "1 min 11 s",
        "12 s",
    ):
        assert part in text
        assert part.strip("`").replace("origin=JFK", "origin = JFK").replace("->", "-&gt;") in page(
            outcome
        )


def test_five_hundred_experiments_fit_a_comment(outcome):
    """The comment stays within the limit, says what is left out, and still has the verdict and the champion."""
    runs = tuple(
        run(f"experiment_{n:03d}_with_a_long_name_of_its_own", status="unchanged")
        for n in range(499)
    )
    lines = tuple(f"code: pipelines/part_{n}.py +{n} -{n}" for n in range(3000))
    checks = (
        *outcome.checks,
        Check("replay", "failed", "x" * 9000, tuple(f"reason {n} ü" * 9 for n in range(2000))),
    )
    large = replace(
        outcome,
        runs=(*runs, run("gbm", champion=True)),
        changes=dict.fromkeys(("data", "features", "config", "code"), lines),
        stages=tuple(StageRow(f"train@{one.experiment}", "run", lines[:9], 1.0) for one in runs),
        replays=tuple(Replayed(one.experiment, "different", 3, ("seed",), 1.0) for one in runs),
        checks=checks,
    )
    text = markdown(large)
    assert len(text.encode()) <= LIMIT
    assert len(text) > LIMIT * 0.7
    assert text.startswith("## ❌ Furrow: failed: replay")
    assert "Champion: `gbm`" in text
    assert re.search(r"_and \d+ more rows of metrics: report.html has them all_", text)
    assert text.rstrip().endswith("_")
    whole = page(large)
    assert all(one.experiment in whole for one in runs)
    for limit in (2_000, 5_000, 20_000):
        assert len(markdown(large, limit=limit).encode()) <= limit


class Scan(HTMLParser):
    """What a page would fetch or run, and whether its tags close."""

    def __init__(self):
        super().__init__()
        self.found, self.open, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.found += [
            value
            for name, value in attrs
            if name in {"src", "href", "srcset", "action", "xlink:href"}
        ]
        self.found += [name for name, _ in attrs if name.startswith("on")]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


HOSTILE = "<script>alert(1)</script> @all | `a` ``b [x](http://evil.example) \n# h \"on='y'"


def test_text_from_outside_is_never_markup(outcome):
    """A subject, a name, a path or a reason that holds markup is shown as it is, and links nowhere."""
    hostile = replace(
        outcome,
        subject=HOSTILE,
        author=HOSTILE,
        target=HOSTILE,
        checks=(Check("gate", "failed", HOSTILE, (HOSTILE,)),),
        runs=(run(HOSTILE, champion=True, config=((HOSTILE, "1", HOSTILE),)),),
        stages=(StageRow(HOSTILE, "run", (HOSTILE,)),),
        changes={"code": (HOSTILE,)},
        replays=(Replayed(HOSTILE, "failed", 1, (HOSTILE,)),),
    )
    scan = Scan()
    scan.feed(page(hostile))
    scan.close()
    assert scan.found == []
    assert scan.open == []
    assert not scan.tags & {"script", "img", "link", "iframe", "a"}
    text = markdown(hostile)
    assert text.count("<script>") == text.count(code(HOSTILE)) + text.count(
        code(f"origin={HOSTILE}")
    )
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(columns) == 1, block
    assert code("") == "` `"
    assert "http" not in re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


def test_the_page_fetches_nothing(outcome):
    """One file: a policy that forbids every request, and no address in it."""
    text = page(outcome)
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|url\(|@import", text)
    assert text.count("<svg") == 3


def test_an_outcome_comes_back_from_json(outcome):
    """What is stored reads back as the same value; another format or a damaged one is refused."""
    stored = json.loads(json.dumps(outcome.to_json()))
    assert Outcome.from_json(stored) == outcome
    wrong = [{**stored["checks"][0], "status": "fine"}]
    for damaged in (
        {**stored, "format": 9},
        {**stored, "checks": wrong},
        {**stored, "checks": [{"name": 1}]},
        [],
        {**stored, "other": 1},
    ):
        with pytest.raises(OutcomeError):
            Outcome.from_json(damaged)


def test_nothing_to_compare_with():
    """A first commit, without a base or runs, has a report too."""
    bare = Outcome(commit="c" * 40)
    assert markdown(bare).startswith("## ✅ Furrow: passed")
    assert "<h1" in page(bare)


def test_the_change_stands_with_its_interval() -> None:
    assert (
        change(Measure("m", 0.7, None, 0.7206, None, (0.0156, 0.0256)))
        == "+0.0206 [0.0156, 0.0256]"
    )
    assert change(Measure("m", 0.7, None, 0.6)) == "-0.1000"
    assert change(Measure("m", None, None, 0.6)) == ""


def test_what_is_unchanged_is_collapsed(outcome):
    """The champion and what changed stand in the open, what did not behind a line that counts it."""
    runs = (
        run("gbm", champion=True),
        run("forest", status="unchanged"),
        run("line", status="unchanged"),
    )
    text = page(replace(outcome, runs=runs))
    shown, _, hidden = text.partition("<summary>2 experiments unchanged</summary>")
    assert "<code>gbm</code> <b>champion</b>" in shown
    assert "<code>forest</code>" not in shown
    assert "<code>forest</code>" in hidden


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ("merge it: every check passed",)),
        ({"offered": "c" * 40}, ("take over what CI ran, if it is not on the branch yet: `git merge cccccccccc`",)),
        (
            {"checks": (Check("gate", "failed", "x"), Check("odd", "failed", "x"), Check("card", "warning", "x"))},
            (
                "gate failed: run `furrow gate`: it says which rule failed, and by how much",
                "odd failed: read its finding below, mend it, and push again",
                "look at the warning of card",
            ),
        ),
        (
            {"runs": (run("gbm", measures=(measure(verdict="worse"),)),)},
            ("decide whether it may be worse: gbm", "merge it, if that is meant"),
        ),
    ],
)  # fmt: skip
def test_what_to_do(outcome, changed, said):
    """The next steps, in the report's first card and near the top of the comment."""
    of = replace(outcome, **changed)
    assert what_to_do(of) == said
    assert page(of).index("What to do") < page(of).index("<h2>Checks")
    assert "### What to do" in markdown(of)
