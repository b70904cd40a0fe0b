"""DVC in CI's clean checkout.

Its remote and cache, fetching what stale stages need, running them.
"""

from __future__ import annotations

import configparser
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from furrow.ci.outcome import StageRow
from furrow.errors import FurrowError
from furrow.ground.git import git_dir, is_bare
from furrow.ground.isolate import CommandError, Isolation, run, stream
from furrow.ground.project_place import dvc_root, project_root
from furrow.ground.start_python import python
from furrow.parse import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from furrow.ci.held_tree import HeldTree
    from furrow.ground.pipeline_spec import Pipeline
    from furrow.history.artifacts import Output

__all__ = [
    "Bench",
    "RefusedError",
    "RemoteError",
    "configure",
    "inputs_of",
    "remote_of",
    "translated",
]

_RUNNING = re.compile(r"Running stage '([^']+)'")
_CACHED = re.compile(r"Stage '([^']+)' is cached")
_FAILED = re.compile(r"failed to reproduce '([^']+)': failed to run: (.+), exited with (-?\d+)")
_REFUSALS = (
    "permission",
    "forbidden",
    "denied",
    "credential",
    "access key",
    "(403)",
    "(401)",
    "unauthorized",
)
_REMOTE = re.compile(r"""['"]?remote ["'](.+?)["']['"]?$""")


class RemoteError(FurrowError):
    """A DVC remote is missing, can't be reached, or lacks an object."""


class RefusedError(RemoteError):
    """A DVC remote does not let CI read or write."""


@dataclass
class Bench:
    """A checkout where DVC runs.

    Attributes:
        root: The checkout.
        fetching: The environment of commands that fetch: no code of the commit runs in them.
        running: How the commit's stages are held.
        remote: Whether a default remote is configured.
        say: Told what commands print.
        held: Where the stages of a commit from outside run; None when they run in the checkout.
    """

    root: Path
    fetching: Isolation
    running: Isolation
    remote: bool
    say: Callable[[str], None]
    held: HeldTree | None = None
    rows: list[StageRow] = field(default_factory=list)

    @property
    def place(self) -> Path:
        """Where the commit's stages run."""
        return self.held.place if self.held else self.root

    def dvc(self, *arguments: str, held: bool = False) -> str:
        """Run DVC and return what it printed."""
        place, isolation = (self.place, self.running) if held else (self.root, self.fetching)
        return run(python("-m", "dvc", *arguments), place, isolation, say=self.say)

    def fetch(self, paths: Sequence[str], known: Mapping[str, Output]) -> None:
        """Bring objects into the cache; nothing is written to the work tree.

        Args:
            paths: Outputs, or what lies in them.
            known: The outputs of the commit by path, for one from outside: of it DVC is told
                hashes, and no more.

        Raises:
            RemoteError: The remote can't be reached, refuses, or lacks one.
        """
        if self.held:
            named = [
                known[one]
                for path in paths
                for one in known
                if path == one or path.startswith(f"{one}/")
            ]
            self.held.fetch(output.md5 for output in named)
        elif paths and self.remote:
            try:
                self.dvc("fetch", *paths)
            except CommandError as exc:
                raise translated(exc, "read") from exc

    def checkout(self, paths: Sequence[str]) -> None:
        """Put fetched objects in their places, held as stages are."""
        if paths:
            self.dvc("checkout", "--allow-missing", "--force", *paths, held=True)

    def repro(
        self, why: Mapping[str, tuple[str, ...]], *, pull: bool, everything: bool = False
    ) -> None:
        """Run what is stale, and note what ran and for how long.

        Args:
            why: What made each stage stale, for the report.
            pull: Whether DVC may fetch from the remote by itself.
            everything: Whether outputs that are not here are made again too.

        Raises:
            CommandError: A stage failed; its lines hold the end of what it printed.
            RemoteError: The remote can't be reached.
        """
        arguments = ["repro"] if everything else ["repro", "--allow-missing"]
        arguments += ["--pull"] if pull and self.remote and not everything else []
        name, begun = "", time.perf_counter()

        def close() -> None:
            if name:
                self.rows.append(
                    StageRow(name, "run", why.get(name, ()), round(time.perf_counter() - begun, 2))
                )

        try:
            for line in stream(python("-m", "dvc", *arguments), self.place, self.running):
                self.say(line)
                started, cached = _RUNNING.search(line), _CACHED.search(line)
                if started or cached or line.startswith(("Updating lock file", "Use `dvc push`")):
                    close()
                    name, begun = (started[1] if started else ""), time.perf_counter()
                if cached:
                    self.rows.append(StageRow(cached[1], "restored", why.get(cached[1], ())))
        except CommandError as exc:
            close()
            if pull and any(
                "failed to pull" in line or "failed to fetch" in line for line in exc.lines
            ):
                raise translated(exc, "read") from exc
            raise _named(exc) from exc
        close()

    def missing(self) -> list[str]:
        """Outputs that the remote lacks."""
        if not self.remote:
            return []
        try:
            found = parse_json(
                self.dvc("data", "status", "--not-in-remote", "--granular", "--json") or "{}"
            )
        except CommandError as exc:
            raise translated(exc, "read") from exc
        return [str(path) for path in found.get("not_in_remote", [])]

    def push(self) -> None:
        """Carry what the stages made to the remote.

        Raises:
            RemoteError: It refuses, or can't be reached.
        """
        if self.remote:
            try:
                self.dvc("push")
            except CommandError as exc:
                raise translated(exc, "write") from exc


def _named(exc: CommandError) -> CommandError:
    """The failure of a stage, by its name and command, where DVC tells them."""
    found = next((match for line in reversed(exc.lines) if (match := _FAILED.search(line))), None)
    if found is None:
        return exc
    return CommandError(f"stage {found[1]} failed: `{found[2]}` exited {found[3]}", lines=exc.lines)


def translated(exc: CommandError, doing: str) -> RemoteError:
    """What DVC said, as an error that says what to mend.

    Args:
        exc: What DVC said.
        doing: "read" or "write".
    """
    said = next(
        (line for line in exc.lines if line.startswith("ERROR")),
        exc.lines[-1] if exc.lines else exc.message,
    )
    words = said.removeprefix("ERROR: ").strip()
    lower = " ".join(exc.lines).lower()
    if any(word in lower for word in _REFUSALS):
        rights = {
            "read": "s3:GetObject and s3:ListBucket",
            "write": "s3:PutObject beside those to read",
        }[doing]
        return RefusedError(
            f"the DVC remote does not let CI {doing}: {words}",
            hint=f"give CI a key that may {doing} (in S3: {rights}) in its environment, or with "
            "`dvc remote modify --local`; for a folder, let the user that CI runs as into it",
        )
    hint = "`dvc push` where the data was made; or `dvc repro` there makes the outputs again"
    if any(
        word in lower for word in ("connect", "timed out", "resolve", "endpoint", "unreachable")
    ):
        hint = "the DVC remote can't be reached: look at its address, then run again"
    return RemoteError(f"dvc: {words}", hint=hint)


def configure(root: Path, repo: Path, cache: Path, *, trusted: bool, config: bytes | None) -> bool:
    """Write .dvc/config.local of a checkout.

    Its cache, its remote's place, and that what is fetched is verified.

    Args:
        root: The folder of a checkout that has .dvc.
        repo: The repository; its own .dvc/config.local counts for a trusted commit.
        cache: DVC's cache to use.
        trusted: Whether the commit's own configuration and local credentials are believed.
        config: .dvc/config of the target branch, which replaces the checkout's for a commit from
            outside.

    Returns:
        Whether there is a default remote.
    """
    folder = root / ".dvc"
    folder.mkdir(parents=True, exist_ok=True)
    if not trusted:
        (folder / "config").unlink(missing_ok=True)
        (folder / "config").write_bytes(config or b"")
    home = git_dir(repo) if is_bare(repo) else dvc_root(project_root(repo)) / ".dvc"
    local = configparser.ConfigParser(interpolation=None, strict=False)
    if trusted and (home / "config.local").is_file():
        local.read_string((home / "config.local").read_text(encoding="utf-8"))
    known = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        known.read_string(
            (folder / "config").read_text(encoding="utf-8") if (folder / "config").is_file() else ""
        )
    except (configparser.Error, UnicodeDecodeError) as exc:
        raise FurrowError(f".dvc/config can't be read: {exc}", hint="mend it") from exc
    for section in known.sections():
        match = _REMOTE.match(section)
        if not match:
            continue
        url = known.get(section, "url", fallback="")
        if section not in local:
            local.add_section(section)
        # Without it DVC believes a remote: what is damaged there is used. It costs one hash of each
        # fetched file.
        local.set(section, "verify", "true")
        if url and "://" not in url and not Path(url).is_absolute():
            # Relative to .dvc of the clone that the checkout was made of.
            local.set(section, "url", str((home / url).resolve()))
    for name in ("core", "cache"):
        if name not in local:
            local.add_section(name)
    local.set("cache", "dir", str(cache))
    local.set("core", "analytics", "false")
    local.set("core", "check_update", "false")
    local.set("core", "autostage", "false")
    if not trusted:
        local.set("core", "no_scm", "true")
    with (folder / "config.local").open("w", encoding="utf-8") as handle:
        local.write(handle)
    return bool(
        known.get("core", "remote", fallback="") or local.get("core", "remote", fallback="")
    )


def remote_of(root: Path) -> str:
    """The address of a checkout's default remote, as `configure` wrote it.

    Empty when there is none.
    """
    known = configparser.ConfigParser(interpolation=None, strict=False)
    for name in ("config", "config.local"):
        path = root / ".dvc" / name
        known.read_string(path.read_text(encoding="utf-8") if path.is_file() else "")
    name = known.get("core", "remote", fallback="")
    sections = (
        one for one in known.sections() if (match := _REMOTE.match(one)) and match[1] == name
    )
    url = next((known.get(one, "url", fallback="") for one in sections), "")
    return url.removeprefix("file://")


def inputs_of(pipeline: Pipeline, stale: set[str], certain: set[str]) -> list[str]:
    """Paths that stale stages read, that DVC keeps, and that no stage is certain to write.

    A stage that may turn out to have nothing new leaves its outputs as they were: they are brought
    too, or a folder that holds them would be read half empty.
    """
    kept = [source.path for source in pipeline.sources]
    kept += [
        out.path
        for step in pipeline.steps.values()
        if step.name not in certain
        for out in step.outs
        if out.cached
    ]
    reads = {
        dep.path for name in stale if name in pipeline.steps for dep in pipeline.steps[name].deps
    }
    found = {
        path for path in reads if any(path == one or path.startswith(f"{one}/") for one in kept)
    }
    found |= {one for one in kept for path in reads if one.startswith(f"{path}/")}
    unsure = [pipeline.steps[name] for name in stale - certain if name in pipeline.steps]
    return sorted(
        found | {out.path for step in unsure for out in step.outs if out.cached and out.md5}
    )
