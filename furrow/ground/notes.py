"""Git notes: lines of text kept beside a commit, merged by line, carried by push and fetch.

A note's content is a set of lines. Notes that came from a remote stay in a reference of their own
(refs/notes/remotes/REMOTE/...), so that a fetch never overwrites what was written here; reading
sees both.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from furrow.errors import FurrowError
from furrow.ground.git import GitError, common_dir, git, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = [
    "NOTES",
    "NoteError",
    "add_line",
    "carry_notes",
    "configure_notes",
    "forget_notes",
    "noted",
    "noted_blobs",
    "push_notes",
    "read_lines",
    "set_lines",
]

NOTES = "refs/notes/furrow"
_REMOTES = "refs/notes/remotes"
_ATTEMPTS = 5
_LARGEST = 64 << 20
_HIDDEN = "hidden ref"  # what Git says of a reference that `furrow ci install` lets nobody push


class NoteError(FurrowError):
    """A note can't be written or carried."""


def _references(repo: Path, name: str) -> list[str]:
    """The reference of a kind of notes, and what remotes hold of it; those that exist."""
    listed = git(repo, "for-each-ref", "--format=%(refname)", f"{NOTES}/{name}", _REMOTES)
    return [
        ref
        for ref in os.fsdecode(listed).split()
        if ref == f"{NOTES}/{name}" or ref.endswith(f"/furrow/{name}")
    ]


def read_lines(repo: Path, name: str, commit: str) -> list[str]:
    """The lines of a commit's note, those fetched from remotes included, each once.

    Args:
        repo: A folder inside the repository.
        name: The kind of notes, such as "replay".
        commit: The full id of the commit.
    """
    found: dict[str, None] = {}
    for ref in _references(repo, name):
        text = (_shown(repo, ref, commit) or b"").decode(errors="replace")
        found.update(dict.fromkeys(line for line in text.split("\n") if line.strip()))
    return list(found)


def _shown(repo: Path, ref: str, commit: str) -> bytes | None:
    """A note's text; None of one that is larger than any that Furrow writes."""
    with spawn(repo, "notes", "--ref", ref, "show", commit) as process:
        content: bytes = process.stdout.read(_LARGEST + 1) if process.stdout else b""
        process.kill()
    return content if len(content) <= _LARGEST else None


def noted(repo: Path, name: str) -> set[str]:
    """The ids of the objects that have a note of a kind."""
    found: set[str] = set()
    for ref in _references(repo, name):
        found |= {
            line.split()[1]
            for line in os.fsdecode(git(repo, "notes", "--ref", ref, "list")).splitlines()
        }
    return found


def noted_blobs(repo: Path, name: str) -> dict[str, list[str]]:
    """The notes of a kind by object: ids of what they hold, a remote's beside one's own."""
    found: dict[str, list[str]] = {}
    for ref in _references(repo, name):
        for line in os.fsdecode(git(repo, "notes", "--ref", ref, "list")).splitlines():
            blob, _, noted_object = line.partition(" ")
            found.setdefault(noted_object, []).append(blob)
    return found


def add_line(repo: Path, name: str, commit: str, line: str) -> None:
    """Add a line to a commit's note.

    Lines that remotes hold come along, so that a push goes through.

    Raises:
        NoteError: It can't be written: a read-only Git directory, a full disk; or it is larger than
            a note may be.
    """
    ref = f"{NOTES}/{name}"

    def grow() -> list[str]:
        _join(repo, name)
        text = _shown(repo, ref, commit)
        if text is None:
            raise _too_large(ref, commit)
        before = [one for one in text.decode(errors="replace").split("\n") if one]
        return before if line in before else [*before, line]

    _write(repo, ref, commit, grow)


def set_lines(repo: Path, name: str, commit: str, lines: Sequence[str]) -> None:
    """Make a commit's note hold these lines and no others.

    For a note that is a copy of what is kept elsewhere.

    Raises:
        NoteError: It can't be written: a read-only Git directory, a full disk.
    """
    _write(repo, f"{NOTES}/{name}", commit, lambda: list(dict.fromkeys(lines)))


def _write(repo: Path, ref: str, commit: str, make: Callable[[], list[str]]) -> None:
    try:
        with _locked(repo):
            lines = make()
            if any("\n" in line for line in lines):
                raise NoteError("a note's line holds a line feed", hint="write it as compact JSON")
            text = "".join(f"{line}\n" for line in lines).encode()
            if len(text) > _LARGEST:
                raise _too_large(ref, commit)
            if text != _shown(repo, ref, commit):
                blob = git(repo, "hash-object", "-w", "--stdin", stdin=text).decode().strip()
                git(repo, *_identity(repo), "notes", "--ref", ref, "add", "-f", "-C", blob, commit)
    except (GitError, OSError) as exc:
        words = exc.message if isinstance(exc, GitError) else str(exc)
        hint = "is the Git directory writable?"
        raise NoteError(f"cannot write the note on {commit[:10]}: {words}", hint=hint) from exc


def _too_large(ref: str, commit: str) -> NoteError:
    said = (
        f"the note on {commit[:10]} is larger than {_LARGEST >> 20} MB, and nothing would read it"
    )
    return NoteError(said, hint=f"look at it, then `git notes --ref {ref} remove {commit[:10]}`")


def _join(repo: Path, name: str) -> None:
    """Merge what remotes hold into this repository's own notes, line by line."""
    own = f"{NOTES}/{name}"
    for ref in _references(repo, name):
        if ref != own:
            git(
                repo,
                *_identity(repo),
                "notes",
                "--ref",
                own,
                "merge",
                "-q",
                "-s",
                "cat_sort_uniq",
                ref,
            )


def _identity(repo: Path) -> tuple[str, ...]:
    """Someone to sign the notes' commits with where Git was told of nobody, as on a build machine."""
    if git(repo, "var", "GIT_COMMITTER_IDENT", ok=(0, 128)):
        return ()
    return ("-c", "user.name=furrow", "-c", "user.email=furrow@localhost")


@contextmanager
def _locked(repo: Path) -> Iterator[None]:
    """One writer of notes at a time: git itself lets the second of two overwrite the first."""
    with (common_dir(repo) / "furrow-notes.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _remotes(repo: Path) -> list[str]:
    return os.fsdecode(git(repo, "remote")).split()


def _fetch_spec(remote: str) -> str:
    return f"+{NOTES}/*:{_REMOTES}/{remote}/furrow/*"


def forget_notes(repo: Path, *, dry_run: bool = False) -> list[str]:
    """Take away what `configure_notes` set.

    Returns:
        What was unset, as `NAME VALUE`.
    """
    done = []
    for remote in _remotes(repo):
        key, value = f"remote.{remote}.fetch", _fetch_spec(remote)
        if value in _values(repo, key):
            if not dry_run:
                git(repo, "config", "--fixed-value", "--unset-all", key, value, ok=(0, 5))
            done.append(f"{key} {value}")
    return done


def configure_notes(repo: Path, *, dry_run: bool = False) -> list[str]:
    """Make `git fetch` bring Furrow's notes, for every remote; calling it again changes nothing.

    Pushing them is a hook's (`carry_notes`): a refspec would make `git push` fail where the remote
    keeps notes of its own CI alone, or where somebody was faster. Refspecs of an older Furrow are
    taken away.

    Returns:
        What was set, as `NAME VALUE`.
    """
    done = []
    for remote in _remotes(repo):
        key, value = f"remote.{remote}.fetch", _fetch_spec(remote)
        if value not in _values(repo, key):
            if not dry_run:
                git(repo, "config", "--add", key, value)
            done.append(f"{key} {value}")
        if dry_run:
            continue
        git(repo, "config", "--unset-all", _kept_key(remote), ok=(0, 5))
        done += _without_push_specs(repo, f"remote.{remote}.push")
    return done


def _without_push_specs(repo: Path, key: str) -> list[str]:
    """Take away what an older Furrow had a bare push do, and what it wrote beside that to keep the usual one."""
    own, usual = {f"{NOTES}/*:{NOTES}/*", f"^{NOTES}/ci"}, {"HEAD", ":"}
    present = _values(repo, key)
    if not own & set(present):
        return []
    for value in set(present) if set(present) <= own | usual else own:
        git(repo, "config", "--fixed-value", "--unset-all", key, value, ok=(0, 5))
    return [f"{key} as it was before"]


def _values(repo: Path, key: str) -> list[str]:
    return os.fsdecode(git(repo, "config", "--get-all", key, ok=(0, 1))).split("\n")[:-1]


def _kept_key(remote: str) -> str:
    return f"remote.{remote}.furrowKeepsNotes"


def carry_notes(repo: Path, name: str, remote: str) -> str:
    """Carry notes along with a push, which must not fail for them.

    Args:
        repo: A folder inside the repository.
        name: The kind of notes.
        remote: What is pushed to, by its name; an address is left alone.

    Returns:
        Why they were not carried, in words, once; empty when they were, or need not be.
    """
    if remote not in _remotes(repo) or _values(repo, _kept_key(remote)):
        return ""
    try:
        push_notes(repo, name, remote)
    except NoteError as exc:
        if _HIDDEN not in exc.message:
            return exc.message
        git(repo, "config", _kept_key(remote), "true")
        return f"{remote} keeps the notes of its own CI and takes no others: yours stay here"
    return ""


def push_notes(repo: Path, name: str, remote: str) -> None:
    """Carry notes to a remote: fetch what it holds, merge, push.

    Again when somebody else was faster.

    Raises:
        NoteError: There is no such remote, or it refuses.
    """
    if remote not in _remotes(repo):
        raise NoteError(
            f"there is no remote {remote!r}",
            hint=f"there are: {', '.join(_remotes(repo)) or 'none'}",
        )
    ref, words = f"{NOTES}/{name}", ""
    for _ in range(_ATTEMPTS):
        try:
            git(repo, "fetch", "-q", "--no-tags", remote, _fetch_spec(remote))
            with _locked(repo):
                _join(repo, name)
            if not git(repo, "rev-parse", "--verify", "--quiet", ref, ok=(0, 1)).strip():
                return  # nobody has noted anything yet
            git(repo, "push", "-q", remote, f"{ref}:{ref}")
        except GitError as exc:
            words = exc.stderr or exc.message
            if _HIDDEN in words:
                break
            if (
                "rejected" not in words
                and "cannot lock ref" not in words
                and "fetch first" not in words
            ):
                break
        else:
            return
    raise NoteError(
        f"the notes were not pushed to {remote}: {words}", hint="`git push` says whether you may"
    )
