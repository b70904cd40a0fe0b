"""One small world for all tests of serving: they read it, and copy what they change."""

import shutil

import pytest

from furrow.serving.follow import poll
from furrow.serving.follow_settings import FollowSettings
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


@pytest.fixture(scope="module")
def first(followed_repo, tmp_path_factory, serving_world):
    """A repository that was followed once: a main version and a canary are on this machine."""
    place = tmp_path_factory.mktemp("state")
    repo = followed_repo
    settings = _settings(repo, place / "state", serving_world.features)
    return repo, settings, poll(settings)


def _settings(repo, state, features):
    return FollowSettings("production", str(repo.origin), "main", state, features)


@pytest.fixture
def served(first, tmp_path):
    """A copy of both, to be changed at will."""
    repo, settings, _ = first
    shutil.copytree(settings.state, tmp_path / "state", symlinks=True)
    found = repo.copied(tmp_path)
    return found, _settings(found, tmp_path / "state", settings.features)
