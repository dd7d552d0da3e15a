"""Which test runs when, and with `-n 2` in which process.

By chance, as pytest-randomly leaves it; but files stay together, and so do those who start or
share a whole farm.  These come first: they take longest, and two farms at once would be one
too many for a small machine.
"""

from typing import Any

import pytest

WITH_A_FARM = ("tests/processes/", "tests/journeys/")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring those together who need a farm, and among them those who share one."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[bool, bool, bool]:
    if not item.nodeid.startswith(WITH_A_FARM):
        return True, False, False
    asked = getattr(item, "fixturenames", ())
    return False, "farm" in asked, "browser" in asked


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of several processes, each takes the next file when it is done with one."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "farm" if file.startswith(WITH_A_FARM) else file

    # In the order above, not by the number of tests.
    config.option.loadscopereorder = False
    return ByFile(config, log)
