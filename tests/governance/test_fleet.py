"""Owners and fleets: whose each model is, and what is orphaned or overdue, over several repositories at once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from furrow.cli import models as models_cli
from furrow.governance.fleet import fleet, repositories_in
from furrow.governance.owners import Owner, Owners, OwnersError, owners_at, parse_owners
from furrow.monitoring.alarm_book import Alarm, AlarmBook
from furrow.monitoring.monitor_state import MonitorState, save_state
from tests.proof.signingpeople import SHA256, commit, project, run

NOW = datetime(2024, 6, 1, tzinfo=UTC)
OWNERS = """
default: {tier: 2}
problems: {churned: {owner: ml@example.com}}
deployments: {production: {owner: ops@example.com, tier: 1}}
due: {1: 10d}
"""


def tag(root: Path, name: str) -> None:
    message = f"Register {name}\n\n" + json.dumps({"model_sha256": SHA256})
    run(root, "git", "tag", "-a", "-m", message, name)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three repositories: one that is served and watched, one of nobody, one that is broken; and a folder that is none."""
    place = tmp_path_factory.mktemp("fleet")
    with pytest.MonkeyPatch.context() as patch:
        for who in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{who}_NAME", "Ada")
            patch.setenv(f"GIT_{who}_EMAIL", "ada@example.com")
            patch.setenv(f"GIT_{who}_DATE", "2024-05-01T00:00:00Z")
        shop = project(place / "shop", "", "")
        (shop / "runs/gbm/record.json").write_text(
            json.dumps({"model_sha256": SHA256, "problem": "churned"})
        )
        (shop / "conf/owners.yaml").write_text(OWNERS)
        commit(shop, "owners")
        tag(shop, "gbm@v1.0.0")
        tag(shop, "gbm@v1.1.0")
        tag(shop, "other@v1.0.0")
        (shop / "conf/deployment").mkdir()
        (shop / "conf/deployment/production.yaml").write_text("model: gbm@v1.0.0\n")
        commit(shop, "deploy")
        plain = project(place / "plain", "", "")
        tag(plain, "gbm@v1.0.0")
        bare = place / "bare.git"
        run(place, "git", "clone", "-q", "--bare", str(plain), str(bare))
        broken = project(place / "broken", "", "")
        (broken / "conf/owners.yaml").write_text("owners: me\n")
        commit(broken, "broken")
        (place / "notes").mkdir()
    alarm = Alarm("drift", "x", "gbm@v1.0.0", "2024-05-20", "2024-05-20", "x drifted")
    folder = shop / ".furrow/serving/production/monitor"
    folder.mkdir(parents=True)
    save_state(folder, MonitorState(book=AlarmBook((alarm,))))
    return place


def test_what_is_served_or_newest_is_listed(place: Path) -> None:
    found, problems = fleet([place], now=NOW)
    by = {(one.repository, one.version): one for one in found}
    assert set(by) == {
        ("shop", "gbm@v1.1.0"),
        ("shop", "gbm@v1.0.0"),
        ("shop", "other@v1.0.0"),
        ("plain", "gbm@v1.0.0"),
        ("bare.git", "gbm@v1.0.0"),
    }
    served = by["shop", "gbm@v1.0.0"]
    assert (served.owner, served.tier, served.serves) == ("ops@example.com", 1, ("production",))
    assert served.health == "1 open alarms"
    assert served.remarks == ("never replayed", "approval overdue")
    assert (by["shop", "gbm@v1.1.0"].owner, by["shop", "gbm@v1.1.0"].tier) == ("ml@example.com", 2)
    assert by["plain", "gbm@v1.0.0"].remarks == ("orphaned", "never replayed")
    assert len(problems) == 1
    assert "there is no key owners" in problems[0]
    early, _ = fleet([place / "shop"], now=datetime(2024, 5, 2, tzinfo=UTC))
    assert next(one for one in early if one.serves).remarks == ("never replayed",)


def test_repositories_are_found_once(place: Path) -> None:
    found = repositories_in([place, place / "shop"])
    assert [path.name for path in found] == ["bare.git", "broken", "plain", "shop"]


def test_the_command(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["list", "--all-repos", str(place)]
    assert models_cli.command.main(asked, standalone_mode=False) == 0
    assert models_cli.command.main([*asked, "--check", "--json"], standalone_mode=False) == 1
    capsys.readouterr()
    models_cli.command.main(asked, standalone_mode=False)
    out = capsys.readouterr().out
    assert "5 models; 5 are orphaned or overdue" in out
    models_cli.command.main(["list", "--all-repos", str(place), "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert len(told["models"]) == 5
    assert told["models"][0]["version"]


def test_owners_of_a_commit(place: Path) -> None:
    owners = owners_at(place / "shop", "HEAD")
    assert owners.of("deployments", "production") == Owner("ops@example.com", 1)
    assert owners.of("deployments", "staging") == Owner("", 2)
    assert owners.due[1] == timedelta(days=10)
    assert owners_at(place / "plain", "HEAD") == Owners()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("owners: {}", "no key owners"),
        ("problems: [a]", "problems is not a mapping"),
        ("problems: {late: me}", "problems.late is not a mapping"),
        ("problems: {late: {who: me}}", "no key problems.late.who"),
        ("problems: {late: {owner: 3}}", "problems.late.owner is 3"),
        ("default: {tier: 4}", "default.tier is 4"),
        ("default: {tier: true}", "default.tier is True"),
        ("due: {7: 3d}", "there is no such tier"),
        ("due: {1: soon}", "due.1"),
        ("[", "not valid YAML"),
    ],
)
def test_owners_that_cannot_be_meant(text: str, said: str) -> None:
    with pytest.raises(OwnersError, match=said):
        parse_owners(text.encode())
