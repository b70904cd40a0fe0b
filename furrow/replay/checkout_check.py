"""Before anything is judged: is the checkout what the commit's author had?

A dependency that Git holds and dvc.lock records tells. Where it is other than recorded, and the
checkout may be the
reason (another convention of line ends, a filter or a submodule that is not here), it is mended or
nothing is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from furrow.ground.checkout_parts import IncompleteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from furrow.ground.dvc import Item, Project
    from furrow.ground.worktree import Checkout

__all__ = ["complain", "settle_checkout"]

_HINT = (
    "set it up in this clone as those who committed have it (`git config`, `git lfs install`, `git"
    " submodule`)"
)


def settle_checkout(tree: Checkout, project: Project, chosen: Iterable[str]) -> dict[str, str]:
    """Make dependencies that Git holds what dvc.lock recorded, as far as line ends tell them apart.

    Args:
        tree: The checkout.
        project: DVC's view of it.
        chosen: The stages that will be judged.

    Returns:
        What remains doubtful, and why, by path: what no recorded hash has borne out.

    Raises:
        IncompleteError: A dependency is other than recorded, and the checkout is known to lack what
            makes it so.
    """
    open_doubts, tracked = dict(tree.doubts), tree.tracked()
    wanted = set(chosen)
    for stage in project.stages.values():
        for item in stage.deps:
            if item.external or not item.md5:
                continue
            inside = [
                path for path in tracked if path == item.path or path.startswith(f"{item.path}/")
            ]
            doubtful = [
                path
                for path in open_doubts
                if path == item.path or path.startswith(f"{item.path}/")
            ]
            if not (inside or doubtful):
                continue
            if _as_recorded(project, item) or _with_other_line_ends(tree, project, item, inside):
                for path in doubtful:
                    del open_doubts[path]
            elif doubtful and stage.name in wanted:
                complain(tree, open_doubts[doubtful[0]])
    return open_doubts


def complain(tree: Checkout, because: str) -> None:
    """Say that nothing can be judged.

    Raises:
        IncompleteError: Always.
    """
    raise IncompleteError(tree.commit, because, hint=_HINT)


def _as_recorded(project: Project, item: Item) -> bool:
    found = project.content(item.path, item.algorithm)
    return found is not None and found.md5 == item.md5


def _with_other_line_ends(tree: Checkout, project: Project, item: Item, paths: list[str]) -> bool:
    """Whether files are what was recorded once lines end as they are stored, or as on Windows.

    Then they stay so.
    """
    forms: list[Callable[[bytes], bytes]] = [lambda stored: stored, _windows]
    files = [
        path
        for path in paths
        if (tree.root / path).is_file() and not (tree.root / path).is_symlink()
    ]
    before = {path: (tree.root / path).read_bytes() for path in files}
    for form in forms:
        made = {path: form(tree.blob(path, stored=True) or b"") for path in files}
        if made == before:
            continue
        _write(tree, made)
        if _as_recorded(project, item):
            return True
        _write(tree, before)
    return False


def _windows(stored: bytes) -> bytes:
    """A text with the line ends of Windows; what isn't text is left alone, as Git does."""
    if b"\0" in stored[:8000] or b"\r" in stored:
        return stored
    return stored.replace(b"\n", b"\r\n")


def _write(tree: Checkout, contents: dict[str, bytes]) -> None:
    for path, content in contents.items():
        whole = tree.root / path
        if whole.read_bytes() != content:
            whole.write_bytes(content)
