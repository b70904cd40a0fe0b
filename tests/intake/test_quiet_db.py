"""The connection that intake works with."""

from furrow.intake.quiet_db import quiet_db


def test_it_says_nothing_and_knows_no_zone() -> None:
    """No bar is drawn, whatever a query takes; moments are UTC."""
    with quiet_db() as db:
        asked = "SELECT current_setting('enable_progress_bar'), current_setting('TimeZone')"
        assert db.execute(asked).fetchall() == [(False, "UTC")]
