"""The cluster under contract: a sandbox of our own, or the one CLUSTER_KUBECONFIG names.

Every test runs on both and is told nothing of which it is on.  A skip is a failure
unless `skips.py` lists it with the capability that is missing.
"""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.api import Api, Json
from tests.contract.reached import inside, web
from tests.contract.skips import ALLOWED
from tests.contract.spaces import Space
from tests.sandbox.processes import MORTAL

__all__ = ["inside", "web"]
ROOT = Path(__file__).parents[2]
FARM = Path(__file__).with_name("farm.yaml")
START_SECONDS = 20
UNVERIFIED = "ignore::urllib3.exceptions.InsecureRequestWarning"
_told: dict[str, str] = {}


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kubeconfig of the cluster under contract."""
    given = os.environ.get("CLUSTER_KUBECONFIG")
    if given:
        _told["cluster"] = "real"
        yield Path(given)
        return
    _told["cluster"] = "sandbox"
    folder = tmp_path_factory.mktemp("sandbox")
    process = start_sandbox(folder, farm=FARM)
    try:
        yield folder / "contract.kubeconfig"
    finally:
        process.terminate()
        process.wait(timeout=10)


def start_sandbox(folder: Path, *, farm: Path, port: int = 0) -> subprocess.Popen[bytes]:
    """A sandbox process that is ready to be asked."""
    command = [*MORTAL, sys.executable, "-m", "provisioning.sandbox", "--port", str(port)]
    command += ["--state", str(folder), "--farm", str(farm)]
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    process = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        assert process.poll() is None, "the sandbox ended at once"
        assert time.monotonic() < deadline, "the sandbox did not become ready"
        time.sleep(0.02)
    return process


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Api:
    """The API of the cluster."""
    asked = Api(kubeconfig)
    _told["version"] = asked.get("/version").ok()["gitVersion"]
    return asked


@pytest.fixture(scope="session")
def node(api: Api) -> Json:
    """The node that offers devices."""
    nodes = api.get("/api/v1/nodes").ok()["items"]
    offering = [one for one in nodes if _devices_of(one)]
    assert offering, "no node offers an extended resource: start the simulated device plugin"
    found: Json = max(offering, key=lambda one: max(_devices_of(one).values()))
    return found


@pytest.fixture(scope="session")
def resource(node: Json) -> str:
    """The extended resource most of whose devices the node offers."""
    devices = _devices_of(node)
    return max(devices, key=lambda name: devices[name])


def _devices_of(node: Json) -> dict[str, int]:
    amounts = node["status"]["allocatable"]
    return {name: int(value) for name, value in amounts.items() if "/" in name and value != "0"}


@pytest.fixture(scope="module")
def space(api: Api, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A namespace for the tests of one module, gone afterwards."""
    yield from _lent(api, request.module.__name__.rpartition("_")[2])


@pytest.fixture
def own_space(api: Api) -> Iterator[Space]:
    """A namespace for one test alone."""
    yield from _lent(api, "own")


def _lent(api: Api, word: str) -> Iterator[Space]:
    space = Space.create(api, f"contract-{word}-{uuid.uuid4().hex[:8]}")
    try:
        yield space
    finally:
        space.clear()


@pytest.fixture
def name() -> Callable[[], str]:
    """Names nobody has used."""
    return lambda: f"it-{uuid.uuid4().hex[:10]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever gave us a kubeconfig has decided whether certificates are verified."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(UNVERIFIED))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Turn a skip nobody allowed into a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        test = item.nodeid.rpartition("contract/")[2]
        if not any(test == one and capability in reason for one, capability in ALLOWED):
            report.outcome = "failed"
            report.longrepr = f"skipped without leave (see skips.py): {test}: {reason}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several test processes tells the one that sums up."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["contract"] = _told


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear what it tells."""
    _told.update(getattr(node, "workeroutput", {}).get("contract", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was held against what, so that two runs can be laid side by side."""
    if not _told:
        return
    counts = {
        word: sum("contract/" in one.nodeid for one in terminalreporter.stats.get(word, []))
        for word in ("passed", "failed", "error", "skipped")
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    cluster = f"{_told.get('cluster')} {_told.get('version', 'unreachable')}"
    terminalreporter.write_line(f"contract: {told} on {cluster}")
