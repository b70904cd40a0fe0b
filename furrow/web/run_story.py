"""What a run's page tells beside its record.

Whether it trains now, notes, which class was taken for which, origins.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from furrow.ground.gitobjects import iso_date
from furrow.history.config_origins import needed_for, origins
from furrow.history.run_diff import flat
from furrow.history.run_notes import notes_of, tags_of
from furrow.trials.watch import Watcher, WatchError, kept_logs
from furrow.web.confusion import confusion
from furrow.web.content import Link, Note, Steps, Table
from furrow.web.moments import utc_minute
from furrow.web.plain_values import shown_value

if TYPE_CHECKING:
    from furrow.history.load import Run
    from furrow.history.show import Details
    from furrow.trials.watch import RunLog
    from furrow.web.asked import Asked
    from furrow.web.content import Block
    from furrow.web.site import Site

__all__ = ["counted", "running", "said_where", "written"]

_POINTS, _FOLDED = 400, 40
_ENDS = {"ended": "ended", "killed": "was killed"}


def running(site: Site, found: Run) -> list[Block]:
    """Where its curves are drawn: while it trains on this machine, and of its last training here."""
    if not site.live or site.bare:
        return []
    try:
        watcher, logs = Watcher(kept_logs(site.root)), {}
    except WatchError:  # a commit says what lies there
        return []
    for names in ((), (f"train@{found.name}",)):  # what runs now; what ran last
        with suppress(WatchError):
            logs.update({one.run: one for one in watcher.read(names)})
    own = [one for one in logs.values() if found.name in {one.run, one.run.rpartition("@")[2]}]
    return [_logged(one) for one in own[:5]]


def _logged(one: RunLog) -> Note:
    if one.state == "running":
        return Note(
            f"{one.run} is training now:", "good", Link("live curves", "live", {"run": one.run})
        )
    when = iso_date(int(one.started))[:16].replace("T", " ")
    said = f"{one.run} was trained on this machine last from {when} on, and {_ENDS[one.state]}:"
    return Note(said, "dim", Link("what it logged", "live", {"run": one.run}))


def written(found: Run) -> list[Block]:
    """Notes and tags, which anybody may have written who may push notes."""
    known = notes_of(found)
    tags = tags_of(known)
    blocks: list[Block] = []
    if tags:
        cells = [Link(tag, "runs", {"tag": tag, "all": "1"}) for tag in tags]
        blocks.append(Steps("Tags", cells))
    rows = [
        (
            utc_minute(one.when),
            one.who,
            one.text,
            ", ".join(one.tags),
            ", ".join(one.off),
        )
        for one in known[-_POINTS:]
    ]
    if rows:
        heads = ("when", "who", "note", "tags put on", "taken off")
        blocks.append(Table("notes", heads, rows, raw=True))
    return [*blocks, Note(f"To write: furrow runs note {found} TEXT --tag TAG")]


def counted(site: Site, found: Run, asked: Asked) -> list[Block]:
    """Which class was taken for which, where it is asked for."""
    if not site.live:
        return []
    if not asked.on("confusion"):
        where = Link("count them", "run", asked.but(confusion="1"))
        return [Note("It is counted from the stored predictions.", link=where)]
    return confusion(found)


def said_where(site: Site, found: Run, details: Details) -> Table:
    """The config, each value with the file and line that said it when it was compiled."""
    at = details.made_by.get("commit") or found.commit
    said = origins(found.name, details.config, site.texts(at, needed_for))
    rows = [(key, shown_value(inner), said.get(key)) for key, inner in flat(details.config).items()]
    folded = f"{len(rows)} values" if len(rows) > _FOLDED else ""
    heads = ("key", "value", "said in")
    return Table("config", heads, rows, empty="No config.", raw=True, folded=folded)
