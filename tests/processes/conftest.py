"""One farm for all tests of this folder, with several web processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import RunningFarm, running_farm


@pytest.fixture(scope="package")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFarm]:
    home: Path = tmp_path_factory.mktemp("farm")
    with running_farm(home, "--web-processes", "3") as farm:
        yield farm
