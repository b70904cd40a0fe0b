"""The loop on examples/shop, whose labels are weeks late: said on a campaign's first day, known when it is over.

A fifth of the households, two processes that answer, and five weeks, in which three campaigns begin
and one of them ends.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from dvc.repo import Repo

from furrow.models.register import register
from furrow.rehearsal.rehearsed_days import RehearsedDay, rehearse
from furrow.rehearsal.rehearsed_project import Rehearsal, project_of
from furrow.serving.log_reader import read_records
from furrow.serving.trace import find_logged, trace
from tests.gitops.ciproject import commit, run
from tests.projects.cut_down import bring
from tests.projects.examples import EXAMPLES
from tests.projects.in_process import IGNORED, repro, track

pytestmark = pytest.mark.long

SINCE, UNTIL = date(2017, 10, 4), date(2017, 11, 8)
BEGUN = {16: date(2017, 10, 4), 17: date(2017, 10, 18), 18: date(2017, 10, 30)}
ENDED = date(2017, 11, 6)
"""The days of three campaigns, and when the first of them is over; the others are not by then."""
Lived = tuple[Rehearsal, list[RehearsedDay]]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Five weeks, and what they came to."""
    place = tmp_path_factory.mktemp("shop")
    root, example = place / "project", next(one for one in EXAMPLES if one.name == "redeemed")
    bring("shop", "redeemed", example.experiments, root)
    (root / ".gitignore").write_text(IGNORED)
    run(root, "git", "init", "-q", "-b", "main")
    for key, value in (("user.name", "Ada Test"), ("user.email", "ada@example.com")):
        run(root, "git", "config", key, value)
    Repo.init(str(root)).close()
    run(root, "dvc", "remote", "add", "-q", "-d", "store", str(place / "store"))
    with pytest.MonkeyPatch.context() as patched:
        track(root, patched)
        repro(root, patched)
    run(root, "dvc", "push", "-q")
    commit(root, "A first model")
    version = register(root)
    for folder in ("deployment", "monitor"):
        (root / "conf" / folder).mkdir(exist_ok=True)
    (root / "conf/deployment/production.yaml").write_text(f"model: {version}\n")
    (root / "conf/monitor/production.yaml").write_text("retraining: {drift: false, decay: false}\n")
    commit(root, "Deploy it")
    asked = Rehearsal(root, "production", SINCE, UNTIL, place / "lived", workers=2)
    return asked, list(rehearse(asked, say=print))


def _by_day(days: list[RehearsedDay]) -> dict[date, RehearsedDay]:
    return {one.day: one for one in days}


def test_every_household_is_answered_on_its_campaigns_first_day(lived: Lived) -> None:
    """On three days of the five weeks, each row once; on the others nobody asks."""
    asked, days = lived
    assert {one.day for one in days if one.asked} == set(BEGUN.values())
    assert all(one.answered == one.asked for one in days)
    records = list(read_records(project_of(asked) / ".furrow/serving/production/log"))
    assert len(records) == sum(one.asked for one in days)
    assert len({(one.keys["household_id"], one.keys["campaign_id"]) for one in records}) == len(records)  # fmt: skip
    found = {one.time: one.keys["campaign_id"] for one in records}
    assert {when.date(): int(campaign) for when, campaign in found.items()} == {
        day: campaign for campaign, day in BEGUN.items()
    }


def test_no_label_is_known_before_the_campaign_is_over_and_none_is_taken_for_negative(
    lived: Lived,
) -> None:
    """33 days without a metric: all are waited for; then those of the one campaign, and of it alone."""
    _, days = lived
    by, first = _by_day(days), _by_day(days)[BEGUN[16]].asked
    assert [one.day for one in days if one.labels] == [ENDED]
    assert by[ENDED].labels == first
    for one in days:
        [verdict] = one.found.labels.values()
        asked_for = sum(other.asked for other in days if other.day <= one.day)
        known = first if one.day >= ENDED else 0
        states = {name: size for name, size in verdict.states.items() if size}
        assert states == {
            name: size
            for name, size in (("labelled", known), ("pending", asked_for - known))
            if size
        }
        assert bool(verdict.tracked) == bool(known)
        assert all(each.rows <= known for each in verdict.tracked)
        assert "blind to concept drift" in verdict.estimate.note


def test_coverage_and_delay_are_told(lived: Lived) -> None:
    """Of what is due all has come, a month late; what is not due counts for nothing."""
    _, days = lived
    by = _by_day(days)
    [before], [after] = (
        by[day].found.labels.values() for day in (ENDED - timedelta(days=1), ENDED)
    )
    assert [one.due for one in before.coverage if one.by == "all"] in ([], [0])
    [whole] = [one for one in after.coverage if one.by == "all"]
    assert (whole.due, whole.labelled) == (by[ENDED].labels, by[ENDED].labels)
    late = datetime(2017, 11, 6, 5, tzinfo=UTC) - datetime(2017, 10, 4, tzinfo=UTC)
    assert whole.delay == (late.total_seconds(), late.total_seconds())
    assert after.late == 0  # within the 70 days that the problem declares


def test_nothing_cries_wolf(lived: Lived) -> None:
    """No alarm, no reason to retrain, and what was served is what training would see."""
    _, days = lived
    assert [(one.day, alarm.text) for one in days for alarm in one.found.alarms] == []
    assert all(not one.causes and one.retrained is None and not one.merged for one in days)
    again = [one for day in days for one in day.found.skew.values()]
    assert sum(one.rows for one in again) > 0
    assert [one.why for one in again if one.why] == []


def test_an_answer_is_traced(lived: Lived) -> None:
    """Weeks later an id leads to version, commit and data, and the score comes again, bit for bit."""
    project = project_of(lived[0])
    record = next(read_records(project / ".furrow/serving/production/log"))
    made = trace(project, find_logged(project, record.id))
    assert (made.equal, made.missing) == (True, [])
