"""One small world for all tests of serving: they read it, and copy what they change."""

import pytest

from tests.servingworld import ServingWorld, build


@pytest.fixture(scope="session")
def serving_world(tmp_path_factory: pytest.TempPathFactory) -> ServingWorld:
    """The world of tests/servingworld.py."""
    return build(tmp_path_factory.mktemp("serving"))
