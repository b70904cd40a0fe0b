"""Scopes that grow with their references say what a new index says, whatever happened in between."""

from __future__ import annotations

import random
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from furrow.history import listing, scope
from furrow.history.listing import Listing, list_runs
from furrow.history.query import Query
from furrow.history.scope import steady
from furrow.history.selection import Selection
from furrow.history.spans import _pieces

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = Selection(everything=True)
QUERY = Query(
    columns=("run", "name", "tree", "first_commit", "commit", "commits", "date", "roc_auc")
)


class Story:
    """A repository to which things happen, each drawn by chance."""

    def __init__(self, history: Any, seed: int) -> None:
        self.history = history
        self.draw = random.Random(seed)
        self.count = 0
        self.base = history.commit(history.run("gbm", 0.5))
        self.history.commit({**history.run("gbm", 0.6), **history.run("forest", 0.4)})

    def trials(self) -> list[str]:
        found = self.history.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
        return sorted(found)

    def update(self, *lines: str) -> None:
        text = "".join(f"{line}\n" for line in lines)
        subprocess.run(
            ["git", "-C", self.history.path, "update-ref", "--stdin"],
            input=text,
            text=True,
            check=True,
        )

    def many(self) -> None:
        """Some hundred trials at once, as a sweep leaves them."""
        folder = f"refs/exps/{self.base[:2]}/{self.base[2:]}"
        lines = []
        for _ in range(300):
            self.count += 1
            lines.append(
                f"commit {folder}/gbm-{self.count}\ncommitter Ada <ada@example.com> {1_700_000_000 + self.count} +0000\n"
                f"data 1\nx\nfrom {self.base}\nM 100644 inline runs/gbm/metrics.json\ndata <<END\n"
                f'{{"roc_auc": {self.draw.random()}}}\nEND\n'
            )
        subprocess.run(
            ["git", "-C", self.history.path, "fast-import", "--quiet"],
            input="".join(lines),
            text=True,
            check=True,
        )

    def commit(self) -> None:
        """One commit more, with a run of before or a new one."""
        self.history.commit(self.history.run("gbm", self.draw.randrange(5) / 10))

    def delete(self) -> None:
        """Some trials go away."""
        self.update(
            *(
                f"delete {ref}"
                for ref in self.draw.sample(self.trials(), k=min(len(self.trials()), 20))
            )
        )

    def move(self) -> None:
        """Some trials change their places with others."""
        refs = self.trials()
        chosen = self.draw.sample(refs, k=min(len(refs), 20))
        ids = [self.history.git("rev-parse", ref) for ref in chosen]
        self.draw.shuffle(ids)
        self.update(*(f"update {ref} {oid}" for ref, oid in zip(chosen, ids, strict=True)))

    def back(self) -> None:
        """The branch goes back by one, and its last commit is gone."""
        self.history.git("update-ref", "refs/heads/main", "main~1")

    def tag(self) -> None:
        """An annotated tag comes, which keeps what it is on."""
        self.count += 1
        self.history.git("tag", "-a", "-m", "kept", f"v{self.count}", "main")

    def pack(self) -> None:
        """Git packs the references."""
        self.history.git("pack-refs", "--all")


def everything(history: Any) -> tuple[Listing, int, dict[str, str]]:
    found = list_runs(history.path, ALL, QUERY)
    some = list_runs(history.path, ALL, Query(limit=5))
    named = found.named(row[0] for row in found.answer.rows)
    assert named == found.named((row[0] for row in found.answer.rows), again=True)
    return found._replace(refs=b""), some.answer.total, named


@pytest.mark.parametrize("seed", range(3))
def test_grown_equals_fresh(history: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials come by the hundred, go, and change places; branches go forth and back; tags and packs come.

    What this process remembers of the references says the same, believed however new they are.
    """
    monkeypatch.setattr(scope, "_SETTLED_NS", -(1 << 62))
    story = Story(history, seed)
    happenings: list[Callable[[], None]] = [
        story.commit,
        story.delete,
        story.move,
        story.tag,
        story.pack,
        story.commit,
    ]
    story.many()
    everything(history)
    for number in range(14):
        happening = (
            story.many
            if number == 7
            else story.back
            if number == 11
            else story.draw.choice(happenings)
        )
        happening()
        grown = everything(history)
        (history.path / ".git/furrow").rename(history.path / ".git/kept")
        scope._PACKED.clear()
        listing._REFS.clear()
        assert everything(history) == grown, happening.__doc__
        subprocess.run(["rm", "-r", history.path / ".git/furrow"], check=True)
        (history.path / ".git/kept").rename(history.path / ".git/furrow")
        assert everything(history) == grown
    assert grown[1] == grown[0].answer.total > 500
    assert len(grown[2]) > 500


def test_settled_references_are_read_once(history: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And anew when Git has packed them again, or has just now."""
    story = Story(history, 1)
    story.many()
    story.pack()
    read: list[str] = []
    content = scope._content
    monkeypatch.setattr(scope, "_content", lambda path: (read.append(path), content(path))[1])

    def packed() -> int:
        read.clear()
        list_runs(history.path, ALL, Query(limit=5))
        return sum(path.endswith("packed-refs") for path in read)

    monkeypatch.setattr(scope, "_SETTLED_NS", 1 << 62)
    assert packed() > 0
    assert packed() > 0
    monkeypatch.setattr(scope, "_SETTLED_NS", -(1 << 62))
    assert packed() > 0
    assert packed() == 0
    story.many()
    story.pack()
    assert packed() > 0


def test_counts_of_a_filter_whatever_part_is_asked_for(history: Any) -> None:
    """A page that is full, the last one, one beyond the last, none."""
    Story(history, 2).many()
    whole = list_runs(history.path, ALL, Query("roc_auc >= 0")).answer
    assert whole.total == len(whole.rows) > 20
    for limit, offset in ((5, 0), (whole.total, 0), (7, whole.total - 3), (7, whole.total), (0, 0)):
        query = Query("roc_auc >= 0", sort=("-roc_auc",), limit=limit, offset=offset)
        found = list_runs(history.path, ALL, query).answer
        assert found.total == whole.total, (limit, offset)
        assert len(found.rows) == max(0, min(limit, whole.total - offset))


def test_pieces_of_references() -> None:
    """They are the whole again; and what is done to one line leaves all pieces but its own as they are."""
    draw = random.Random(0)
    lines = [
        b"%040x refs/exps/a/b/t-%05d\n" % (draw.getrandbits(160), number) for number in range(5_000)
    ]
    pieces = list(_pieces(b"".join(lines)))
    assert b"".join(pieces) == b"".join(lines)
    assert len(pieces) > 5
    for at in (0, 17, 2_500, 4_999):
        fewer = set(_pieces(b"".join(lines[:at] + lines[at + 1 :])))
        assert len(fewer ^ set(pieces)) <= 3
    assert list(_pieces(b"")) == []
    assert list(_pieces(b"0" * 40 + b" HEAD\n")) == [b"0" * 40 + b" HEAD\n"]


def test_steady_references() -> None:
    """Branches and tags, whose history is likely known, without trials and bookkeeping."""
    names = [
        "exps/aa/b/t1",
        "exps/aa/b/t2",
        "heads/main",
        "remotes/origin/HEAD",
        "remotes/origin/x",
        "tags/v1",
    ]
    lines = [f"{number:040x} refs/{name}\n".encode() for number, name in enumerate(names)]
    last = b"f" * 40 + b" HEAD\n"
    expected = [f"{number:040x}" for number in (2, 4, 5)] + ["f" * 40]
    assert steady(b"".join([*lines, last])) == expected
    assert steady(b"".join([*lines[2:], last])) == expected
    assert steady(b"".join([lines[0], last])) == ["f" * 40]
    assert steady(b"") == []
