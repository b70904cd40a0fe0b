"""What commands share to print."""

import json

import pytest

from furrow.cli import render
from furrow.cli.grid import aligned
from furrow.cli.terminal import Ink

from .terminals import INK, output


def test_a_table_sets_numbers_to_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers right, text left, None as a dash, floats with four decimals; markup in a value is only text."""
    rows = [["[red]a[/red]", 1.23456, None], ["b", 10.0, 7]]
    wide, piped = (drawn(monkeypatch, rows, width) for width in (80, 0))
    assert wide == [
        "Runs",
        "name            score  rows",
        "[red]a[/red]   1.2346     –",
        "b             10.0000     7",
    ]
    assert piped == ["Runs", "name\tscore\trows", "[red]a[/red]\t1.2346\t", "b\t10.0000\t7"]


def drawn(monkeypatch: pytest.MonkeyPatch, rows: list[list[object]], width: int) -> list[str]:
    with output(monkeypatch, width=width) as (out, _):
        render.table(rows, ["name", "score", "rows"], title="Runs")
    return INK.sub("", out.getvalue()).splitlines()


def test_no_identifier_is_broken() -> None:
    """Too narrow a terminal hides columns, by name, or lets words go on in further lines: it breaks no cell."""
    head, rows = (
        ["run", "digest", "why"],
        [["gbm@0123456789", "f" * 20, "one two three four five six seven"]],
    )
    lines, hidden = aligned(head, rows, width=40)
    assert hidden == ("why",)
    assert text(lines[1]) == f"gbm@0123456789  {'f' * 20}"
    lines, hidden = aligned(head, rows, width=64)
    assert hidden == ()
    assert [text(line)[38:] for line in lines] == ["why", "one two three four five", "six seven"]
    lines, hidden = aligned(head, rows, width=10)
    assert text(lines[1]) == "gbm@0123456789"


def text(parts: list[str | Ink]) -> str:
    return "".join(part.text if isinstance(part, Ink) else part for part in parts)


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
    assert json.loads(text) == {"a": "é", "b": 1, "format": 1}
    assert text.index('"a"') < text.index('"b"')
    with pytest.raises(ValueError, match="JSON"):
        render.echo_json({"a": float("nan")})


def test_one_of_several_values_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Each is JSON by itself, whatever its texts hold, so that a script reads as they come."""
    for place in range(2):
        render.echo_json_line({"day": place, "text": "a\nb\x1b[2J"})
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"day": place, "format": 1, "text": "a\nb\x1b[2J"} for place in range(2)
    ]
    assert "\x1b" not in "".join(lines)
