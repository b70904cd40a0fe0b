"""What commands share to print."""

import json

import pytest

from furrow.cli import render


def test_a_table_sets_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers right, text left, None as a dash, floats with four decimals; markup in a value is only text."""
    render.table(
        [["[red]a[/red]", 1.23456, None], ["b", 10.0, 7]], ["name", "score", "rows"], title="Runs"
    )
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "Runs"
    assert any(line.split() == ["[red]a[/red]", "1.2346", "–"] for line in lines)
    first, second = (next(line for line in lines if mark in line) for mark in ("1.2346", "10.0000"))
    assert first.index("1.2346") + 6 == second.index("10.0000") + 7


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe gets no bar."""
    with render.progress("working", total=2) as advance:
        advance()
        advance(1, description="more")
    assert capsys.readouterr() == ("", "")


def test_json_is_sorted_and_strict(capsys: pytest.CaptureFixture[str]) -> None:
    """Sorted keys; NaN is refused rather than written as what JSON does not have."""
    render.echo_json({"b": 1, "a": "é"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": "é", "b": 1}
    assert text.index('"a"') < text.index('"b"')
    with pytest.raises(ValueError, match="JSON"):
        render.echo_json(float("nan"))
