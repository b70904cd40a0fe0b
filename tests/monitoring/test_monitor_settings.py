"""conf/monitor/ENV.yaml: good without it, typed with it, and what can't be meant is refused by name."""

from datetime import timedelta

import pytest

from furrow.monitoring.monitor_settings import MonitorSettings, MonitorSettingsError, read_settings


def test_no_file_is_the_defaults(tmp_path) -> None:
    """What is declared nowhere has a value that works."""
    found = read_settings(tmp_path / "production.yaml")
    assert found == MonitorSettings()
    assert (found.steps, found.wait) == (1000, timedelta(hours=1))


def test_a_whole_file(tmp_path) -> None:
    """Every key that the module's docstring shows is read."""
    path = tmp_path / "production.yaml"
    path.write_text(
        "window: hour\ntimezone: Europe/Vienna\nseason: weekday and hour\nbudget: 500\nfeatures: [a]\nreference: first\n"
        "first: 3\nsettle: 10m\nslices: [region]\nfairness: {groups: [sex], least: 20, threshold: 0.4, limits: {demographic_parity: 0.1}}\n"
        "alarms:\n  - {to: file, path: alarms.jsonl}\n  - {to: webhook, url: 'https://x.example/y', secret_file: /k}\n"
        "  - {to: email, sender: a@b.example, receivers: [c@d.example]}\n  - {to: stdout}\n"
    )
    found = read_settings(path)
    assert (found.steps, found.wait, found.fairness.limits) == (
        12_000,
        timedelta(minutes=10),
        {"demographic_parity": 0.1},
    )
    assert [one.to for one in found.alarms] == ["file", "webhook", "email", "stdout"]
    path.write_text("")
    assert read_settings(path) == MonitorSettings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("windw: day", "did you mean 'window'"),
        ("window: month", "window is 'month'"),
        ("season: weekdy", "did you mean 'weekday'"),
        ("budget: many", "budget is 'many'"),
        ("budget: 0", "budget is 0"),
        ("budget: .nan", "budget is nan"),
        ("budget: true", "budget is True"),
        ("first: 1.5", "first is 1.5"),
        ("settle: soon", "settle"),
        ("timezone: Mars/Olympus", "Mars/Olympus"),
        ("features: a", "features is 'a'"),
        ("features: [1]", "features is 1"),
        ("fairness: {limit: 1}", "did you mean 'limits'"),
        ("fairness: {limits: {niceness: 0.1}}", "niceness"),
        ("alarms: [{to: pigeon}]", "pigeon"),
        ("alarms: [{to: webhook}]", "needs url"),
        ("alarms: [{to: webhook, url: 'file:///etc/passwd'}]", "url"),
        ("alarms: [{to: email, sender: a}]", "needs receivers"),
        ("- 1", "mapping"),
        ("a: [", "not valid YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, text: str, said: str) -> None:
    """The message names the file, the key, the value, and what was meant."""
    path = tmp_path / "production.yaml"
    path.write_text(text)
    with pytest.raises(MonitorSettingsError) as caught:
        read_settings(path)
    assert said in str(caught.value)
    assert "production.yaml" in str(caught.value)
