"""The page of monitoring over a state as monitoring leaves it: drift over time, labels, fairness, proposals with evidence."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from furrow.monitoring.alarm_book import Alarm, AlarmBook
from furrow.monitoring.late_arrivals import Arrivals, ArrivedLate
from furrow.monitoring.monitor_state import MonitorState, load_state, save_state
from furrow.web.asked import Asked
from furrow.web.content import Table, Text
from furrow.web.monitoring_page import monitoring
from furrow.web.monitoring_sections import over_time
from furrow.web.page_forms import as_html
from furrow.web.release_evidence import traffic
from furrow.web.site import Site

from .conftest import HOSTILE, commit, made

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {
    "gbm@v1.0.0": {
        "states": {"labelled": 100, "pending": 4},
        "late": 2,
        "performance": [
            {"metric": "brier", "value": 0.2, "low": 0.1, "high": 0.3, "rows": 100, "blocks": 9,
             "expected": [0.1, 0.15], "verdict": "surely worse", "slice": ""},
            {"metric": "brier", "value": 0.2, "low": None, "high": None, "rows": 50, "blocks": 9,
             "expected": None, "verdict": "unknown", "slice": HOSTILE},
        ],
        "estimate": {"rows": 4, "metrics": {"brier": 0.12}, "note": "blind to concept drift"},
        "fairness": [
            {"measure": "demographic_parity", "by": "region", "value": 0.2, "low": 0.1, "high": 0.3,
             "limit": 0.1, "verdict": "broken", "groups": []}
        ],
    }
}  # fmt: skip

HISTORY = [
    {"window": f"2026-01-0{day}T00:00:00+00:00", "version": "gbm@v1.0.0", "rows": 100 + day,
     "latency_ms": 1.5, "evidence": day / 2, "drifted": ["load"] if day > 3 else []}
    for day in range(1, 7)
]  # fmt: skip


@pytest.fixture
def watched(tmp_path: Path) -> Site:
    """A project whose server's monitoring has seen six windows, two runs of labels, and proposed a promotion."""
    folder = made(tmp_path / "watched")
    commit(folder, {"conf/monitor/production.yaml": "windows: day\n"})
    state = MonitorState("2026-01-07T00:00:00+00:00")
    state.history = HISTORY
    state.book = AlarmBook((Alarm("drift", "load", "gbm@v1.0.0", "w", "s", HOSTILE),))
    late = ArrivedLate(1234, "2026-01-01T03:00", "2026-01-02T04:00", "2026-01-07T00:00:00+00:00")
    state.arrivals = Arrivals({}, {HOSTILE: late})
    for day in (5, 6):
        state.note_labels(LABELS, f"2026-01-0{day}T12:00:00+00:00")
    save_state(folder / ".furrow/serving/production/monitor", state)
    git = ["git", "-C", str(folder), "-c", "user.name=F", "-c", "user.email=f@x"]
    branch = "promote/production/gbm-v1.1.0"
    subprocess.run([*git, "switch", "-q", "-c", branch], check=True)
    said = "Promote gbm@v1.1.0\n\nlog_loss 0.41, was 0.44\n"
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", said], check=True)
    subprocess.run([*git, "switch", "-q", "main"], check=True)
    return Site(folder)


def test_the_page_tells_all_of_it(watched: Site) -> None:
    """Each part as a drawing and a table; hostile words stay words."""
    page = monitoring(watched, Asked())
    tables = page.tables()
    assert tables["windows-gbm@v1.0.0"].rows[0][1] == 101
    assert tables["evidence"].rows[-1][2] == 3.0
    assert tables["drift"].rows == [
        ("load", "gbm@v1.0.0", 3, "2026-01-04T00:00", "2026-01-06T00:00")
    ]
    assert len(tables["performance-gbm@v1.0.0"].rows) == 2
    assert tables["fairness-gbm@v1.0.0"].rows[0][0] == "demographic_parity"
    assert [row[2] for row in tables["over-time-brier"].rows] == [0.2, 0.2]
    [evidence] = [one for part in page.sections for one in part.blocks
                  if isinstance(one, Text) and one.name.startswith("evidence")]  # fmt: skip
    assert "log_loss 0.41, was 0.44" in evidence.text
    text = as_html(page, lambda name, state: None)
    assert HOSTILE not in text
    assert text.count('class="cell"') == 3
    assert "1,234 predictions of" in text
    assert "blind to concept drift: brier 0.1200" in text


def test_a_state_of_an_older_furrow_has_no_labels(watched: Site) -> None:
    """It is read as it is, and says that there are none."""
    folder = watched.root / ".furrow/serving/production/monitor"
    state = load_state(folder)
    state.labels, state.performance = {}, []
    save_state(folder, state)
    text = (folder / "state.json").read_text()
    for key in ("labels", "performance"):
        text = text.replace(f'"{key}"', f'"old_{key}"')
    (folder / "state.json").write_text(text)
    assert load_state(folder).labels == {}
    assert "furrow labels land" in str(monitoring(watched, Asked()).sections)
    assert over_time([]) == []


def test_traffic_before_the_first_window_has_ended(watched: Site) -> None:
    """Where it can be asked for until then; nothing of an environment that no server here answers for."""
    assert traffic(watched, "staging") == []
    state = watched.root / ".furrow/serving/staging"
    (state / "log").mkdir(parents=True)
    [told] = traffic(watched, "staging")
    assert "none has. Next: furrow log .furrow/serving/staging/log" in str(told)
    page = monitoring(watched, Asked({"environment": ("staging",)}))
    assert "No window has ended yet." in page.lead
    assert any(isinstance(one, Table) for one in traffic(watched, "production"))
