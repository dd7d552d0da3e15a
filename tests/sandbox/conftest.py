"""A cluster driven by hand, and a sandbox process with its operator's door."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.processes import Process
from tests.sandbox.worlds import World

QUICK = Path(__file__).with_name("quick.yaml")


@pytest.fixture
def world() -> World:
    """A cluster that forgets when the test ends."""
    return World()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A sandbox process for the tests of one module."""
    process = Process(tmp_path_factory.mktemp("sandbox"), farm=QUICK)
    process.start()
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture(autouse=True)
def _no_fault_outlives_a_test(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "sandbox" in request.fixturenames:
        request.getfixturevalue("sandbox").lift()
