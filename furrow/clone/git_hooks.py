"""Git hooks of a clone: after a merge, a checkout or a rebase, raw data follows its .dvc files.

Notes follow a push.

Else `dvc repro` would take the older data, which is still there, for new data, and write it into
the merged .dvc file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from furrow.errors import FurrowError
from furrow.files import write_text
from furrow.ground.git import git, show, toplevel
from furrow.ground.hashes import Hasher
from furrow.ground.repro import ReproError, run_tool
from furrow.ground.runcache import Cache
from furrow.ground.start_python import furrow_in_shell
from furrow.ground.trust import is_trusted
from furrow.parse import ParseError, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["follow", "install_hooks", "remove_hooks"]

MARK = "# furrow: raw data follows its .dvc files"
_CHANGED = "git diff --quiet {old} HEAD -- '*.dvc' 2>/dev/null; test $? -ne 1"


# Notes that the remote was not seen to have go along with a push; whatever comes of that, the push
# is what it was without. A dry run carries none.
_CARRY = (
    'furrow=$?; case " $(ps -o args= -p $PPID 2>/dev/null) " in *" --dry-run "*|*" -n "*) ;; *) '
    "for kind in replay runs; do notes=$(git rev-parse -q --verify refs/notes/furrow/$kind) && "
    'test "$notes" != "$(git rev-parse -q --verify "refs/notes/remotes/$1/furrow/$kind")" && '
    '{ {command} install --carry "$1" </dev/null; break; }; done;; esac; (exit $furrow)'
)


def _hooks() -> dict[str, str]:
    def follow_from(old: str) -> str:
        return f"{_CHANGED.format(old=old)} || {furrow_in_shell()} install --follow {old}"

    left = follow_from('"$1"')
    return {
        "post-merge": follow_from("ORIG_HEAD"),
        "post-rewrite": follow_from("ORIG_HEAD"),
        "post-checkout": f'if test "$3" = 1; then {left}; fi',
        # A merge that a person finished by hand ends in a commit, and Git calls no post-merge.
        "pre-push": _CARRY.replace("{command}", furrow_in_shell()),
        "post-commit": (
            f"if git rev-parse -q --verify HEAD^2 >/dev/null; then {follow_from('HEAD^1')}; fi"
        ),
    }


def hooks_folder(root: Path) -> Path:
    """Where Git looks for the hooks of a clone."""
    return Path(
        git(root, "rev-parse", "--path-format=absolute", "--git-path", "hooks").decode().strip()
    )


def remove_hooks(root: Path, *, dry_run: bool = False) -> list[str]:
    """Take Furrow's lines out of the hooks; a hook that holds nothing else is removed.

    Returns:
        What changed, in words.
    """
    done = []
    for name in _hooks():
        path = hooks_folder(toplevel(root)) / name
        before, there, rest = (
            path.read_text(encoding="utf-8") if path.is_file() else ""
        ).partition(f"{MARK}\n")
        if not there:
            continue
        text = before + rest.partition("\n")[2]
        done.append(name)
        if dry_run:
            continue
        if text.strip() in ("", "#!/bin/sh"):
            path.unlink()
        else:
            write_text(path, text)
            path.chmod(0o755)
    return [f"hooks: {', '.join(done)}"] if done else []


def install_hooks(root: Path, *, dry_run: bool = False) -> list[str]:
    """Write the hooks, or add to those that are there.

    Args:
        root: The repository.
        dry_run: Whether only to say what would change.

    Returns:
        What changed, in words.

    Raises:
        FurrowError: A hook is there that is no shell script.
    """
    folder = hooks_folder(toplevel(root))
    done = []
    for name, command in _hooks().items():
        path = folder / name
        text = path.read_text(encoding="utf-8") if path.is_file() else "#!/bin/sh\n"
        before, there, rest = text.partition(f"{MARK}\n")
        if there:
            held, _, after = rest.partition("\n")
            if held != command:  # of an older Furrow, or of another Python
                done.append(name)
                if not dry_run:
                    write_text(path, f"{before}{there}{command}\n{after}")
                    path.chmod(0o755)
            continue
        if "sh" not in text.partition("\n")[0]:
            raise FurrowError(
                f"{path} is not a shell script", hint=f"add this to it, and {MARK!r}: {command}"
            )
        done.append(name)
        if dry_run:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text.rstrip()}\n{MARK}\n{command}\n", encoding="utf-8")
        path.chmod(0o755)
    return (
        [f"hooks by which raw data follows data.dvc, and notes a push: {', '.join(done)}"]
        if done
        else []
    )


def follow(root: Path, before: str) -> Iterator[str]:
    """Bring raw data to what the .dvc files say, where it is as they said at an earlier commit.

    Args:
        root: The repository.
        before: The commit.

    Yields:
        What was done, or why it was not, in words.
    """
    top = toplevel(root)
    names = (
        git(top, "diff", "--name-only", "-z", before, "HEAD", "--", "*.dvc").decode().split("\0")
    )
    for name in filter(None, names):
        path = top / name
        if not path.is_file():
            continue
        old, new = _out(show(top, before, name) or b""), _out(path.read_bytes())
        place = str(new.get("path") or "")
        data = path.parent / place
        if not place or path.is_symlink() or not data.resolve().is_relative_to(top.resolve()):
            continue  # it tracks nothing, or what isn't this repository's
        now = Hasher(path.parent).md5(place)
        if now is None or not new.get("md5") or now == new["md5"]:
            continue
        shown = data.relative_to(top)
        if now != old.get("md5"):
            yield (
                f"{shown} holds what no .dvc file tells: it is left as it is "
                f"(`dvc checkout {name}` takes what {name} says now)"
            )
            continue
        yield _bring(top, name, str(new["md5"]), str(shown))


def _bring(top: Path, name: str, md5: str, shown: str) -> str:
    if not is_trusted(
        top
    ):  # DVC would read the settings of whatever was checked out, and ask its remotes
        return (
            f"{shown} is not what {name} says now: `furrow trust`, once, if this clone is; then"
            f" `dvc pull {name}`"
        )
    try:
        if not Cache(top).holds(md5):
            for _ in run_tool(top, "dvc", ["fetch", name]):
                pass
        for _ in run_tool(top, "dvc", ["checkout", name]):
            pass
    except ReproError:
        return f"{shown} is not yet what {name} says now: `dvc pull {name}`, before `dvc repro`"
    return f"{shown} is what {name} says now"


def _out(content: bytes) -> dict[str, Any]:
    try:
        outs = (parse_yaml(content) or {}).get("outs") or [{}]
        return dict(outs[0])
    except (ParseError, AttributeError, TypeError, ValueError, IndexError):
        return {}
