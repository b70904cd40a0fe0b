"""DVC's contents, hashed.

In the cache, in a remote that is a folder, and where one can come from when it is gone.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
from typing import TYPE_CHECKING

from furrow.data.raw_files import how_to_land
from furrow.errors import FurrowError
from furrow.governance.finding import Finding, State
from furrow.ground.dvc_remote_folder import remote_address_of, remote_folder
from furrow.ground.hashes import content_path
from furrow.ground.project_place import dvc_root
from furrow.ground.runcache import cache_folder
from furrow.layout import FURROW
from furrow.parse import LISTING, parse_json, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from furrow.governance.needed_contents import Needed

__all__ = ["check_contents"]

_SET_ASIDE = f"{FURROW}/damaged"


class Shelf:
    """A folder of contents by md5, as DVC's cache and folder remotes are.

    Args:
        folder: It.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "files" / "md5"
        self._states: dict[str, str] = {}

    def place(self, md5: str) -> Path:
        """Where a content lies.

        Raises:
            FileNotFoundError: It is no name of a content.
        """
        return content_path(self.folder, md5)

    def state(self, md5: str) -> str:
        """ok, absent or damaged: the bytes are hashed, whatever their protection says."""
        if md5 not in self._states:
            self._states[md5] = self._look(md5)
        return self._states[md5]

    def _look(self, md5: str) -> str:
        try:
            if not stat.S_ISREG(self.place(md5).stat().st_mode):
                return "damaged"
            with self.place(md5).open("rb") as handle:
                found = hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False))
        except OSError:
            return "absent"
        return "ok" if found.hexdigest() == md5.removesuffix(".dir") else "damaged"

    def files(self, md5: str) -> list[str] | None:
        """The contents of a folder; None when its list can't be read."""
        if not md5.endswith(".dir"):
            return []
        try:
            listed = parse_json(read_bytes(self.place(md5), LISTING.size), limits=LISTING)
            return [str(one["md5"]) for one in listed]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def forget(self, md5: str) -> None:
        """Look again the next time."""
        self._states.pop(md5, None)


def check_contents(root: Path, needed: dict[str, Needed], *, repair: bool) -> Iterator[Finding]:
    """Hold what is needed against cache and remote.

    With `repair` a good copy of the remote takes the place of what is gone or damaged in the cache,
    and a damaged content that has none is set aside, so that nobody takes it for good.

    Args:
        root: The project.
        needed: From `needed_contents`.
        repair: Whether to mend.
    """
    holder = dvc_root(root)
    cache, folder = Shelf(cache_folder(root)), remote_folder(holder)
    remote = Shelf(folder) if folder is not None and folder.is_dir() else None
    well = 0
    for one in needed.values():
        wrong = list(_wrong(root, one, cache, remote, repair=repair))
        well += not wrong
        yield from wrong
    yield Finding(
        "DVC cache", "ok", f"{well} of {len(needed)} contents are whole, every byte hashed"
    )
    yield _remote_finding(holder, folder, remote, needed)


def _wrong(
    root: Path, one: Needed, cache: Shelf, remote: Shelf | None, *, repair: bool
) -> Iterator[Finding]:
    """What is wrong with a content: one finding, however many of its files are."""
    lost = _lost(one.md5, cache, remote)
    if not lost:
        return
    states = {md5: cache.state(md5) for md5 in lost}
    there = [md5 for md5 in lost if remote is not None and remote.state(md5) == "ok"]
    bad = sum(state == "damaged" for state in states.values())
    said = f"{one.path} of {', '.join(one.by)}: {len(lost)} missing or damaged"
    said += f" ({bad} damaged)" if bad else ""
    how = _how(root, one, whole=len(there) == len(lost))
    done = False
    if repair:
        done = _mend(root, lost, there, cache, remote)
    state: State = "mended" if done else "damaged" if bad else "missing"
    yield Finding("DVC cache", state, said, "" if done else how)


def _lost(md5: str, cache: Shelf, remote: Shelf | None) -> list[str]:
    """The contents of one that the cache has not whole.

    The remote's list tells where its own is gone.
    """
    lost = [] if cache.state(md5) == "ok" else [md5]
    files = cache.files(md5) if not lost else None
    if files is None and remote is not None and remote.state(md5) == "ok":
        files = remote.files(md5)
    return lost + [each for each in dict.fromkeys(files or ()) if cache.state(each) != "ok"]


def _mend(
    root: Path, lost: list[str], there: list[str], cache: Shelf, remote: Shelf | None
) -> bool:
    """Put good copies in place; whether nothing is lost now."""
    for md5 in lost:
        try:
            path = cache.place(md5)
        except FileNotFoundError:  # no content has that name
            return False
        if cache.state(md5) == "damaged":
            aside = root / _SET_ASIDE / md5
            aside.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, aside)
        if remote is not None and md5 in there:
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_name(f"{path.name}.half")
            shutil.copyfile(remote.place(md5), half)
            half.chmod(0o444)
            half.replace(path)
        cache.forget(md5)
    return all(cache.state(md5) == "ok" for md5 in lost)


def _how(root: Path, one: Needed, *, whole: bool) -> str:
    if whole:
        return "the remote has it: `furrow fsck --repair`, or `dvc fetch`"
    if one.source:
        try:
            land = how_to_land(root)
        except FurrowError:
            land = ""
        return f"raw data: {f'`{land}` lands it, ' if land else ''}`dvc push` where a copy is"
    if "HEAD" in one.by[0]:
        return "`furrow apply` makes it again; or `dvc push` where a copy is, then `dvc pull`"
    return f"`furrow apply` at {one.commit[:10]} makes it again; or `dvc push` where a copy is"


def _remote_finding(
    holder: Path, folder: Path | None, remote: Shelf | None, needed: dict[str, Needed]
) -> Finding:
    address = remote_address_of(holder)
    if not address:
        said = "there is none: what this disk loses is lost"
        return Finding("DVC remote", "odd", said, "dvc remote add -d NAME URL, then `dvc push`")
    if folder is None:
        said = f"{address} was not looked at: it is not a folder"
        return Finding("DVC remote", "unknown", said, "`dvc status --cloud --all-tags` asks it")
    if remote is None:
        return Finding(
            "DVC remote", "missing", f"{folder} is not there", "mount it, or `dvc remote modify`"
        )
    wanted = {md5 for one in needed.values() for md5 in (one.md5, *(remote.files(one.md5) or ()))}
    bad = [md5 for md5 in wanted if remote.state(md5) == "damaged"]
    absent = [md5 for md5 in wanted if remote.state(md5) == "absent"]
    if bad:
        said = f"{len(bad)} contents are damaged there, such as {remote.place(min(bad))}"
        return Finding("DVC remote", "damaged", said, "remove them there, then `dvc push`")
    if absent:
        return Finding(
            "DVC remote", "odd", f"it lacks {len(absent)} contents", "`dvc push --all-tags`"
        )
    return Finding("DVC remote", "ok", f"it has all {len(wanted)} contents, every byte hashed")
