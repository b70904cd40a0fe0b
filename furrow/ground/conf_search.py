"""Where Hydra looks for options: in the project's conf/, then among those that come with Furrow."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hydra import initialize_config_dir
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hydra.core.config_search_path import ConfigSearchPath

__all__ = ["DEFAULTS", "is_group", "opened"]

DEFAULTS = Path(__file__).parent / "defaults"
"""Groups, and a root, that a project uses where its own conf/ has none of that name."""


class _Defaults(SearchPathPlugin):
    """Furrow's own options, behind those of the project."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("furrow", DEFAULTS.as_uri())


@cache
def _register() -> None:
    Plugins.instance().register(_Defaults)


@contextmanager
def opened(conf: Path) -> Iterator[None]:
    """Hydra with a project's folder of configs, and Furrow's own options behind them."""
    _register()
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        yield


def is_group(conf: Path, name: str) -> bool:
    """Whether a name is a group of options, of the project or of Furrow."""
    return (conf / name).is_dir() or (DEFAULTS / name).is_dir()
