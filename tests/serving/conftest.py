"""One small world for all tests of serving: they read it, and copy what they change."""

import pytest

from tests.servingworld import ServingWorld, build

from .followedrepo import NAMES, Followed
from .followedrepo import build as build_followed


@pytest.fixture(scope="session")
def serving_world(tmp_path_factory: pytest.TempPathFactory) -> ServingWorld:
    """The world of tests/servingworld.py."""
    return build(tmp_path_factory.mktemp("serving"))


@pytest.fixture(scope="session")
def followed_repo(
    tmp_path_factory: pytest.TempPathFactory, serving_world: ServingWorld
) -> Followed:
    """The repository of followedrepo.py: read it, and change copies."""
    place = tmp_path_factory.mktemp("followed")
    return build_followed(place, {name: serving_world.bundle(name) for name in NAMES})
