"""What a .dvc/config says that does no harm wherever it comes from: names, addresses, speeds.

Other settings name commands (bearer_token_command), files with commands in them (configpath: the
file of AWS, and in it credential_process), folders with pickles (site_cache_dir), keys and
passwords. Read with the parser that DVC has for
it: another one sees a key as the end of the value above it.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from configobj import ConfigObj, ConfigObjError

from furrow.files import read_bytes
from furrow.ground.git import GitError, git, is_bare, show, toplevel
from furrow.ground.project_place import project_prefix
from furrow.layout import DVC_CONFIG, DVC_CONFIG_LOCAL

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILES", "default_remote", "odd_settings", "odd_settings_of"]

FILES = (DVC_CONFIG, DVC_CONFIG_LOCAL)
_HARMLESS = re.compile(
    r"core\.(remote|analytics|check_update|autostage|hardlink_lock)|cache\.(type|protected|shared)"
    r"|remote\.(url|region|endpointurl|verify|read_timeout|connect_timeout|use_ssl|jobs)"
)


def default_remote(root: Path) -> str:
    """The name of the DVC remote that a clone pushes to; empty if there is none.

    Args:
        root: The project. A person's own settings (config.local) outrank the repository's.
    """
    found = ""
    for name in FILES:
        try:
            settings = ConfigObj(io.BytesIO((root / name).read_bytes()), interpolation=False)
            found = str(settings.get("core", {}).get("remote", found))
        except (OSError, ConfigObjError, UnicodeDecodeError, AttributeError):
            continue
    return found


def odd_settings(content: bytes) -> list[str]:
    """The settings of a .dvc/config that are not known to be harmless, as SECTION.KEY.

    Args:
        content: Of the file.

    Raises:
        ValueError: It can't be read; the message says why.
    """
    try:
        sections = ConfigObj(io.BytesIO(content), interpolation=False).dict()
    except (ConfigObjError, UnicodeDecodeError, RecursionError) as exc:
        raise ValueError(" ".join(str(exc).split())[:200]) from exc
    found = []
    for name, keys in sections.items():
        section = name.lower()
        kind = (
            "remote" if re.fullmatch(r"""['"]?remote ["'][^"']+["']['"]?""", section) else section
        )
        for key, value in keys.items() if isinstance(keys, dict) else [("", keys)]:
            if isinstance(value, dict) or not _HARMLESS.fullmatch(f"{kind}.{key}"):
                found.append(f"{name}.{key}" if key else name)
    return found


def odd_settings_of(root: Path, rev: str) -> list[str]:
    """What settings for DVC, at a revision and in the work tree, hold beside what does no harm.

    A config.local that no commit holds is the user's own.

    Args:
        root: The project.
        rev: A revision.
    """
    found = []
    for name in (f"{folder}{file}" for folder in _folders(root) for file in FILES):
        contents = [show(root, rev, name)]
        if (
            not is_bare(root)
            and (root / name).is_file()
            and (name.endswith(FILES[0]) or _is_tracked(root, name))
        ):
            contents.append(read_bytes(root / name))
        for content in filter(None, contents):
            try:
                found += [f"{name}: {one}" for one in odd_settings(content)]
            except ValueError as exc:
                found.append(f"{name}: {exc}")
    return list(dict.fromkeys(found))


def _folders(root: Path) -> list[str]:
    """The project's folder and those above it as far as the repository's top, any of which may hold DVC's."""
    if is_bare(root):
        return ["../" * up for up in range(project_prefix(root).count("/") + 1)]
    whole, top = root.resolve(), toplevel(root).resolve()
    if not whole.is_relative_to(top):
        return [""]
    return ["../" * up for up in range(len(whole.relative_to(top).parts) + 1)]


def _is_tracked(root: Path, name: str) -> bool:
    try:
        return bool(git(root, "ls-files", "-z", "--", name))
    except GitError:
        return True
