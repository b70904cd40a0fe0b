"""A graph without cycles in layers, from left to right, as SVG text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from furrow.safe_text import html_text as escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Node", "graph"]

_WIDE, _TALL, _GAP, _STEP = 200, 26, 10, 34


class Node(NamedTuple):
    """A box.

    Attributes:
        name: Its name, unique.
        kind: A class that colours it; a word of letters.
        after: The names of the nodes before it; unknown ones are passed over.
    """

    name: str
    kind: str = ""
    after: tuple[str, ...] = ()


def graph(nodes: Sequence[Node], *, title: str) -> str:
    """Draw a graph: each node stands right of all that it comes after.

    Nodes of a cycle stand in the first layer.

    Args:
        nodes: The nodes.
        title: What a screen reader says.
    """
    if not nodes:
        return ""
    known = {node.name: node for node in nodes}
    layers = _layers(known)
    nodes = [node._replace(after=_direct(node, known, layers)) for node in nodes]
    places: dict[str, tuple[float, float]] = {}
    columns: dict[int, list[Node]] = {}
    for node in nodes:
        columns.setdefault(layers[node.name], []).append(node)
    tallest = max(len(column) for column in columns.values())
    height = tallest * (_TALL + _GAP) + _GAP
    for layer, column in sorted(columns.items()):
        column.sort(key=lambda node: (_middle(node, places), node.name))
        free = (height - len(column) * (_TALL + _GAP)) / 2
        for place, node in enumerate(column):
            places[node.name] = (
                10 + layer * (_WIDE + _STEP),
                free + _GAP / 2 + place * (_TALL + _GAP),
            )
    width = 10 + (max(columns) + 1) * (_WIDE + _STEP) - _STEP + 10
    edges = "".join(
        _edge(places[before], places[node.name])
        for node in nodes
        for before in node.after
        if before in places and layers[before] < layers[node.name]
    )
    boxes = "".join(_box(node, places[node.name]) for node in nodes)
    return (
        f'<svg direction="ltr" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" '
        f'aria-label="{escape(title)}">{edges}{boxes}</svg>'
    )


def _layers(nodes: Mapping[str, Node]) -> dict[str, int]:
    """The longest way to each node; 0 for those that no order holds."""
    waiting = {
        name: {one for one in node.after if one in nodes and one != name}
        for name, node in nodes.items()
    }
    found: dict[str, int] = {}
    while waiting:
        ready = [name for name, before in waiting.items() if before <= found.keys()]
        if not ready:
            return {**dict.fromkeys(waiting, 0), **found}
        for name in ready:
            found[name] = max((found[one] + 1 for one in waiting[name]), default=0)
        for name in ready:
            del waiting[name]
    return found


def _direct(node: Node, known: Mapping[str, Node], layers: Mapping[str, int]) -> tuple[str, ...]:
    """What a node comes after at once.

    What it comes after by way of another node, too, needs no line of its own.
    """
    before = {one for one in node.after if one in known and layers[one] < layers[node.name]}
    waiting = [*before]
    reached: set[str] = set()
    while waiting:
        at = waiting.pop()
        for one in known[at].after:
            if one in known and layers[one] < layers[at] and one not in reached:
                reached.add(one)
                waiting.append(one)
    return tuple(one for one in node.after if one in before - reached)


def _middle(node: Node, places: Mapping[str, tuple[float, float]]) -> float:
    """The mean height of what a node comes after, so that lines cross less."""
    heights = [places[one][1] for one in node.after if one in places]
    return sum(heights) / len(heights) if heights else 0.0


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1 = start[0] + _WIDE, start[1] + _TALL / 2
    x2, y2 = end[0], end[1] + _TALL / 2
    bend = f"C{x1 + 27:.0f} {y1:.0f} {x2 - 27:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return f'<path class="edge" d="M{x1:.0f} {y1:.0f}{bend}"/>'


def _box(node: Node, place: tuple[float, float]) -> str:
    shown = node.name if len(node.name) <= 27 else f"{node.name[:13]}…{node.name[-13:]}"
    kind = f" {node.kind}" if node.kind.isalpha() else ""
    return (
        f"<g><title>{escape(node.name)}{escape(f': {node.kind}' if node.kind else '')}</title>"
        f'<rect class="node{kind}" x="{place[0]:.0f}" y="{place[1]:.0f}" width="{_WIDE}"'
        f' height="{_TALL}" rx="5"/>'
        f'<text x="{place[0] + 8:.0f}" y="{place[1] + 17:.0f}">{escape(shown)}</text></g>'
    )
