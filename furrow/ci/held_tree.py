"""A stranger's commit in CI.

Where its stages run, and what lies between them and the checkout that CI works in.

Three places, so that no program of ours works in a folder that a stranger wrote. CI reads its own
checkout, which no stage sees. Stages run in a second one, whose Git data they can't write and which
holds no more objects than the commits that are compared. The DVC remote is asked from a third,
which holds nothing of the commit: hashes go in, and contents that were checked come out; to the
stages these are a DVC remote that they can read. Results come back as regular files.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.ci.dvc_checkout import RemoteError, configure, remote_of, translated
from furrow.ci.held_imports import Import, imports_of
from furrow.ci.inspect import bad_listings
from furrow.files import read_json, write_json, write_text
from furrow.ground.git import common_dir, git
from furrow.ground.isolate import CommandError, Isolation, hand_over, isolated, run, unheld
from furrow.ground.project_place import dvc_root
from furrow.ground.start_python import python
from furrow.ground.take_out import Bounds, take_file, take_out
from furrow.layout import DVC_CONFIG, DVC_LOCK, DVC_TMP, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from furrow.ground.isolate import Limits
    from furrow.ground.worktree import Checkout

__all__ = ["RESULTS", "HeldTree", "hold"]

RESULTS = (DVC_LOCK, "runs", MANIFEST)
_LARGEST_LIST = 50_000_000


@dataclass
class HeldTree:
    """Where a stranger's stages run.

    Attributes:
        tree: CI's own checkout.
        room: A folder beside it, which nobody else sees.
        running: How stages are held.
        fetching: How the DVC remote is asked.
        judging: How runs are compared, where no stage has written.
        remote: Whether there is a DVC remote.
        say: Told what commands print.
        importing: How another repository at an address is asked.
        imports: What comes from such, by md5; those are allowed.
    """

    tree: Checkout
    room: Path
    running: Isolation
    fetching: Isolation
    judging: Isolation
    remote: bool
    say: Callable[[str], None]
    importing: Callable[[str], Isolation]
    commits: tuple[str, ...] = ()
    bounds: Bounds = field(default_factory=Bounds)
    supplied: set[str] = field(default_factory=set)
    imports: dict[str, Import] = field(default_factory=dict)

    @property
    def top(self) -> Path:
        """The checkout that stages run in."""
        return self.room / "held/tree"

    @property
    def place(self) -> Path:
        """The project in it."""
        return self.top / self.tree.prefix

    @property
    def judge(self) -> Path:
        """A folder with Git's data and DVC's settings and nothing else, for comparisons."""
        return self.room / "judge"

    def know(self, *commits: str) -> None:
        """Let stages and comparisons see the objects of commits, and of no others."""
        fresh = [one for one in dict.fromkeys(commits) if one and one not in self.commits]
        if not fresh:
            return
        home = self.judge / ".git"
        wanted = git(
            self.tree.root, "rev-list", "--objects", "--no-walk", "--no-object-names", *fresh
        )
        git(self.tree.root, "pack-objects", "-q", str(home / "objects/pack/pack"), stdin=wanted)
        self.commits += tuple(fresh)
        (home / "shallow").write_text("".join(f"{one}\n" for one in self.commits), encoding="ascii")
        hand_over(self.judge, self.running)  # Git reads nothing that lies in another user's folder

    def reset(self, commit: str) -> None:
        """Give stages a commit's files anew."""
        if (
            self.top.is_dir() and not self.top.is_symlink()
        ):  # a stage may have put anything in its place
            shutil.rmtree(self.top)
        self.top.unlink(missing_ok=True)
        self.top.mkdir(parents=True)
        git(self.judge, "update-ref", "--no-deref", "HEAD", commit)
        git(self.judge, "read-tree", commit)
        git(self.judge, "checkout-index", "--all", "--force", f"--prefix={self.top}/")
        (self.top / ".git").symlink_to(self.judge / ".git")
        holder = dvc_root(self.place)
        shutil.rmtree(holder / ".dvc", ignore_errors=True)
        _dvc(holder, remote=self.room / "cache", cache=self.room / "held/cache")
        hand_over(self.judge, self.running)
        hand_over(self.top, self.running)

    def collect(self) -> None:
        """Take what stages wrote of what Git tracks into CI's own checkout.

        Raises:
            TakeError: It is no plain file, or too much.
        """
        take_out(self.place, self.tree.root, list(RESULTS), self.bounds)

    def collect_file(self, path: str, md5: str) -> None:
        """Take an output that a comparison reads into CI's own cache, if it is what dvc.lock says."""
        target = self.room / "cache/files/md5" / md5[:2] / md5[2:]
        if not target.exists():
            take_file(self.place, path, target, md5, self.bounds)

    def fetch(self, names: Iterable[str]) -> None:
        """Bring contents by their hashes from the target branch's remote to stages.

        Of folders the files too.

        Raises:
            RemoteError: The remote can't be reached, refuses, lacks one, or a folder's list leads
                out.
        """
        wanted = list(dict.fromkeys(names))
        for name in wanted:
            if name in self.imports and not self._kept(name).is_file():
                self._import(self.imports[name])
        lists = [name for name in wanted if name.endswith(".dir")]
        self.fetch_lists(lists)
        inner = [str(one["md5"]) for name in lists for one in read_json(self._kept(name))]
        self._pull([*(name for name in wanted if not name.endswith(".dir")), *inner])
        self._supply(dict.fromkeys([*wanted, *inner]))

    def fetch_lists(self, lists: list[str]) -> None:
        """Bring the lists of folders' files.

        Raises:
            RemoteError: As with `fetch`.
        """
        self._pull(lists)
        for name in lists:
            if self._kept(name).stat().st_size > _LARGEST_LIST:
                raise RemoteError(
                    f"the list {name} in the remote is too long",
                    hint="nothing of it was checked out",
                )
        bad = bad_listings(self.room / "cache")
        if bad:
            raise RemoteError(
                f"a folder in the remote leads out: {bad[0]}", hint="nothing of it was checked out"
            )
        self._supply(lists)

    def _supply(self, names: Iterable[str]) -> None:
        """Put contents that were fetched into the stages' own cache, which they do themselves."""
        fresh = [name for name in names if name not in self.supplied]
        self._dvcdirs(fresh, self.place, self.running)
        self.supplied.update(fresh)

    def _import(self, one: Import) -> None:
        """Bring imported data from their own repository into CI's cache."""
        folder = self.room / "fetch/repo"
        write_json(folder / "import.dvc", one.pointer)  # JSON is YAML, and quotes everything
        self.say(f"importing from {one.address}")
        try:
            run(
                python("-m", "dvc", "fetch", "import.dvc"),
                folder,
                self.importing(one.address),
                say=self.say,
            )
        except CommandError as exc:
            raise translated(exc, "read") from exc
        finally:
            (folder / "import.dvc").unlink(missing_ok=True)

    def _kept(self, name: str) -> Path:
        return self.room / "cache/files/md5" / name[:2] / name[2:]

    def _pull(self, names: list[str]) -> None:
        absent = [name for name in dict.fromkeys(names) if not self._kept(name).is_file()]
        if not absent:
            return
        if not self.remote:
            raise RemoteError(f"{absent[0]} is needed, and the target branch names no DVC remote")
        try:
            self._dvcdirs(absent, self.room / "fetch/repo", self.fetching)
        except CommandError as exc:
            raise translated(exc, "read") from exc
        lost = [name for name in absent if not self._kept(name).is_file()]
        if lost:
            hint = "`dvc push` where it was made; or `dvc repro` there makes it again"
            raise RemoteError(
                f"{lost[0]} is missing in the DVC remote, or damaged there", hint=hint
            )

    def _dvcdirs(self, names: list[str], folder: Path, isolation: Isolation) -> None:
        for at in range(0, len(names), 1000):
            some = names[at : at + 1000]
            run(python("-m", "furrow.ground.dvcdirs", *some), folder, isolation, say=self.say)


def _dvc(folder: Path, *, remote: Path, cache: Path) -> None:
    """DVC's settings of a folder that stages, or comparisons, work in.

    What was fetched is their remote.
    """
    lines = [
        "[core]",
        "remote = fetched",
        "analytics = false",
        "check_update = false",
        "autostage = false",
    ]
    lines += [
        "[cache]",
        f"dir = {cache}",
        "['remote \"fetched\"']",
        f"url = {remote}",
        "verify = true",
    ]
    write_text(folder / DVC_CONFIG, "\n".join(lines) + "\n")
    (folder / DVC_TMP).mkdir(exist_ok=True)


def hold(
    repo: Path,
    tree: Checkout,
    *,
    commits: Iterable[str],
    config: bytes | None,
    limits: Limits,
    released: bool,
    say: Callable[[str], None],
) -> HeldTree:
    """Make the places for a stranger's commit.

    Args:
        repo: The repository.
        tree: CI's own checkout, of which nobody else may see anything.
        commits: Whose objects stages may see: the commit, and what it is compared with.
        config: .dvc/config of the target branch.
        limits: What stages may take.
        released: Whether to run them though nothing holds them.
        say: Told what commands print.

    Raises:
        HoldError: This machine can't hold them, and it was not asked to run them all the same.
    """
    room = tree.room
    for name in ("held", "fetch/repo", "cache/files/md5", "judge", "judging"):
        (room / name).mkdir(parents=True)
    has_remote = configure(room / "fetch/repo", repo, room / "cache", trusted=False, config=config)
    configure(dvc_root(tree.root), repo, room / "cache", trusted=False, config=config)
    remote = remote_of(room / "fetch/repo")
    hidden = [repo, common_dir(repo), tree.root, tree.root.parent / "lock"]
    if released:
        running, fetching, judging = (
            unheld(room / "held"),
            unheld(room / "fetch"),
            unheld(room / "judging"),
        )

        def importing(address: str) -> Isolation:
            del address
            return fetching

    else:
        local = "://" not in remote
        seen = [room / "judge", room / "cache"]
        store = [Path(remote)] if local and remote and Path(remote).is_dir() else []
        running = isolated(room / "held", readable=seen, hidden=hidden, limits=limits)
        judging = isolated(room / "judging", readable=seen, hidden=hidden, limits=limits)

        def asking(readable: list[Path], *, network: bool) -> Isolation:
            return isolated(
                room / "fetch",
                readable=readable,
                writable=[room / "cache"],
                hidden=hidden,
                limits=limits,
                network=network,
                fetching=True,
            )

        def importing(address: str) -> Isolation:
            folder = Path(address.removeprefix("file://"))
            return asking([folder], network=False) if folder.is_dir() else asking([], network=True)

        fetching = asking(store, network=not local)
    shape = git(tree.root, "rev-parse", "--show-object-format").decode().strip()
    git(room / "judge", "init", "-q", "--template=", f"--object-format={shape}")
    _dvc(room / "judge", remote=room / "cache", cache=room / "cache")
    made = HeldTree(tree, room, running, fetching, judging, has_remote, say, importing)
    made.imports = imports_of(tree.root, (path for path in tree.tracked() if path.endswith(".dvc")))
    made.know(*commits)
    made.reset(tree.commit)
    return made
