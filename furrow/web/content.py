"""What a page says, before it has a form: sections of tables, facts, drawings and texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Block",
    "Cell",
    "Choice",
    "Drawing",
    "Facts",
    "Field",
    "Form",
    "Link",
    "Mark",
    "Note",
    "Page",
    "Section",
    "Steps",
    "Table",
    "Text",
    "plain",
]


@dataclass(frozen=True)
class Link:
    """Words that lead to another page of this site.

    Attributes:
        text: The words.
        page: The page's name.
        state: Its state: what stands behind "?" in its address.
    """

    text: str
    page: str
    state: Mapping[str, str | Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """Words or a number with a meaning.

    Attributes:
        text: The words, or the number.
        kind: good, bad, warn, dim, best or code.
    """

    text: str | float
    kind: str


Cell = None | bool | int | float | str | Link | Mark


@dataclass(frozen=True)
class Table:
    """Rows under headings.

    Attributes:
        name: By which `?table=` asks for it as CSV; unique on its page.
        columns: The headings.
        rows: As long as the headings.
        heads: Of headings that sort, where they lead.
        empty: What is said where there is no row.
        total: How many rows there are in all, where these are a part of them.
        raw: Whether values are shown whole; else as in a list of runs.
        folded: What is said in its place until somebody asks for it; shown at once where empty.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    heads: Mapping[str, Link] = field(default_factory=dict)
    empty: str = "Nothing here."
    total: int | None = None
    raw: bool = False
    folded: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    name: str
    pairs: Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Drawing:
    """A drawing made by `furrow.drawing`, and the same as a table for who can't see it.

    Attributes:
        title: Above it.
        svg: Its text, whose words are escaped already.
        table: What it shows.
        broad: Whether it keeps its size, and is moved under a window where it is broader.
    """

    title: str
    svg: str
    table: Table | None = None
    broad: bool = False


@dataclass(frozen=True)
class Text:
    """A text of many lines as it is: a command, a card, SQL, a patch.

    Attributes:
        name: What it is.
        text: The text.
        folded: Whether it is shown only when it is asked for.
    """

    name: str
    text: str
    folded: bool = False


@dataclass(frozen=True)
class Note:
    """A sentence that a reader must know.

    Attributes:
        text: The sentence.
        kind: good, bad, warn or dim.
        link: Where to go on.
    """

    text: str
    kind: str = "dim"
    link: Link | None = None


@dataclass(frozen=True)
class Steps:
    """Where to go on in a long list: words, of which some lead somewhere."""

    name: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Choice:
    """A box to tick, one value of a field that may have several."""

    name: str
    value: str
    label: str
    chosen: bool = False


@dataclass(frozen=True)
class Field:
    """A field of a form.

    Attributes:
        name: In the address.
        label: Beside it.
        value: What it holds.
        hint: An example.
        options: What can be chosen; any text where empty.
        wide: Whether it takes a whole line.
        more: Whether it is folded away with others that few ask for, until it holds something.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    options: Sequence[tuple[str, str]] = ()
    wide: bool = False
    more: bool = False


@dataclass(frozen=True)
class Form:
    """Asks for another state of a page; it changes nothing.

    Attributes:
        page: Which.
        fields: What can be said.
        button: The word on the button.
        kept: What stays as it is.
        choices: Boxes to tick.
    """

    page: str
    fields: Sequence[Field]
    button: str = "Show"
    kept: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    choices: Sequence[Choice] = ()


Block = Table | Facts | Drawing | Text | Note | Form | Steps


@dataclass(frozen=True)
class Section:
    """A part of a page."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        name: In its address.
        title: Of the window and the page.
        sections: Its parts.
        lead: A sentence below the title.
        notes: What a reader must know first.
        data: More values for programs, beside what the sections say.
        printed: Whether it is made to be printed.
        again: Seconds after which the script asks for it again; 0 for never.
        later: The same page with what takes longer, which the script asks for at once.
    """

    name: str
    title: str
    sections: Sequence[Section] = ()
    lead: str = ""
    notes: Sequence[Note] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    printed: bool = False
    later: Link | None = None
    again: int = 0

    def tables(self) -> dict[str, Table]:
        """Its tables by name, those beside drawings among them."""
        found: dict[str, Table] = {}
        for section in self.sections:
            for block in section.blocks:
                table = block.table if isinstance(block, Drawing) else block
                if isinstance(table, Table):
                    found[table.name] = table
        return found


def plain(value: Cell) -> Any:
    """A cell without its form."""
    return value.text if isinstance(value, Link | Mark) else value
